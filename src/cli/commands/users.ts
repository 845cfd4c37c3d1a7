/** `solyx users`: the people of the tenant. */
import { Argument, type Command } from 'commander';
import type { CallAnswer, Client } from '../../common/contract/client.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { oneOf } from '../arguments.ts';
import { collect, connect, serverUrl } from '../connect.ts';
import { note, print, printJson, printTable, relative } from '../output.ts';
import { findUser } from '../users.ts';

type Role = 'viewer' | 'member' | 'admin';
type Invitation = CallAnswer<'inviteUser'>;

interface InviteOptions {
  name?: string;
  role?: Role;
  project?: string;
  link?: boolean;
  json?: boolean;
}

export function usersCommand(program: Command): void {
  const users = program.command('users').description('list, invite or shut out the people of the tenant');
  const roles: Role[] = ['viewer', 'member', 'admin'];
  users.command('list', { isDefault: true }).description('list people').option('--json', 'print JSON').action(list);
  users
    .command('invite')
    .description('invite a person by a link that works once, within seven days; an open invitation is renewed')
    .argument('<email>', 'e-mail address')
    .option('--name <name>', 'how she is called')
    .addOption(oneOf('--role <role>', 'what she may do; default: member', roles))
    .option('--project <name>', 'project of what she submits')
    .option('--link', 'print the link even where the server can send e-mail')
    .option('--json', 'print JSON')
    .action(invite);
  users
    .command('role')
    .description('change what a person or service account may do; it counts within a second')
    .argument('<user>', 'e-mail address, name of a service account, or id')
    .addArgument(new Argument('<role>', 'new role').choices(roles))
    .option('--json', 'print JSON')
    .action(async (user: string, role: Role, options: { json?: boolean }) => {
      const client = await connect();
      done(await client.updateUser({ params: { id: await findUser(client, user) }, body: { role } }), options);
    });
  for (const [name, words, call] of [
    ['disable', 'shut a user out: sessions, keys and invitation end within a second, for good', 'disableUser'],
    ['enable', 'let a user in again; keys and invitations have to be made anew', 'enableUser'],
  ] as const) {
    users
      .command(name)
      .description(words)
      .argument('<user>', 'e-mail address, name of a service account, or id')
      .option('--json', 'print JSON')
      .action(async (user: string, options: { json?: boolean }) => {
        const client = await connect();
        done(await client[call]({ params: { id: await findUser(client, user) } }), options);
      });
  }
}

function done(user: CallAnswer<'updateUser'>, options: { json?: boolean }): void {
  if (options.json) printJson(user);
  else print(`${user.id}  ${user.email ?? user.name}  ${user.role}, ${user.state}`);
}

async function invite(email: string, options: InviteOptions): Promise<void> {
  const client = await connect();
  const deliver = options.link ? ('link' as const) : undefined;
  const { name, role, project } = options;
  const wanted = email.toLowerCase();
  const people = await collect((cursor) => client.listUsers({ query: { limit: 500, cursor } }), 100_000);
  const known = people.find((person) => person.email === wanted);
  const invitation: Invitation =
    known === undefined
      ? await client.inviteUser({ body: { email, name, role: role ?? 'member', project, deliver } })
      : await renew(client, known, options);
  const url = invitation.link && `${await serverUrl()}${invitation.link.path}`;
  if (options.json) return printJson({ ...invitation, url });
  if (url) {
    print(url);
    note(`Hand it to ${invitation.user.email}: it works once, until ${invitation.link!.expiresAt}.`);
  } else if (invitation.sent)
    print(`${invitation.user.id}  invited; an e-mail is on its way to ${invitation.user.email}`);
  else note('The e-mail could not be sent; see the log of the server. `solyx users invite … --link` prints the link.');
}

/** Invites once more, as what is said now: an invitation keeps no role that somebody has just said otherwise. */
async function renew(client: Client, known: Invitation['user'], options: InviteOptions): Promise<Invitation> {
  const { name, role, project } = options;
  if (project !== undefined && project !== known.project.name) {
    throw new SolyxError('conflict', `${known.email} was invited to project ${known.project.name}.`);
  }
  const params = { id: known.id };
  if (known.state === 'invited' && (name !== undefined || role !== undefined)) {
    await client.updateUser({ params, body: { name, role } });
  }
  return client.renewInvitation({ params, body: { deliver: options.link ? 'link' : undefined } });
}

async function list(options: { json?: boolean }): Promise<void> {
  const client = await connect();
  const items = await collect((cursor) => client.listUsers({ query: { limit: 500, cursor } }), 100_000);
  if (options.json) return printJson({ items });
  printTable(
    items,
    [
      { title: 'ID', value: (user) => user.id },
      { title: 'NAME', value: (user) => user.name },
      { title: 'E-MAIL', value: (user) => user.email ?? '–' },
      { title: 'ROLE', value: (user) => user.role },
      { title: 'STATE', value: (user) => user.state },
      { title: 'LAST SEEN', value: (user) => relative(user.lastSeenAt), align: 'right' },
    ],
    'No users yet. `solyx users invite ada@example.com` makes one; until then API keys are all there is.',
  );
}
