/** Browsers that are signed in as oneself, each with a way to end it. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { Item } from '../../api/contract.ts';
import { read } from '../../api/queries.ts';
import { request } from '../../api/request.ts';
import { ConfirmButton } from '../../ui/confirm-button.tsx';
import { type Column, DataTable } from '../../ui/data-table.tsx';
import { Panel } from '../../ui/panel.tsx';
import { Time } from '../../ui/time.tsx';
import { browserName } from './browser-name.ts';

type Session = Item<'GET /v1/sessions'>;

const ways: Readonly<Record<Session['proof'], string>> = {
  key: 'API key',
  link: 'one-time link',
  email: 'link by e-mail',
  oidc: 'single sign-on',
};

const sessions = read('GET /v1/sessions', { query: { limit: 500 } });

export function SessionsPanel() {
  const query = useQuery(sessions);
  const cache = useQueryClient();
  const end = async (id: string) => {
    await request('POST /v1/sessions/:id/revoke', { params: { id } });
    await cache.invalidateQueries({ queryKey: sessions.queryKey });
  };
  const columns: readonly Column<Session>[] = [
    {
      id: 'browser',
      header: 'Browser',
      primary: true,
      width: 'minmax(160px, 2fr)',
      cell: (row) => (
        <span title={row.userAgent ?? undefined}>
          {browserName(row.userAgent)}
          {row.current && <strong> (this one)</strong>}
        </span>
      ),
    },
    { id: 'proof', header: 'Signed in by', cell: (row) => ways[row.proof] },
    { id: 'created', header: 'Since', cell: (row) => <Time at={row.createdAt} /> },
    { id: 'used', header: 'Last seen', cell: (row) => (row.lastUsedAt ? <Time at={row.lastUsedAt} /> : '–') },
    { id: 'ends', header: 'Ends', cell: (row) => <Time at={row.expiresAt} /> },
    {
      id: 'end',
      header: 'Action',
      cell: (row) =>
        row.current ? null : (
          <ConfirmButton
            size="compact-xs"
            variant="default"
            question={`End the session of ${browserName(row.userAgent)}?`}
            consequence="It is signed out within a second."
            onConfirm={() => end(row.id)}
          >
            End
          </ConfirmButton>
        ),
    },
  ];
  return (
    <Panel
      title="Signed in"
      query={query}
      isEmpty={({ items }) => items.length === 0}
      empty={{ why: 'No browser is signed in.' }}
    >
      {({ items }) => (
        <DataTable
          label="Browsers that are signed in"
          columns={columns}
          rows={items}
          rowId={({ id }) => id}
          maxHeight={400}
        />
      )}
    </Panel>
  );
}
