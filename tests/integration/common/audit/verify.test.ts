/** Tampering by whoever owns the database, of every kind, and what the verification says of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ChainCheck,
  chainHash,
  isSignatureRight,
  type LinkedEntry,
  readHead,
  recordAudit,
  type SignedHead,
  sealHeads,
  signHead,
} from '../../../../src/common/audit/index.ts';
import { withClient } from '../../../../src/common/database/connection.ts';
import { withSystem } from '../../../../src/common/database/index.ts';
import { silentLogger } from '../../../../src/common/logger.ts';
import { openSecretStore, type SecretStore } from '../../../../src/common/secrets/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';

const folder = mkdtempSync(join(tmpdir(), 'solyx-audit-'));
let database: TestDatabase;
let store: SecretStore;
let tenant = '';
let counter = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  const keyFile = join(folder, 'secrets.key');
  store = await openSecretStore({ db: database.db, keyFile, logger: silentLogger, registry: new Registry() });
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

async function record(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    await withSystem(database.db, (tx) =>
      recordAudit(tx, { system: 'test', tenant, action: 'key.created', subject: `key_${n}`, data: { n, text: 'ü' } }),
    );
  }
}

/** A log of its own with ten entries, sealed at five and ten. */
async function freshLog(): Promise<void> {
  counter += 1;
  tenant = `ten_${counter}`;
  await record(5);
  await sealHeads(database.db, store, new Date());
  await record(5);
  await sealHeads(database.db, store, new Date());
}

/** As the owner of the database, with the triggers off: nothing inside it can prevent that. */
const tamper = (sql: string, values: unknown[] = []) =>
  withClient(database.admin, async (client) => {
    await client.query('set session_replication_role = replica');
    await client.query(sql, values);
  });

async function readEntries(): Promise<LinkedEntry[]> {
  const { rows } = await withClient(database.admin, (client) =>
    client.query('select * from audit_entries where tenant = $1 order by sequence', [tenant]),
  );
  return rows.map((row) => ({
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
    previous: row.previous.toString('hex'),
    hash: row.hash.toString('hex'),
  }));
}

const signedHead = () =>
  withSystem(database.db, async (tx) => signHead(tx, store, await readHead(tx, tenant, new Date())));

/** What `solyx audit verify` does: head and seals as known, then every entry. */
async function verify(anchor?: SignedHead) {
  const check = new ChainCheck();
  if (anchor) check.expect(anchor, 'anchor file');
  check.expect(await signedHead(), 'head of the log');
  const { rows } = await withClient(database.admin, (client) =>
    client.query('select * from audit_seals where tenant = $1', [tenant]),
  );
  for (const row of rows) check.expect({ sequence: Number(row.sequence), hash: row.hash.toString('hex') }, 'seal');
  for (const entry of await readEntries()) if (!check.take(entry)) break;
  check.end();
  return check.fault ? { at: check.fault.sequence, kind: check.fault.kind } : undefined;
}

/** Computes every hash from an entry on anew, and the head: what somebody does who knows how it works. */
async function recompute(from: number): Promise<void> {
  const entries = await readEntries();
  let previous = entries[from - 2]?.hash ?? '0'.repeat(64);
  for (const entry of entries.slice(from - 1)) {
    const hash = chainHash(previous, entry);
    await tamper(
      `update audit_entries set previous = decode($3, 'hex'), hash = decode($4, 'hex') where tenant = $1 and sequence = $2`,
      [tenant, entry.sequence, previous, hash],
    );
    previous = hash;
  }
  await tamper(`update audit_heads set hash = decode($2, 'hex') where tenant = $1`, [tenant, previous]);
}

