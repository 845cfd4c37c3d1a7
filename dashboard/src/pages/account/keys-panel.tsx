/** API keys of one's own, such as for the command line: made here, shown once, revoked here. */
import { Button, NativeSelect, TextInput } from '@mantine/core';
import '../../ui/inputs.css';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { Item, Role } from '../../api/contract.ts';
import { asProblem } from '../../api/problem.ts';
import { read } from '../../api/queries.ts';
import { request } from '../../api/request.ts';
import { ConfirmButton } from '../../ui/confirm-button.tsx';
import { CopyId } from '../../ui/copy-id.tsx';
import { type Column, DataTable } from '../../ui/data-table.tsx';
import { Panel } from '../../ui/panel.tsx';
import { ProblemText } from '../../ui/problem-text.tsx';
import { Time } from '../../ui/time.tsx';
import classes from './account.module.css';

type Key = Item<'GET /v1/whoami/keys'>;

const keys = read('GET /v1/whoami/keys', { query: { limit: 500 } });
const ranks: readonly Role[] = ['viewer', 'member', 'admin'];
const lives = [
  { value: '2592000', label: '30 days' },
  { value: '7776000', label: '90 days' },
  { value: '31536000', label: 'a year' },
  { value: '', label: 'for ever' },
];

export function KeysPanel({ role }: { readonly role: Role }) {
  const query = useQuery(keys);
  const cache = useQueryClient();
  const changed = () => cache.invalidateQueries({ queryKey: keys.queryKey });
  const revoke = async (id: string) => {
    await request('POST /v1/whoami/keys/:id/revoke', { params: { id } });
    await changed();
  };
  const columns: readonly Column<Key>[] = [
    { id: 'name', header: 'Name', primary: true, width: 'minmax(160px, 2fr)', cell: (row) => row.name },
    { id: 'id', header: 'Id', width: 'minmax(160px, 2fr)', cell: (row) => <CopyId id={row.id} /> },
    { id: 'role', header: 'Role', cell: (row) => row.role },
    { id: 'used', header: 'Last used', cell: (row) => (row.lastUsedAt ? <Time at={row.lastUsedAt} /> : 'never') },
    { id: 'expires', header: 'Expires', cell: (row) => (row.expiresAt ? <Time at={row.expiresAt} /> : 'never') },
    {
      id: 'revoke',
      header: 'Action',
      cell: (row) => (
        <ConfirmButton
          size="compact-xs"
          variant="default"
          question={`Revoke the key ${row.name}?`}
          consequence="Whatever uses it is refused within a second, and browsers that it signed in are signed out."
          onConfirm={() => revoke(row.id)}
        >
          Revoke
        </ConfirmButton>
      ),
    },
  ];
  return (
    <Panel title="Your API keys" query={query}>
      {({ items }) => {
        const living = items.filter(({ revokedAt }) => revokedAt === null);
        return (
          <>
            <NewKey role={role} onMade={changed} />
            {living.length > 0 && (
              <DataTable label="Your API keys" columns={columns} rows={living} rowId={({ id }) => id} maxHeight={400} />
            )}
          </>
        );
      }}
    </Panel>
  );
}

function NewKey({ role, onMade }: { readonly role: Role; readonly onMade: () => Promise<void> }) {
  const [name, setName] = useState('command-line');
  const [most, setMost] = useState<Role>(role);
  const [life, setLife] = useState(lives[1]!.value);
  const make = useMutation({
    mutationFn: () => {
      const expiresInSeconds = life === '' ? undefined : Number(life);
      return request('POST /v1/whoami/keys', { body: { name, role: most, expiresInSeconds } });
    },
    onSuccess: onMade,
  });
  return (
    <>
      <form
        className={classes.form}
        onSubmit={(event) => {
          event.preventDefault();
          make.mutate();
        }}
      >
        <TextInput
          label="Name"
          required
          withAsterisk={false}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <NativeSelect
          label="Role"
          data={ranks.slice(0, ranks.indexOf(role) + 1)}
          value={most}
          onChange={(event) => setMost(event.currentTarget.value as Role)}
        />
        <NativeSelect
          label="Works for"
          data={lives}
          value={life}
          onChange={(event) => setLife(event.currentTarget.value)}
        />
        <Button type="submit" variant="default" loading={make.isPending}>
          Make a key
        </Button>
      </form>
      {make.error && <ProblemText problem={asProblem(make.error)} />}
      {make.data && (
        <div className={classes.secret} role="status">
          <p>Keep it now, it is not shown again. In a terminal: solyx login {window.location.origin}</p>
          <CopyId id={make.data.secret} />
        </div>
      )}
    </>
  );
}
