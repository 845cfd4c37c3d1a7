/** `solyx service-accounts`: users for programs, with keys that replace each other without a gap. */
import type { Command } from 'commander';
import type { CallAnswer } from '../../common/contract/client.ts';
import { oneOf, whole } from '../arguments.ts';
import { collect, connect } from '../connect.ts';
import { note, print, printJson, printTable, relative } from '../output.ts';
import { findUser } from '../users.ts';

interface CreateOptions {
  role: 'viewer' | 'member' | 'admin';
  project?: string;
  expires?: number;
  json?: boolean;
}

interface RotateOptions {
  overlap?: number;
  expires?: number;
  json?: boolean;
}

const year = 31_536_000;

export function serviceAccountsCommand(program: Command): void {
  const accounts = program.command('service-accounts').description('users for programs: create, list, rotate, disable');
  accounts
    .command('list', { isDefault: true })
    .description('list service accounts')
    .option('--json', 'print JSON')
    .action(list);
  accounts
    .command('create')
    .description('create one with a key; its secret is shown once')
    .argument('<name>', 'what it is for, like ci')
    .addOption(oneOf('--role <role>', 'what it may do', ['viewer', 'member', 'admin']).default('member'))
    .option('--project <name>', 'project of what it submits')
    .option('--expires <seconds>', 'seconds until its key expires; default never', whole(60, year))
    .option('--json', 'print JSON')
    .action(create);
  accounts
    .command('rotate')
    .description('give it a new key; the ones before go on for a while')
    .argument('<name>', 'name or id')
    .option(
      '--overlap <seconds>',
      'how long keys before still work; 0 revokes them at once; default a day',
      whole(0, 2_592_000),
    )
    .option('--expires <seconds>', 'seconds until the new key expires; default never', whole(60, year))
    .option('--json', 'print JSON')
    .action(rotate);
  accounts
    .command('disable')
    .description('shut it out: its keys end within a second, for good')
    .argument('<name>', 'name or id')
    .option('--json', 'print JSON')
    .action(async (name: string, options: { json?: boolean }) => {
      const client = await connect();
      const account = await client.disableUser({ params: { id: await findUser(client, name) } });
      if (options.json) printJson(account);
      else print(`${account.id}  ${account.name}  ${account.state}`);
    });
}

async function create(name: string, options: CreateOptions): Promise<void> {
  const { role, project, expires } = options;
  const client = await connect();
  told(await client.createServiceAccount({ body: { name, role, project, expiresInSeconds: expires } }), options);
}

async function rotate(name: string, options: RotateOptions): Promise<void> {
  const client = await connect();
  const { overlap, expires } = options;
  const id = await findUser(client, name);
  told(
    await client.rotateServiceAccount({ params: { id }, body: { overlapSeconds: overlap, expiresInSeconds: expires } }),
    options,
  );
}

/** The secret alone on stdout, so that it can be piped to where it belongs. */
function told(made: CallAnswer<'rotateServiceAccount'>, options: { json?: boolean }): void {
  if (options.json) {
    printJson(made);
    return;
  }
  print(made.key.secret);
  note(`${made.key.id}: keep it now, it is not shown again.`);
  for (const key of made.account.keys) {
    if (key.id !== made.key.id) note(`${key.id} goes on until ${key.expiresAt ?? 'it is revoked'}.`);
  }
}

async function list(options: { json?: boolean }): Promise<void> {
  const client = await connect();
  const items = await collect((cursor) => client.listServiceAccounts({ query: { limit: 500, cursor } }), 100_000);
  if (options.json) return printJson({ items });
  printTable(
    items,
    [
      { title: 'ID', value: (account) => account.id },
      { title: 'NAME', value: (account) => account.name },
      { title: 'ROLE', value: (account) => account.role },
      { title: 'STATE', value: (account) => account.state },
      { title: 'KEYS', value: (account) => String(account.keys.length), align: 'right' },
      { title: 'LAST SEEN', value: (account) => relative(account.lastSeenAt), align: 'right' },
    ],
    'No service accounts. `solyx service-accounts create ci` makes one.',
  );
}
