/** `solyx users`: the people of the tenant. */
import { Argument, type Command } from 'commander';
import type { CallAnswer } from '../../common/contract/client.ts';
import { oneOf } from '../arguments.ts';
import { collect, connect, serverUrl } from '../connect.ts';
import { note, print, printJson, printTable, relative } from '../output.ts';
import { findUser } from '../users.ts';

type Role = 'viewer' | 'member' | 'admin';
type Invitation = CallAnswer<'inviteUser'>;

interface InviteOptions {
  name?: string;
  role: Role;
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
    .addOption(oneOf('--role <role>', 'what she may do', roles).default('member'))
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
  const known = await findUser(client, email).catch(() => undefined);
  const invitation: Invitation =
    known === undefined
      ? await client.inviteUser({ body: { email, name, role, project, deliver } })
      : await client.renewInvitation({ params: { id: known }, body: { deliver } });
  const url = invitation.link && `${await serverUrl()}${invitation.link.path}`;
  if (options.json) return printJson({ ...invitation, url });
  if (url) {
    print(url);
    note(`Hand it to ${invitation.user.email}: it works once, until ${invitation.link!.expiresAt}.`);
  } else if (invitation.sent)
    print(`${invitation.user.id}  invited; an e-mail is on its way to ${invitation.user.email}`);
  else note('The e-mail could not be sent; see the log of the server. `solyx users invite … --link` prints the link.');
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
