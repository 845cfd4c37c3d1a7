/** `solyx secrets`: values that jobs get at their start and that nobody is shown again. */
import type { Command } from 'commander';
import { SolyxError } from '../../common/errors/index.ts';
import { collect, connect } from '../connect.ts';
import { note, print, printJson, printTable, relative } from '../output.ts';
import { readBounded } from '../read-bounded.ts';

interface ScopeOptions {
  project?: string;
  json?: boolean;
}

/** Largest value, bytes; the server checks it too. */
const mostBytes = 65_536;

export function secretsCommand(program: Command): void {
  const secrets = program.command('secrets').description('keep secrets that jobs are given at their start');
  const project = ['--project <name>', 'a secret of this project; default: of the tenant, for every project'] as const;
  secrets
    .command('list', { isDefault: true })
    .description('list secrets: names, versions and last use, never values')
    .option(...project)
    .option('--json', 'print JSON')
    .action(list);
  secrets
    .command('set')
    .description('set a secret to what comes on standard input, or is typed unseen; the value before is gone')
    .argument('<name>', 'its name: letters, digits, ".", "_", "-"')
    .option(...project)
    .option('--file <path>', 'take the value from a file, byte for byte')
    .option('--json', 'print JSON')
    .action(set);
  secrets
    .command('rm')
    .description('delete a secret; jobs that ask for it do not start any more')
    .argument('<name>', 'its name')
    .option(...project)
    .option('--json', 'print JSON')
    .action(async (name: string, options: ScopeOptions) => {
      await (await connect()).removeSecret({ params: { name }, query: { project: options.project } });
      if (options.json) printJson({ name, deleted: true });
      else print(`${name}  deleted`);
    });
  secrets
    .command('rotate-key')
    .description('wrap everything by a new key-encryption key, while the server goes on')
    .option('--existing', 'the first key of the key file is the new one already; make none')
    .option('--json', 'print JSON')
    .action(async (options: { existing?: boolean; json?: boolean }) => {
      const client = await connect();
      const done = await client.rotateSecretsKey({ body: { makeKey: !options.existing } }, { timeoutSeconds: 300 });
      if (options.json) return printJson(done);
      print(`${done.keyId}  wraps now; ${done.rewrapped} data keys wrapped anew, ${done.retired} old keys retired`);
      note('Copy the key file to where you keep backups: without it no secret can be opened.');
    });
}

async function list(options: ScopeOptions): Promise<void> {
  const client = await connect();
  const { project } = options;
  const items = await collect((cursor) => client.listSecrets({ query: { limit: 500, cursor, project } }), 10_000);
  if (options.json) return printJson({ items });
  printTable(
    items,
    [
      { title: 'NAME', value: (secret) => secret.name },
      { title: 'PROJECT', value: (secret) => secret.project?.name ?? 'all' },
      { title: 'VERSION', value: (secret) => String(secret.version), align: 'right' },
      { title: 'SET', value: (secret) => relative(secret.updatedAt), align: 'right' },
      { title: 'LAST USED', value: (secret) => relative(secret.lastUsedAt), align: 'right' },
      { title: 'BY', value: (secret) => secret.lastUsedBy ?? '–' },
    ],
    'No secrets. `solyx secrets set <name>` makes one.',
  );
}

async function set(name: string, options: ScopeOptions & { file?: string }): Promise<void> {
  const bytes = await readValue(options.file);
  if (bytes.length === 0) throw new SolyxError('invalid_body', 'The value is empty.');
  if (bytes.length > mostBytes) {
    throw new SolyxError('invalid_body', `The value has more than ${mostBytes} bytes.`);
  }
  const client = await connect();
  const body = { value: bytes.toString('base64'), encoding: 'base64' as const, project: options.project };
  const secret = await client.setSecret({ params: { name }, body });
  if (options.json) return printJson(secret);
  print(`${secret.name}  version ${secret.version}${secret.project ? ` of project ${secret.project.name}` : ''}`);
}

/** From a file as it is; from a pipe or a terminal without the line break that ends it. Never from the command line. */
async function readValue(file: string | undefined): Promise<Buffer> {
  if (file !== undefined) {
    try {
      return readBounded(file, mostBytes);
    } catch (error) {
      throw new SolyxError('invalid_body', { detail: `${file} cannot be read.`, cause: error });
    }
  }
  const { stdin } = process;
  if (!stdin.isTTY) return withoutLineBreak(readBounded(0, mostBytes + 2));
  // Before the question: what is pasted as soon as it shows must not be shown either.
  stdin.setRawMode(true);
  process.stderr.write('value (not shown): ');
  const typed: number[] = [];
  try {
    for await (const part of stdin as AsyncIterable<Buffer>) {
      for (const byte of part) {
        if (byte === 3) throw new SolyxError('bad_request', 'Interrupted; nothing was set.');
        if (byte === 13 || byte === 10 || byte === 4) return Buffer.from(typed);
        if (byte === 127 || byte === 8) typed.pop();
        else typed.push(byte);
      }
    }
    return Buffer.from(typed);
  } finally {
    stdin.setRawMode(false);
    process.stderr.write('\n');
  }
}

function withoutLineBreak(bytes: Buffer): Buffer {
  const end = bytes.at(-1) === 10 ? (bytes.at(-2) === 13 ? -2 : -1) : bytes.length;
  return bytes.subarray(0, end);
}
