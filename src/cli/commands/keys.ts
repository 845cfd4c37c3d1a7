/** `solyx keys`: API keys and join tokens. The secret is shown once, at creation. */
import type { Command } from 'commander';
import { collect, connect } from '../connect.ts';
import { note, print, printJson, printTable, relative } from '../output.ts';
import { toCount } from './jobs.ts';

interface CreateOptions {
  name: string;
  kind: 'api' | 'join';
  role: 'admin' | 'member' | 'viewer';
  project?: string;
  site?: string;
  uses?: number;
  expires?: number;
  json?: boolean;
}

export function keysCommand(program: Command): void {
  const keys = program.command('keys').description('create, list or revoke API keys and join tokens');
  keys.command('list', { isDefault: true }).description('list keys').option('--json', 'print JSON').action(list);
  keys
    .command('create')
    .description('create a key; its secret is shown once')
    .requiredOption('--name <name>', 'what it is for')
    .option('--kind <kind>', 'api, or join: a token with which nodes join a site', 'api')
    .option('--role <role>', 'viewer, member or admin', 'member')
    .option('--project <name>', 'project of what it submits')
    .option('--site <id>', 'join: id of the site')
    .option('--uses <n>', 'join: how many nodes may join', toCount)
    .option('--expires <seconds>', 'seconds until it expires', Number)
    .option('--json', 'print JSON')
    .action(create);
  keys
    .command('revoke')
    .description('revoke a key; it is refused within a second')
    .argument('<id>', 'id of the key')
    .option('--json', 'print JSON')
    .action(async (id: string, options: { json?: boolean }) => {
      const key = await connect().revokeKey({ params: { id } });
      if (options.json) printJson(key);
      else print(`${key.id}  revoked`);
    });
}

async function create(options: CreateOptions): Promise<void> {
  const key = await connect().createKey({
    body: {
      name: options.name,
      kind: options.kind,
      role: options.role,
      project: options.project,
      siteId: options.site as never,
      uses: options.uses,
      expiresInSeconds: options.expires,
    },
  });
  if (options.json) return printJson(key);
  print(key.secret);
  note(`${key.id}: keep it now, it is not shown again.`);
}

async function list(options: { json?: boolean }): Promise<void> {
  const client = connect();
  const items = await collect((cursor) => client.listKeys({ query: { cursor } }), 10_000);
  if (options.json) return printJson({ items });
  printTable(
    items,
    [
      { title: 'ID', value: (key) => key.id },
      { title: 'NAME', value: (key) => key.name },
      { title: 'KIND', value: (key) => key.kind },
      { title: 'ROLE', value: (key) => (key.kind === 'api' ? key.role : '–') },
      { title: 'PROJECT', value: (key) => key.project.name },
      { title: 'STATUS', value: (key) => (key.revokedAt ? 'revoked' : 'valid') },
      { title: 'EXPIRES', value: (key) => relative(key.expiresAt), align: 'right' },
      { title: 'LAST USED', value: (key) => relative(key.lastUsedAt), align: 'right' },
    ],
    'No keys.',
  );
}