describe('verification', () => {
  it('finds nothing wrong with a log that nobody touched', async () => {
    await freshLog();
    expect(await verify()).toBeUndefined();
  });

  it.each([
    ['a changed subject', `update audit_entries set subject = 'x' where tenant = $1 and sequence = 4`, 4, 'altered'],
    ['a changed actor', `update audit_entries set actor = 'x' where tenant = $1 and sequence = 4`, 4, 'altered'],
    [
      'a changed time',
      `update audit_entries set at = at + interval '1 ms' where tenant = $1 and sequence = 7`,
      7,
      'altered',
    ],
    ['changed data', `update audit_entries set data = '{"n":9}' where tenant = $1 and sequence = 2`, 2, 'altered'],
    [
      'an invented address',
      `update audit_entries set address = '1.2.3.4' where tenant = $1 and sequence = 2`,
      2,
      'altered',
    ],
    ['a deleted entry', 'delete from audit_entries where tenant = $1 and sequence = 6', 6, 'gap'],
    ['a deleted first entry', 'delete from audit_entries where tenant = $1 and sequence = 1', 1, 'gap'],
    [
      'an entry moved to another tenant',
      `update audit_entries set tenant = 'ten_x' || tenant where tenant = $1 and sequence = 3`,
      3,
      'gap',
    ],
    [
      'swapped entries',
      'update audit_entries set sequence = case sequence when 3 then 1003 else 3 end where tenant = $1 and sequence in (3, 4)',
      3,
      'unchained',
    ],
    ['a cut-off end', 'delete from audit_entries where tenant = $1 and sequence > 8', 9, 'cut'],
    ['a changed hash', `update audit_entries set hash = sha256('x') where tenant = $1 and sequence = 5`, 5, 'altered'],
  ] as const)('finds %s', async (_what, sql, at, kind) => {
    await freshLog();
    await tamper(sql, [tenant]);
    expect(await verify()).toEqual({ at, kind });
  });

  it('finds an entry that was changed with everything behind it computed anew, by the seals', async () => {
    await freshLog();
    await tamper(`update audit_entries set subject = 'x' where tenant = $1 and sequence = 4`, [tenant]);
    await recompute(4);
    expect(await verify()).toEqual({ at: 5, kind: 'rewritten' });
  });

  it('finds a cut-off end with its head set back, by the seals', async () => {
    await freshLog();
    await tamper('delete from audit_entries where tenant = $1 and sequence > 8', [tenant]);
    await tamper(
      `update audit_heads set sequence = 8, hash = (select hash from audit_entries where tenant = $1 and sequence = 8) where tenant = $1`,
      [tenant],
    );
    expect(await verify()).toEqual({ at: 9, kind: 'cut' });
  });

  it('finds both with the seals deleted as well only by a head that was kept elsewhere, as it says', async () => {
    await freshLog();
    const anchor = await signedHead();
    expect(isSignatureRight(anchor)).toBe(true);
    await tamper('delete from audit_seals where tenant = $1', [tenant]);
    await tamper(`update audit_entries set subject = 'x' where tenant = $1 and sequence = 4`, [tenant]);
    await recompute(4);
    expect(await verify()).toBeUndefined();
    expect(await verify(anchor)).toEqual({ at: 10, kind: 'rewritten' });
  });

  it('knows a seal that somebody without the server’s key has made', async () => {
    await freshLog();
    const head = await signedHead();
    expect(isSignatureRight({ ...head, sequence: head.sequence - 1 })).toBe(false);
    expect(isSignatureRight({ ...head, hash: '0'.repeat(64) })).toBe(false);
    expect(isSignatureRight({ ...head, signature: 'AAAA', publicKey: 'nonsense' })).toBe(false);
  });

  it('seals each head once, and by the key that another server on the same database uses', async () => {
    await freshLog();
    expect(await sealHeads(database.db, store, new Date())).toEqual([]);
    const keyFile = join(folder, 'secrets.key');
    const other = await openSecretStore({ db: database.db, keyFile, logger: silentLogger, registry: new Registry() });
    await record(1);
    const seals = await Promise.all([
      sealHeads(database.db, store, new Date()),
      sealHeads(database.db, other, new Date()),
    ]);
    expect(new Set(seals.flat().map(({ publicKey }) => publicKey)).size).toBe(1);
    expect(await verify()).toBeUndefined();
  });
});
