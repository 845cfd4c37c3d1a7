/** People of the tenant: who they are, what they may do, inviting and shutting out. */
import { Select, Text, TextInput } from '@mantine/core';
import '../../ui/inputs.css';
import '../../ui/overlays.css';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { Item, Output, Role } from '../../api/contract.ts';
import { asProblem, type Problem } from '../../api/problem.ts';
import { request } from '../../api/request.ts';
import { ConfirmButton } from '../../ui/confirm-button.tsx';
import type { Column } from '../../ui/data-table.tsx';
import { StateMark, type Tone } from '../../ui/state-mark.tsx';
import { Time } from '../../ui/time.tsx';
import classes from './admin.module.css';
import { CreateDialog, textIn } from './create-dialog.tsx';
import { ProjectField, RoleField } from './fields.tsx';
import { ListPanel } from './list-panel.tsx';
import { ShownOnce } from './shown-once.tsx';
import { useList } from './use-list.ts';

type User = Item<'GET /v1/users'>;
type Invitation = Output<'POST /v1/users'>;

const users = 'GET /v1/users';
const tones: Readonly<Record<User['state'], Tone>> = { active: 'succeeded', invited: 'waiting', disabled: 'cancelled' };

export function People() {
  const list = useList(users);
  const invite = (
    <CreateDialog<Invitation>
      label="Invite a person"
      submit="Invite"
      changes={[users]}
      onSubmit={(form) =>
        request('POST /v1/users', {
          body: {
            email: textIn(form, 'email') ?? '',
            role: textIn(form, 'role') as Role,
            ...(textIn(form, 'name') && { name: textIn(form, 'name') }),
            ...(textIn(form, 'project') && { project: textIn(form, 'project') }),
          },
        })
      }
      done={(made) => <Invited invitation={made} />}
    >
      <TextInput name="email" label="E-mail address" type="email" required data-autofocus />
      <TextInput name="name" label="Name" placeholder="What stands before the @" />
      <RoleField />
      <ProjectField none="Yours" />
    </CreateDialog>
  );
  return (
    <ListPanel
      title="People"
      list={list}
      columns={columns}
      rowId={({ id }) => id}
      rowName={({ name }) => name}
      actions={invite}
      empty={{
        why: 'Nobody has been invited: everybody signs in by API keys. People sign in by a link or your OpenID provider, and what they do carries their name.',
      }}
    />
  );
}

function Invited({ invitation }: { readonly invitation: Invitation }) {
  const { user, sent, link } = invitation;
  if (link === null) return <Text size="sm">An invitation was sent to {user.email}. It is valid for seven days.</Text>;
  return (
    <ShownOnce
      value={new URL(link.path, location.origin).href}
      what={`${sent ? 'An e-mail was sent, and this is the same link.' : 'Hand this link to the person.'} It works once.`}
    />
  );
}

const columns: readonly Column<User>[] = [
  { id: 'name', header: 'Name', primary: true, width: 'minmax(140px, 2fr)', cell: ({ name }) => name },
  { id: 'email', header: 'E-mail', width: 'minmax(180px, 2fr)', cell: ({ email }) => email ?? '–' },
  { id: 'state', header: 'State', cell: ({ state }) => <StateMark tone={tones[state]}>{state}</StateMark> },
  { id: 'role', header: 'Role', width: '128px', cell: (user) => <RoleCell user={user} /> },
  { id: 'project', header: 'Project', cell: ({ project }) => project.name },
  {
    id: 'seen',
    header: 'Last seen',
    cell: ({ lastSeenAt }) => (lastSeenAt === null ? 'never' : <Time at={lastSeenAt} />),
  },
  {
    id: 'actions',
    header: 'Actions',
    width: 'minmax(180px, 1fr)',
    align: 'end',
    cell: (user) => <UserActions user={user} />,
  },
];

function RoleCell({ user }: { readonly user: User }) {
  const cache = useQueryClient();
  const [problem, setProblem] = useState<Problem | null>(null);
  const change = async (role: Role) => {
    setProblem(null);
    await request('PATCH /v1/users/:id', { params: { id: user.id }, body: { role } }).catch((error) =>
      setProblem(asProblem(error)),
    );
    await cache.invalidateQueries({ queryKey: [users] });
  };
  return (
    <Select
      size="xs"
      aria-label={`Role of ${user.name}`}
      value={user.role}
      allowDeselect={false}
      data={['viewer', 'member', 'admin']}
      error={problem?.title}
      onChange={(role) => role !== null && void change(role as Role)}
    />
  );
}

function UserActions({ user }: { readonly user: User }) {
  const cache = useQueryClient();
  const params = { id: user.id };
  const again = () => cache.invalidateQueries({ queryKey: [users] });
  return (
    <div className={classes.row}>
      {user.state === 'invited' && (
        <CreateDialog<Invitation>
          label="Invite again"
          size="compact-xs"
          changes={[users]}
          onSubmit={() => request('POST /v1/users/:id/invitation', { params, body: {} })}
          done={(made) => <Invited invitation={made} />}
        >
          <Text size="sm">{user.name} gets a new link. The earlier one stops working.</Text>
        </CreateDialog>
      )}
      {user.state === 'disabled' ? (
        <ConfirmButton
          size="compact-xs"
          variant="default"
          question={`Let ${user.name} in again?`}
          consequence="New keys, sessions and invitations have to be made."
          onConfirm={async () => {
            await request('POST /v1/users/:id/enable', { params });
            await again();
          }}
        >
          Enable
        </ConfirmButton>
      ) : (
        <ConfirmButton
          size="compact-xs"
          variant="default"
          question={`Shut ${user.name} out?`}
          consequence="Sessions, keys and invitations end within a second, for good. Jobs go on."
          onConfirm={async () => {
            await request('POST /v1/users/:id/disable', { params });
            await again();
          }}
        >
          Disable
        </ConfirmButton>
      )}
    </div>
  );
}
