/** Service accounts: programs with keys of their own, which are replaced without a gap. */
import { TextInput } from '@mantine/core';
import '../../ui/inputs.css';
import { useQueryClient } from '@tanstack/react-query';
import type { Item, Output, Role } from '../../api/contract.ts';
import { request } from '../../api/request.ts';
import { ConfirmButton } from '../../ui/confirm-button.tsx';
import type { Column } from '../../ui/data-table.tsx';
import { StateMark } from '../../ui/state-mark.tsx';
import { Time } from '../../ui/time.tsx';
import classes from './admin.module.css';
import { CreateDialog, textIn } from './create-dialog.tsx';
import { ExpiryField, ProjectField, RoleField } from './fields.tsx';
import { ListPanel } from './list-panel.tsx';
import { ShownOnce } from './shown-once.tsx';
import { useList } from './use-list.ts';

type Account = Item<'GET /v1/service-accounts'>;
type Made = Output<'POST /v1/service-accounts'>;

const accounts = 'GET /v1/service-accounts';

const expiryIn = (form: FormData) => {
  const seconds = textIn(form, 'expires');
  return seconds === undefined ? {} : { expiresInSeconds: Number(seconds) };
};

export function ServiceAccounts() {
  const create = (
    <CreateDialog<Made>
      label="Create a service account"
      submit="Create"
      changes={[accounts]}
      onSubmit={(form) =>
        request('POST /v1/service-accounts', {
          body: {
            name: textIn(form, 'name') ?? '',
            role: textIn(form, 'role') as Role,
            ...(textIn(form, 'project') && { project: textIn(form, 'project') }),
            ...expiryIn(form),
          },
        })
      }
      done={(made) => <ShownOnce value={made.key.secret} what={`The key of ${made.account.name}.`} />}
    >
      <TextInput name="name" label="Name" required data-autofocus />
      <RoleField />
      <ProjectField none="Yours" />
      <ExpiryField />
    </CreateDialog>
  );
  return (
    <ListPanel
      title="Service accounts"
      list={useList(accounts)}
      columns={columns}
      rowId={({ id }) => id}
      rowName={({ name }) => name}
      actions={create}
      empty={{
        why: 'There are none. Give each program an account of its own: its keys can be replaced while it works, and what it does carries its name.',
      }}
    />
  );
}

const columns: readonly Column<Account>[] = [
  { id: 'name', header: 'Name', primary: true, width: 'minmax(140px, 2fr)', cell: ({ name }) => name },
  {
    id: 'state',
    header: 'State',
    cell: ({ state }) => <StateMark tone={state === 'active' ? 'succeeded' : 'cancelled'}>{state}</StateMark>,
  },
  { id: 'role', header: 'Role', cell: ({ role }) => role },
  { id: 'project', header: 'Project', cell: ({ project }) => project.name },
  { id: 'keys', header: 'Keys that work', align: 'end', cell: ({ keys }) => keys.length },
  {
    id: 'seen',
    header: 'Last seen',
    cell: ({ lastSeenAt }) => (lastSeenAt === null ? 'never' : <Time at={lastSeenAt} />),
  },
  {
    id: 'actions',
    header: 'Actions',
    align: 'end',
    width: 'minmax(200px, 1fr)',
    cell: (account) => <Actions account={account} />,
  },
];

function Actions({ account }: { readonly account: Account }) {
  const cache = useQueryClient();
  const params = { id: account.id };
  const again = () => cache.invalidateQueries({ queryKey: [accounts] });
  if (account.state === 'disabled') {
    return (
      <div className={classes.row}>
        <ConfirmButton
          size="compact-xs"
          variant="default"
          question={`Let ${account.name} in again?`}
          consequence="It needs a new key then: replace its key."
          onConfirm={async () => {
            await request('POST /v1/users/:id/enable', { params });
            await again();
          }}
        >
          Enable
        </ConfirmButton>
      </div>
    );
  }
  return (
    <div className={classes.row}>
      <CreateDialog<Made>
        label="Replace key"
        size="compact-xs"
        changes={[accounts]}
        onSubmit={(form) => request('POST /v1/service-accounts/:id/rotate', { params, body: expiryIn(form) })}
        done={(made) => <ShownOnce value={made.key.secret} what="The new key. The one before works for another day." />}
      >
        <ExpiryField />
      </CreateDialog>
      <ConfirmButton
        size="compact-xs"
        variant="default"
        question={`Shut ${account.name} out?`}
        consequence="Its keys are refused within a second, for good. Its jobs go on."
        onConfirm={async () => {
          await request('POST /v1/users/:id/disable', { params });
          await again();
        }}
      >
        Disable
      </ConfirmButton>
    </div>
  );
}
