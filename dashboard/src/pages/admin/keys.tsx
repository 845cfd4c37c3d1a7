/** Keys of the tenant: API keys, and tokens with which nodes join. */
import { Select, TextInput } from '@mantine/core';
import '../../ui/inputs.css';
import '../../ui/overlays.css';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { Item, Output, Role } from '../../api/contract.ts';
import { read } from '../../api/queries.ts';
import { request } from '../../api/request.ts';
import { useSession } from '../../app/session.ts';
import { ConfirmButton } from '../../ui/confirm-button.tsx';
import { CopyId } from '../../ui/copy-id.tsx';
import type { Column } from '../../ui/data-table.tsx';
import { StateMark } from '../../ui/state-mark.tsx';
import { Time } from '../../ui/time.tsx';
import classes from './admin.module.css';
import { CreateDialog, textIn } from './create-dialog.tsx';
import { ExpiryField, ProjectField, RoleField } from './fields.tsx';
import { ListPanel } from './list-panel.tsx';
import { ShownOnce } from './shown-once.tsx';
import { useList } from './use-list.ts';

type Key = Item<'GET /v1/keys'>;
type Made = Output<'POST /v1/keys'>;

const keys = 'GET /v1/keys';

export function Keys() {
  return (
    <ListPanel
      title="Keys"
      list={useList(keys)}
      columns={columns}
      rowId={({ id }) => id}
      rowName={({ name }) => name}
      actions={<CreateKey />}
      empty={{ why: 'There are no keys.' }}
    />
  );
}

function CreateKey() {
  const { me } = useSession();
  const [kind, setKind] = useState<'api' | 'join'>('api');
  const sites = useQuery({ ...read('GET /v1/sites', { query: { limit: 200 } }), enabled: kind === 'join' });
  const kinds = [{ value: 'api', label: 'API key: for a person or a program' }];
  if (me?.operator) kinds.push({ value: 'join', label: 'Join token: lets machines join a site as nodes' });
  return (
    <CreateDialog<Made>
      label="Create a key"
      submit="Create"
      changes={[keys]}
      onSubmit={(form) => {
        const expires = textIn(form, 'expires');
        const project = textIn(form, 'project');
        const siteId = textIn(form, 'site');
        const uses = textIn(form, 'uses');
        return request('POST /v1/keys', {
          body: {
            name: textIn(form, 'name') ?? '',
            kind,
            ...(kind === 'api' && { role: textIn(form, 'role') as Role }),
            ...(project !== undefined && { project }),
            ...(siteId !== undefined && { siteId }),
            ...(uses !== undefined && { uses: Number(uses) }),
            ...(expires !== undefined && { expiresInSeconds: Number(expires) }),
          },
        });
      }}
      done={(made) => <ShownOnce value={made.secret} what={`The key “${made.name}”.`} />}
    >
      <Select
        label="Kind"
        value={kind}
        allowDeselect={false}
        data={kinds}
        onChange={(value) => setKind(value as typeof kind)}
      />
      <TextInput name="name" label="Name" description="What it is for." required data-autofocus />
      {kind === 'api' ? (
        <>
          <RoleField />
          <ProjectField none="Yours" />
        </>
      ) : (
        <>
          <Select
            name="site"
            label="Site"
            searchable
            data={(sites.data?.items ?? []).map(({ id, name }) => ({ value: id, label: name }))}
          />
          <TextInput name="uses" label="Nodes that may join" type="number" min={1} max={10_000} defaultValue="1" />
        </>
      )}
      <ExpiryField key={kind} never={kind === 'api'} />
    </CreateDialog>
  );
}

const kindWords = { api: 'API key', join: 'join token', node: 'node’s token' } as const;

const columns: readonly Column<Key>[] = [
  { id: 'name', header: 'Name', primary: true, width: 'minmax(140px, 2fr)', cell: ({ name }) => name },
  { id: 'kind', header: 'Kind', cell: ({ kind }) => kindWords[kind] },
  { id: 'state', header: 'State', width: 'minmax(120px, 1fr)', cell: (key) => <KeyState value={key} /> },
  { id: 'role', header: 'Role', cell: ({ kind, role }) => (kind === 'api' ? role : '–') },
  { id: 'project', header: 'Project', cell: ({ project }) => project.name },
  {
    id: 'used',
    header: 'Last used',
    cell: ({ lastUsedAt }) => (lastUsedAt === null ? 'never' : <Time at={lastUsedAt} />),
  },
  {
    id: 'expires',
    header: 'Expires',
    cell: ({ expiresAt }) => (expiresAt === null ? 'never' : <Time at={expiresAt} />),
  },
  { id: 'id', header: 'Id', width: 'minmax(180px, 1fr)', cell: ({ id }) => <CopyId id={id} /> },
  { id: 'actions', header: 'Actions', align: 'end', cell: (key) => <Revoke value={key} /> },
];

function KeyState({ value: { revokedAt, expiresAt, usesLeft } }: { readonly value: Key }) {
  if (revokedAt !== null) return <StateMark tone="cancelled">revoked</StateMark>;
  if (expiresAt !== null && Date.parse(expiresAt) < Date.now()) return <StateMark tone="cancelled">expired</StateMark>;
  if (usesLeft === 0) return <StateMark tone="cancelled">used up</StateMark>;
  return <StateMark tone="succeeded">{usesLeft === null ? 'works' : `works, ${usesLeft} left`}</StateMark>;
}

function Revoke({ value }: { readonly value: Key }) {
  const cache = useQueryClient();
  if (value.revokedAt !== null) return null;
  const isNode = value.kind === 'node';
  return (
    <div className={classes.row}>
      <ConfirmButton
        size="compact-xs"
        variant="default"
        question={`Revoke ${value.name}?`}
        consequence={
          isNode
            ? 'The node is disconnected within seconds. What runs there ends by its own rules.'
            : 'It is refused everywhere within a second, for good. Jobs that it submitted go on.'
        }
        onConfirm={async () => {
          await request('POST /v1/keys/:id/revoke', { params: { id: value.id } });
          await cache.invalidateQueries({ queryKey: [keys] });
        }}
      >
        Revoke
      </ConfirmButton>
    </div>
  );
}
