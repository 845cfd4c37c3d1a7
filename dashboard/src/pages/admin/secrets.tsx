/** Secrets: values that jobs are given at their start. They go in here and never come out. */
import { PasswordInput, Text, TextInput } from '@mantine/core';
import '../../ui/inputs.css';
import '@mantine/core/styles/PasswordInput.layer.css';
import { useQueryClient } from '@tanstack/react-query';
import type { Item } from '../../api/contract.ts';
import { request } from '../../api/request.ts';
import { ConfirmButton } from '../../ui/confirm-button.tsx';
import type { Column } from '../../ui/data-table.tsx';
import { Time } from '../../ui/time.tsx';
import classes from './admin.module.css';
import { CreateDialog, textIn } from './create-dialog.tsx';
import { ProjectField } from './fields.tsx';
import { ListPanel } from './list-panel.tsx';
import { useList } from './use-list.ts';

type Secret = Item<'GET /v1/secrets'>;

const secrets = 'GET /v1/secrets';

function setSecret(form: FormData, name: string, project: string | undefined) {
  return request('PUT /v1/secrets/:name', {
    params: { name },
    body: { value: textIn(form, 'value') ?? '', ...(project !== undefined && { project }) },
  });
}

export function Secrets() {
  return (
    <ListPanel
      title="Secrets"
      list={useList(secrets)}
      columns={columns}
      rowId={({ id }) => id}
      rowName={({ name }) => name}
      empty={{
        why: 'There are no secrets. A job asks for one by name and gets it as a file or a variable when it starts; nobody can read it here.',
        action: <code>solyx secrets set hugging-face-token</code>,
      }}
      actions={
        <CreateDialog
          label="Set a secret"
          submit="Set"
          changes={[secrets]}
          onSubmit={(form) => setSecret(form, textIn(form, 'name') ?? '', textIn(form, 'project'))}
        >
          <TextInput name="name" label="Name" required data-autofocus />
          <PasswordInput name="value" label="Value" required autoComplete="off" />
          <ProjectField none="All projects of the tenant" />
        </CreateDialog>
      }
    />
  );
}

const columns: readonly Column<Secret>[] = [
  { id: 'name', header: 'Name', primary: true, width: 'minmax(140px, 2fr)', cell: ({ name }) => name },
  { id: 'project', header: 'Project', cell: ({ project }) => project?.name ?? 'all' },
  { id: 'version', header: 'Version', align: 'end', width: '80px', cell: ({ version }) => version },
  { id: 'updated', header: 'Set', cell: ({ updatedAt }) => <Time at={updatedAt} /> },
  {
    id: 'used',
    header: 'Last used',
    cell: ({ lastUsedAt }) => (lastUsedAt === null ? 'never' : <Time at={lastUsedAt} />),
  },
  {
    id: 'actions',
    header: 'Actions',
    align: 'end',
    width: 'minmax(180px, 1fr)',
    cell: (secret) => <Actions secret={secret} />,
  },
];

function Actions({ secret }: { readonly secret: Secret }) {
  const cache = useQueryClient();
  const project = secret.project?.name;
  return (
    <div className={classes.row}>
      <CreateDialog
        label="Replace"
        size="compact-xs"
        changes={[secrets]}
        onSubmit={(form) => setSecret(form, secret.name, project)}
      >
        <Text size="sm">Jobs that start from now on get the new value of {secret.name}. The old one is gone.</Text>
        <PasswordInput name="value" label="New value" required autoComplete="off" data-autofocus />
      </CreateDialog>
      <ConfirmButton
        size="compact-xs"
        variant="default"
        question={`Delete ${secret.name}?`}
        consequence="It cannot be brought back. Jobs that ask for it do not start any more."
        typing={secret.name}
        onConfirm={async () => {
          await request('DELETE /v1/secrets/:name', {
            params: { name: secret.name },
            query: project === undefined ? {} : { project },
          });
          await cache.invalidateQueries({ queryKey: [secrets] });
        }}
      >
        Delete
      </ConfirmButton>
    </div>
  );
}
