/** The audit log by the command line: what is in it, that it verifies, and what is said when somebody changed it in the database. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LinkedEntry } from '../../src/common/audit/index.ts';
import { withClient } from '../../src/common/database/connection.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'solyx-audit-'));
let database: TestDatabase;
let product: Product;

beforeAll(async () => {
  database = await createTestDatabase();
  product = new Product({ env: { SOLYX_DATABASE_URL: database.url } });
  await product.up();
}, 120_000);
afterAll(async () => {
  await product.dispose();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const entries = async () => (await product.json<{ items: LinkedEntry[] }>(['audit', 'list', '--limit', '500'])).items;
const tamper = (sql: string) =>
  withClient(database.admin, async (client) => {
    await client.query('set session_replication_role = replica');
    await client.query(sql);
  });

it('holds what was done, by whom and from where, newest first, and finds by actor and beginning of the action', async () => {
  const key = await product.json<{ id: string }>(['keys', 'create', '--name', 'ci']);
  await product.ok(['keys', 'revoke', key.id]);
  const { items: nodes } = await until('the local node is there', async () => {
    const list = await product.json<{ items: { id: string }[] }>(['nodes']);
    return list.items.length > 0 ? list : undefined;
  });
  await product.ok(['nodes', 'cordon', nodes[0]!.id]);
  await product.ok(['nodes', 'uncordon', nodes[0]!.id]);
  const job = await product.ok(['submit', '-'], { input: JSON.stringify({ name: 'x', command: ['sleep', '60'] }) });
  await product.ok(['cancel', job]);
  const all = await entries();
  const actions = all.map(({ action }) => action);
  for (const action of [
    'key.created',
    'key.revoked',
    'node.joined',
    'node.cordoned',
    'node.uncordoned',
    'job.cancelled',
  ]) {
    expect(actions).toContain(action);
  }
  expect(all.map(({ sequence }) => sequence)).toEqual(all.map((_, index) => all.length - index));
  expect(all.find(({ action }) => action === 'key.revoked')).toMatchObject({ subject: key.id, address: '127.0.0.1' });
  const found = await product.json<{ items: LinkedEntry[] }>(['audit', 'list', '--action', 'node.']);
  expect(new Set(found.items.map(({ action }) => action))).toEqual(
    new Set(['node.joined', 'node.cordoned', 'node.uncordoned']),
  );
  expect(await product.ok(['audit', 'list', '--subject', job])).toContain('job.cancelled');
}, 60_000);

it('verifies, by the server’s entries, by an exported file, and against a head that was kept', async () => {
  const anchor = join(folder, 'head.json');
  expect(await product.ok(['audit', 'verify', '--anchor', anchor])).toMatch(/^\d+ entries verified/);
  expect(JSON.parse(readFileSync(anchor, 'utf8')).signature).toBeTruthy();
  const file = join(folder, 'audit.jsonl');
  writeFileSync(file, `${await product.ok(['audit', 'export'])}\n`);
  expect(await product.ok(['audit', 'verify', '--file', file, '--anchor', anchor])).toContain('verified');
  const empty = join(folder, 'empty.jsonl');
  writeFileSync(empty, '\n');
  const nothing = await product.run(['audit', 'verify', '--file', empty]);
  expect(nothing.code).not.toBe(0);
  expect(nothing.stderr).toContain('holds no entry');
  const lines = readFileSync(file, 'utf8').split('\n');
  writeFileSync(
    file,
    [...lines.slice(0, 2), lines[2]!.replace('"action":"', '"action":"x'), ...lines.slice(3)].join('\n'),
  );
  const result = await product.run(['audit', 'verify', '--file', file]);
  expect(result.code).toBe(1);
  expect(result.stdout).toContain('broken at 3 (altered)');
}, 60_000);

it('says where it is broken once somebody changed an entry in the database, and where it was cut', async () => {
  const anchor = join(folder, 'head.json');
  await product.ok(['audit', 'verify', '--anchor', anchor]);
  await tamper(`delete from audit_entries where sequence = (select max(sequence) from audit_entries)`);
  await tamper(
    `update audit_heads h set sequence = e.sequence, hash = e.hash from audit_entries e
     where e.tenant = h.tenant and e.sequence = (select max(sequence) from audit_entries where tenant = h.tenant)`,
  );
  await tamper('delete from audit_seals');
  expect((await product.run(['audit', 'verify'])).code).toBe(0);
  const cut = await product.run(['audit', 'verify', '--anchor', anchor]);
  expect(cut.code).toBe(1);
  expect(cut.stdout).toMatch(/broken at \d+ \(cut\).*anchor file/);
  await tamper(`update audit_entries set actor = 'somebody else' where sequence = 2`);
  const changed = await product.run(['audit', 'verify', '--json']);
  expect(changed.code).toBe(1);
  expect(JSON.parse(changed.stdout).fault).toMatchObject({ sequence: 2, kind: 'altered' });
}, 60_000);
