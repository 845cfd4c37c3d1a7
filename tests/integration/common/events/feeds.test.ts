import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeClient, withClient } from '../../../../src/common/database/connection.ts';
import { withSystem, withTenant } from '../../../../src/common/database/index.ts';
import {
  appendEvents,
  type Cursor,
  currentCursor,
  type DirtyBatch,
  DirtyReader,
  type EventBatch,
  pruneEvents,
  readDirty,
  readEvents,
  truncateOldDirty,
  writeDirty,
} from '../../../../src/common/events/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { until } from '../../../support/until.ts';

let database: TestDatabase;
let writers: pg.Client[];

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(() => {
  writers = [];
});
afterEach(async () => {
  await Promise.all(writers.map((writer) => writer.end()));
  await withClient(database.admin, (client) => client.query('truncate feed_dirty, feed_events'));
});

/** A connection with an open transaction, as another process in the middle of its work. */
async function openWriter(): Promise<pg.Client> {
  const writer = makeClient(database.logins.system);
  writers.push(writer);
  await writer.connect();
  await writer.query('begin');
  return writer;
}

const now = () => currentCursor(database.db.system);
/**
 * A cursor that waits for `open` transactions. Databases of other tests are on the same server: a transaction of theirs that was open then
 * and ended later may have lost rows as far as anybody can tell, and its reader is told to read everything, rightly.
 */
const nowWaitingFor = (open: number) =>
  until('no other test writes', async () => {
    const cursor = await now();
    return cursor.split(':')[2]!.split(',').filter(Boolean).length === open ? cursor : null;
  });
const mark = (...keys: string[]) => withSystem(database.db, (tx) => writeDirty(tx, 'job', keys));
const read = (cursor: Cursor) => readDirty(database.db, ['job'], cursor);
const jobsOf = (batch: DirtyBatch) => (batch.kind === 'keys' ? [...(batch.keys.get('job') ?? [])].sort() : batch.kind);

describe('dirty keys', () => {
  test('arrive once, by kind, after their transaction has committed', async () => {
    const start = await now();
    const writer = await openWriter();
    await writeDirty(writer, 'job', ['job_1', 'job_1', 'job_2']);
    await writeDirty(writer, 'node', ['node_1']);
    const before = await read(start);
    expect(jobsOf(before)).toEqual([]);
    await writer.query('commit');

    const batch = await readDirty(database.db, ['job', 'node'], before.cursor);
    expect(batch).toMatchObject({
      keys: new Map([
        ['job', ['job_1', 'job_2']],
        ['node', ['node_1']],
      ]),
    });
    expect(jobsOf(await read(batch.cursor))).toEqual([]);
  });

  test('of a transaction that was rolled back never arrive', async () => {
    const start = await now();
    const writer = await openWriter();
    await writeDirty(writer, 'job', ['job_1']);
    await writer.query('rollback');
    expect(jobsOf(await read(start))).toEqual([]);
  });

  test('arrive although another transaction stays open for long', async () => {
    const start = await now();
    const stranger = await openWriter();
    await stranger.query('select pg_current_xact_id()');
    await mark('job_1');
    const first = await read(start);
    expect(jobsOf(first)).toEqual(['job_1']);
    await mark('job_2');
    const second = await read(first.cursor);
    expect(jobsOf(second)).toEqual(['job_2']);
    await writeDirty(stranger, 'job', ['job_late']);
    await stranger.query('commit');
    expect(jobsOf(await read(second.cursor))).toEqual(['job_late']);
  });

  test('continue exactly where a repeatable-read picture of the rows ends', async () => {
    const early = await openWriter();
    await writeDirty(early, 'job', ['job_open']);
    await mark('job_seen');
    const { cursor, seen } = await withSystem(
      database.db,
      async (tx) => {
        const cursor = await currentCursor(tx);
        await mark('job_after');
        const { rows } = await tx.query<{ key: string }>('select key from feed_dirty');
        return { cursor, seen: rows.map((row) => row.key) };
      },
      { isolation: 'repeatable read', readOnly: true },
    );
    await early.query('commit');
    expect(seen).toEqual(['job_seen']);
    expect(jobsOf(await read(cursor))).toEqual(['job_after', 'job_open']);
  });

  test('in whatever order transactions begin, write and end, none is skipped and none repeated', async () => {
    const step = fc.record({
      writer: fc.nat({ max: 3 }),
      action: fc.constantFrom('write', 'write', 'commit', 'rollback', 'read', 'savepoint'),
    });
    const pool = await Promise.all([0, 1, 2, 3].map(() => openWriter()));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), async (steps) => {
        for (const writer of pool) await writer.query('rollback; begin');
        let cursor = await now();
        let serial = 0;
        const open = pool.map((): string[] => []);
        const committed: string[] = [];
        const received: string[] = [];
        const receive = async () => {
          const batch = await read(cursor);
          received.push(...jobsOf(batch));
          cursor = batch.cursor;
          // What was received is exactly what was committed, at every reading and not only at the end.
          expect([...received].sort()).toEqual([...committed].sort());
        };
        for (const { writer: index, action } of steps) {
          const writer = pool[index]!;
          if (action === 'read') await receive();
          else if (action === 'savepoint') await writer.query('savepoint s');
          else if (action === 'write') {
            const key = `job_${serial++}`;
            await writeDirty(writer, 'job', [key]);
            open[index]!.push(key);
          } else {
            await writer.query(`${action}; begin`);
            if (action === 'commit') committed.push(...open[index]!);
            open[index] = [];
          }
        }
        await receive();
      }),
      { numRuns: 40 },
    );
  });

  test('a reader without a cursor begins with everything, and repeats a batch that it did not finish', async () => {
    const reader = new DirtyReader(database.db, ['job']);
    const first = await reader.read();
    expect(first.kind).toBe('reset');
    reader.advance(first.cursor);
    await mark('job_1');
    expect(jobsOf(await reader.read())).toEqual(['job_1']);
    await mark('job_2');
    const again = await reader.read();
    expect(jobsOf(again)).toEqual(['job_1', 'job_2']);
    reader.advance(again.cursor);
    expect(jobsOf(await reader.read())).toEqual([]);
  });
});

