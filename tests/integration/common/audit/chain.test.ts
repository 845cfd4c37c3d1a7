import { afterAll, beforeAll, expect, test } from 'vitest';
import { canonicalJson, chainHash, recordAudit, zeroHash } from '../../../../src/common/audit/index.ts';
import { withSystem, withTenant } from '../../../../src/common/database/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const principal = (tenant: string) =>
  ({
    keyId: 'key_1',
    role: 'admin',
    operator: false,
    tenant: { id: tenant, name: tenant },
    project: { id: 'prj_1', name: 'default' },
    user: null,
  }) as const;

interface Row {
  tenant: string;
  sequence: bigint;
  at: Date;
  actor_kind: string;
  actor: string;
  key_id: string | null;
  action: string;
  subject: string;
  address: string | null;
  request_id: string | null;
  data: string;
  previous: Buffer;
  hash: Buffer;
}

const entriesOf = (tenant: string) =>
  withTenant(
    database.db,
    tenant,
    async (tx) => (await tx.query<Row>('select * from audit_entries order by sequence')).rows,
  );

function hashOf(row: Row): string {
  return chainHash(row.previous.toString('hex'), {
    tenant: row.tenant,
    sequence: Number(row.sequence),
    at: row.at.toISOString(),
    actorKind: row.actor_kind,
    actor: row.actor,
    keyId: row.key_id,
    action: row.action,
    subject: row.subject,
    address: row.address,
    requestId: row.request_id,
    data: JSON.parse(row.data),
  });
}

test('each entry holds the hash of the one before, and both sides compute the same hash', async () => {
  for (let n = 1; n <= 3; n += 1) {
    await withTenant(database.db, 'a', (tx) =>
      recordAudit(tx, {
        principal: principal('a'),
        action: 'key.created',
        subject: `key_${n}`,
        data: { z: n, a: { ü: '𝄞', list: [1, null, 'x\ny'] }, b: 1e21 },
        request: { ip: '::ffff:127.0.0.1', id: 'req_1' },
      }),
    );
  }
  const rows = await entriesOf('a');
  expect(rows.map(({ sequence }) => sequence)).toEqual([1n, 2n, 3n]);
  let previous = zeroHash;
  for (const row of rows) {
    expect(row.previous.toString('hex')).toBe(previous);
    previous = hashOf(row);
    expect(row.hash.toString('hex')).toBe(previous);
  }
});

test('writers at once get one chain without gaps, each tenant its own', async () => {
  const writes = Array.from({ length: 60 }, (_, n) =>
    withTenant(database.db, n % 3 === 0 ? 'busy' : 'busier', (tx) =>
      recordAudit(tx, { principal: principal(n % 3 === 0 ? 'busy' : 'busier'), action: 'x.y', subject: `s${n}` }),
    ),
  );
  await Promise.all(writes);
  for (const [tenant, count] of [
    ['busy', 20],
    ['busier', 40],
  ] as const) {
    const rows = await entriesOf(tenant);
    expect(rows.map(({ sequence }) => Number(sequence))).toEqual(Array.from({ length: count }, (_, n) => n + 1));
    expect(rows.every((row) => hashOf(row) === row.hash.toString('hex'))).toBe(true);
  }
});

test('an action that is rolled back leaves neither an entry nor a gap', async () => {
  const record = (tx: Parameters<typeof recordAudit>[0]) =>
    recordAudit(tx, { system: 'test', tenant: 'gaps', action: 'x.y', subject: 's' });
  await withSystem(database.db, record);
  await expect(
    withSystem(database.db, async (tx) => {
      await record(tx);
      throw new Error('no');
    }),
  ).rejects.toThrow('no');
  await withSystem(database.db, record);
  expect((await entriesOf('gaps')).map(({ sequence }) => sequence)).toEqual([1n, 2n]);
});

test('no login of the product can change or delete an entry', async () => {
  await withTenant(database.db, 'kept', (tx) =>
    recordAudit(tx, { principal: principal('kept'), action: 'x.y', subject: 's' }),
  );
  for (const sql of [
    `update audit_entries set subject = 'other' where tenant = 'kept'`,
    `delete from audit_entries where tenant = 'kept'`,
    `delete from audit_heads where tenant = 'kept'`,
    `update audit_heads set sequence = 0 where tenant = 'kept'`,
    'truncate audit_entries',
  ]) {
    await expect(
      withTenant(database.db, 'kept', (tx) => tx.query(sql)),
      sql,
    ).rejects.toThrow();
    await expect(
      withSystem(database.db, (tx) => tx.query(sql)),
      sql,
    ).rejects.toThrow();
  }
  expect(await entriesOf('kept')).toHaveLength(1);
});

test('a tenant neither reads nor writes the log of another', async () => {
  await expect(
    withTenant(database.db, 'thief', (tx) =>
      recordAudit(tx, { system: 'x', tenant: 'kept', action: 'x.y', subject: 's' }),
    ),
  ).rejects.toThrow();
  expect((await entriesOf('thief')).length).toBe(0);
});

test('hostile texts become bounded entries that still verify', async () => {
  const deep = JSON.parse(`${'{"d":'.repeat(50)}1${'}'.repeat(50)}`);
  const hostile = [
    { subject: 'a\nb\u0000c\u202e', data: { '\u0000': '\ud800', big: 'x'.repeat(1e6), name: 'kept' } },
    { subject: '', data: { many: Array.from({ length: 1e5 }, () => 'y'.repeat(500)) } },
    { subject: 'x'.repeat(1e5), data: { deep, infinity: Number.POSITIVE_INFINITY, undef: undefined } },
  ];
  for (const record of hostile) {
    await withTenant(database.db, 'hostile', (tx) =>
      recordAudit(tx, {
        principal: principal('hostile'),
        action: 'x.y',
        ...record,
        request: { ip: '1\n2', id: 'r\n' },
      }),
    );
  }
  const rows = await entriesOf('hostile');
  expect(rows).toHaveLength(3);
  // One long text takes no room from the others.
  expect(JSON.parse(rows[0]!.data).name).toBe('kept');
  for (const row of rows) {
    expect(row.data.length).toBeLessThanOrEqual(8_192);
    expect(`${row.subject}${row.actor}${row.request_id}`).not.toMatch(/[^\x20-\x7e]/);
    expect(hashOf(row)).toBe(row.hash.toString('hex'));
  }
});

test('canonical JSON does not depend on the order of keys', () => {
  expect(canonicalJson({ b: 1, a: [{ d: undefined, c: -0 }] })).toBe('{"a":[{"c":0}],"b":1}');
  expect(canonicalJson(JSON.parse('{"a":[{"c":0}],"b":1}'))).toBe('{"a":[{"c":0}],"b":1}');
});
