/** `solyx audit`: who did what to whom, and whether the record of it is whole. */
import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { isSignatureRight, type SignedHead } from '../../common/audit/signature.ts';
import { ChainCheck, type LinkedEntry } from '../../common/audit/verify.ts';
import type { Client } from '../../common/contract/client.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { replaceFile } from '../../common/replace-file.ts';
import { whole } from '../arguments.ts';
import { collect, connect } from '../connect.ts';
import { exitCodes } from '../exit-codes.ts';
import { note, print, printJson, printTable, toJson } from '../output.ts';

interface FilterOptions {
  actor?: string;
  action?: string;
  subject?: string;
  since?: string;
  until?: string;
}

export function auditCommand(program: Command): void {
  const audit = program.command('audit').description('read the audit log, export it, and check that it is whole');
  const filters = (command: Command): Command =>
    command
      .option('--actor <id>', 'what this key or user did')
      .option('--action <name>', 'an action or its beginning, like node.')
      .option('--subject <id>', 'what was done to this')
      .option('--since <instant>', 'from this instant, ISO 8601')
      .option('--until <instant>', 'before this instant, ISO 8601');
  filters(audit.command('list', { isDefault: true }).description('list the newest entries'))
    .option('--limit <n>', 'how many, 1–10000; default 50', whole(1, 10_000), 50)
    .option('--json', 'print JSON')
    .action(list);
  filters(audit.command('export').description('print every entry as a line of JSON, oldest first'))
    .option('--json', 'print JSON, as it does anyhow')
    .action(exportAll);
  audit
    .command('verify')
    .description('compute the chain of hashes anew and compare it with the signed heads; 1 when something is wrong')
    .option(
      '--anchor <file>',
      'compare with the head that this file keeps from the last time, and keep the new one there',
    )
    .option('--file <file>', 'check an exported file instead of the server’s entries')
    .option('--json', 'print JSON')
    .action(verify);
}

async function list(options: FilterOptions & { limit: number; json?: boolean }): Promise<void> {
  const client = await connect();
  const { limit, json, ...filter } = options;
  const page = Math.min(limit, 500);
  const items = await collect((cursor) => client.listAudit({ query: { ...filter, limit: page, cursor } }), limit);
  if (json) return printJson({ items });
  printTable(
    items,
    [
      { title: '#', value: (entry) => String(entry.sequence), align: 'right' },
      { title: 'WHEN', value: (entry) => entry.at },
      { title: 'WHO', value: (entry) => (entry.actorKind === 'system' ? `system: ${entry.actor}` : entry.actor) },
      { title: 'DID', value: (entry) => entry.action },
      { title: 'TO', value: (entry) => entry.subject },
      { title: 'FROM', value: (entry) => entry.address ?? '–' },
    ],
    'Nothing was recorded.',
  );
}

async function exportAll({ json: _, ...filter }: FilterOptions & { json?: boolean }): Promise<void> {
  const client = await connect();
  for await (const entry of entriesOf(client, filter)) print(toJson(entry));
}

async function* entriesOf(client: Client, filter: FilterOptions = {}): AsyncGenerator<LinkedEntry> {
  let cursor: string | undefined;
  do {
    const page = await client.listAudit({ query: { ...filter, order: 'oldest', limit: 500, cursor } });
    yield* page.items;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

async function verify(options: { anchor?: string; file?: string; json?: boolean }): Promise<void> {
  const anchor = options.anchor === undefined ? undefined : readAnchor(options.anchor);
  const check = new ChainCheck();
  if (anchor) check.expect(anchor, 'anchor file');
  const server = options.file === undefined ? await connect() : undefined;
  // The head first: entries that come in while we read are behind it.
  const head = await server?.getAuditHead();
  const badSeal = server && head ? await expectSeals(check, server, head, anchor?.publicKey) : undefined;
  const entries = server ? entriesOf(server) : linesOf(options.file!);
  for await (const entry of entries) if (!check.take(entry)) break;
  check.end();
  // Nothing is not a log in which nothing is wrong.
  if (options.file !== undefined && check.sequence === 0 && check.fault === undefined) {
    throw new SolyxError('bad_request', `${options.file} holds no entry; expected a file of \`solyx audit export\`.`);
  }
  const fault = check.fault ?? badSeal;
  if (!fault && head && options.anchor !== undefined) {
    await replaceFile(options.anchor, `${JSON.stringify(head)}\n`, 0o600);
  }
  if (fault) process.exitCode = exitCodes.failed.code;
  if (options.json) return printJson({ entries: check.sequence, head: check.hash, fault: fault ?? null });
  if (fault) {
    print(`broken at ${fault.sequence} (${fault.kind}): ${fault.message}`);
    note(
      'Entries before that are right. Compare with an exported file or an anchor of your own, and find out who had access.',
    );
    return;
  }
  print(`${check.sequence} entries verified; the newest has hash ${check.hash}`);
  if (options.anchor === undefined && !options.file) {
    note(
      'With --anchor FILE, kept on another machine, entries that are cut off the end are noticed the next time, too.',
    );
  }
}

/** Takes the server's signed heads as known. @returns what is wrong with them themselves */
async function expectSeals(check: ChainCheck, client: Client, head: SignedHead, pinned: string | undefined) {
  const key = pinned ?? head.publicKey;
  const wrong = (sequence: number, message: string) => ({ sequence, kind: 'rewritten' as const, message });
  if (head.publicKey !== key) return wrong(1, 'the server signs by another key than the one in the anchor file');
  if (!isSignatureRight(head))
    return wrong(head.sequence, 'the head that the server answered is not signed by its key');
  if (head.sequence > 0) check.expect(head, 'head of the log');
  const seals = await collect((cursor) => client.listAuditSeals({ query: { limit: 500, cursor } }), 1_000_000);
  for (const seal of seals) {
    if (seal.publicKey !== key || !isSignatureRight(seal)) {
      return wrong(seal.sequence, `the seal of entry ${seal.sequence} was not made by this server’s key`);
    }
    check.expect(seal, 'seal');
  }
  return undefined;
}

function readAnchor(file: string): SignedHead | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const head = JSON.parse(readFileSync(file, 'utf8')) as SignedHead;
    if (!isSignatureRight(head)) throw new Error('its signature is wrong');
    return head;
  } catch (error) {
    throw new SolyxError('bad_request', { detail: `${file} keeps no head: ${(error as Error).message}`, cause: error });
  }
}

function* linesOf(file: string): Generator<LinkedEntry> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new SolyxError('bad_request', { detail: `${file} cannot be read.`, cause: error });
  }
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue;
    try {
      yield JSON.parse(line) as LinkedEntry;
    } catch (error) {
      throw new SolyxError('bad_request', { detail: `${file}, line ${index + 1} is no JSON.`, cause: error });
    }
  }
}