describe('old slots', () => {
  test('are truncated, and a reader that had not read them is told to read everything', async () => {
    const behind = await now();
    await mark('job_1');
    const upToDate = await nowWaitingFor(0);
    expect(await truncateOldDirty(database.db, 0)).toHaveLength(1);

    expect((await read(behind)).kind).toBe('reset');
    const next = await read(upToDate);
    expect(jobsOf(next)).toEqual([]);
    await mark('job_2');
    expect(jobsOf(await read(next.cursor))).toEqual(['job_2']);
  });

  test('stay while they are young or empty', async () => {
    await mark('job_1');
    const start = await now();
    expect(await truncateOldDirty(database.db)).toEqual([]);
    expect((await read(start)).kind).toBe('keys');
  });

  test('stay while somebody still writes into them, without anybody waiting', async () => {
    await mark('job_0');
    const writer = await openWriter();
    await writeDirty(writer, 'job', ['job_1']);
    expect(await truncateOldDirty(database.db, 0)).toEqual([]);
  });

  test('a reader who waited for an open transaction loses only what that transaction had written', async () => {
    const early = await openWriter();
    await writeDirty(early, 'job', ['job_early']);
    const whileOpen = await now();
    await early.query('commit');
    await mark('job_2');
    await truncateOldDirty(database.db, 0);
    expect((await read(whileOpen)).kind).toBe('reset');

    const idle = await openWriter();
    await idle.query('select pg_current_xact_id()');
    await mark('job_3');
    const afterwards = await nowWaitingFor(1);
    await truncateOldDirty(database.db, 0);
    // The idle transaction is still open, so it cannot have lost anything: no reset for its sake.
    expect((await read(afterwards)).kind).toBe('keys');
  });

  test('a cursor of another database is told to read everything', async () => {
    expect((await read('999999999:999999999:')).kind).toBe('reset');
  });
});

describe('domain events', () => {
  const event = (tenant: string, subject: string, revision = 1n) => ({
    tenant,
    kind: 'job.changed',
    subject,
    revision,
    data: { state: 'queued' },
  });
  const subjectsOf = (batch: EventBatch) =>
    batch.kind === 'events' ? batch.events.map((one) => one.subject) : batch.kind;

  test('arrive whole and in order, each tenant its own, the system all', async () => {
    const start = await now();
    await withTenant(database.db, 'acme', (tx) => appendEvents(tx, [event('acme', 'job_1'), event('acme', 'job_2')]));
    await withTenant(database.db, 'globex', (tx) => appendEvents(tx, [event('globex', 'job_3', 7n)]));

    const acme = await readEvents(database.db, 'acme', start);
    expect(subjectsOf(acme)).toEqual(['job_1', 'job_2']);
    expect(subjectsOf(await readEvents(database.db, null, start))).toEqual(['job_1', 'job_2', 'job_3']);
    expect(await readEvents(database.db, 'globex', start)).toMatchObject({
      events: [
        { tenant: 'globex', kind: 'job.changed', revision: 7n, data: { state: 'queued' }, at: expect.any(Date) },
      ],
    });
    expect(subjectsOf(await readEvents(database.db, 'acme', acme.cursor))).toEqual([]);
  });

  test('nobody writes for another tenant', async () => {
    const foreign = withTenant(database.db, 'acme', (tx) => appendEvents(tx, [event('globex', 'job_1')]));
    await expect(foreign).rejects.toThrow('row-level security');
  });

  test('are pruned by age, and who had not read them is told so', async () => {
    const start = await now();
    await withSystem(database.db, (tx) => appendEvents(tx, [event('acme', 'job_old')]));
    const later = await nowWaitingFor(0);
    await withClient(database.admin, (client) =>
      client.query(`update feed_events set at = now() - interval '40 days'`),
    );
    await withSystem(database.db, (tx) => appendEvents(tx, [event('acme', 'job_new')]));

    expect(await pruneEvents(database.db, 30)).toBe(1);
    expect((await readEvents(database.db, 'acme', start)).kind).toBe('reset');
    expect(subjectsOf(await readEvents(database.db, 'acme', later))).toEqual(['job_new']);
  });

  test('reading them uses the index on the tenant and the transaction also under row-level security', async () => {
    const cursor = await now();
    const plan = await withTenant(database.db, 'acme', async (tx) => {
      await tx.query('set local enable_seqscan = off');
      const { rows } = await tx.query(
        'explain select * from feed_events where xid >= pg_snapshot_xmax($1::pg_snapshot)',
        [cursor],
      );
      return JSON.stringify(rows);
    });
    expect(plan).toMatch(/Index Cond.*xid >=/);
  });
});
