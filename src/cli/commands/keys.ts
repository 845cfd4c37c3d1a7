/** `solyx keys`: API keys and join tokens. The secret is shown once, at creation. */
import type { Command } from 'commander';
import type { Client } from '../../common/contract/client.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { oneOf, whole } from '../arguments.ts';
import { collect, connect } from '../connect.ts';
import { note, print, printJson, printTable, relative } from '../output.ts';

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
    .addOption(
      oneOf('--kind <kind>', 'api, or join: a token with which nodes join a site', ['api', 'join']).default('api'),
    )
    .addOption(oneOf('--role <role>', 'what it may do', ['viewer', 'member', 'admin']).default('member'))
    .option('--project <name>', 'project of what it submits')
    .option('--site <id>', 'join: id of the site; not needed where there is only one')
    .option('--uses <n>', 'join: how many nodes may join, 1–10000; default 1', whole(1, 10_000))
    .option('--expires <seconds>', 'seconds until it expires; default: join 86400, api never', whole(1, 31_536_000))
    .option('--json', 'print JSON')
    .action(create);
  keys
    .command('revoke')
    .description('revoke a key; it is refused within a second')
    .argument('<id>', 'id of the key')
    .option('--json', 'print JSON')
    .action(async (id: string, options: { json?: boolean }) => {
      const key = await (await connect()).revokeKey({ params: { id } });
      if (options.json) printJson(key);
      else print(`${key.id}  revoked`);
    });
}

async function create(options: CreateOptions): Promise<void> {
  const client = await connect();
  const siteId = options.site ?? (options.kind === 'join' ? await onlySite(client) : undefined);
  const key = await client.createKey({
    body: {
      name: options.name,
      kind: options.kind,
      role: options.role,
      project: options.project,
      siteId,
      uses: options.uses,
      expiresInSeconds: options.expires,
    },
  });
  if (options.json) return printJson(key);
  print(key.secret);
  note(`${key.id}: keep it now, it is not shown again.`);
}

/** The site that a join token is for when nobody says which. @throws bad_request when there are several */
async function onlySite(client: Client): Promise<string> {
  const { items } = await client.listSites({ query: { limit: 20 } });
  if (items.length === 1) return items[0]!.id;
  const names = items.map((site) => `${site.id} (${site.name})`).join(', ');
  throw new SolyxError('invalid_body', `A join token is for one site; name it with --site: ${names}.`);
}

async function list(options: { json?: boolean }): Promise<void> {
  const client = await connect();
  const items = await collect((cursor) => client.listKeys({ query: { limit: 500, cursor } }), 10_000);
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
