import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSystem } from '../../../src/common/database/index.ts';
import { firstIdAt, newId } from '../../../src/common/ids.ts';
import { pruneLogs, readLogLines } from '../../../src/metapod/gateway/index.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const day = 86_400_000;
const tenant = newId('tenant');
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  await withSystem(database.db, async (tx) => {
    await tx.query('insert into cmo_tenants (id, name) values ($1, $1)', [tenant]);
    await tx.query(`insert into cmo_projects (id, tenant, name) values ('prj', $1, 'default')`, [tenant]);
  });
});
afterAll(() => database.drop());

/** An attempt of so many days ago with a log of two lines. */
async function attempt(options: { startedDaysAgo: number; endedDaysAgo: number | null }): Promise<string> {
  const id =
    firstIdAt('attempt', new Date(Date.now() - options.startedDaysAgo * day)).slice(0, -6) + newId('job').slice(-6);
  const job = newId('job');
  await withSystem(database.db, async (tx) => {
    await tx.query(
      `insert into cmo_jobs (id, tenant, project, name, priority, spec, pending_reason, submitted_by)
       values ($1, $2, 'prj', 'j', 0, '{}', 'new', 'key')`,
      [job, tenant],
    );
    await tx.query(
      `insert into cmo_attempts (id, tenant, job_id, number, backend, site_id, explanation, state, outcome, ended_at)
       values ($1, $2, $3, 1, 'agent', 'site', '{}', case when $4::int is null then 'running' else 'ended' end,
         case when $4::int is null then null else 'succeeded' end, now() - make_interval(days => $4::int))`,
      [id, tenant, job, options.endedDaysAgo],
    );
    await tx.query(
      `insert into metapod_log_streams (attempt_id, tenant, rank, next_line, complete) values ($1, $2, 0, 2, true)`,
      [id, tenant],
    );
    await tx.query(
      `insert into metapod_log_chunks (attempt_id, tenant, rank, first_line, line_count, lines) values ($1, $2, 0, 0, 2, $3)`,
      [id, tenant, '{"n":0,"t":1,"s":"out","d":"a"}\n{"n":1,"t":1,"s":"out","d":"b"}\n'],
    );
  });
  return id;
}

const read = (id: string) => readLogLines(database.db.system, id, 0, 0, 10);

describe('logs that are older than they are kept', () => {
  it('are deleted, and a reader learns when, and that nothing more comes', async () => {
    const old = await attempt({ startedDaysAgo: 40, endedDaysAgo: 31 });
    const lately = await attempt({ startedDaysAgo: 40, endedDaysAgo: 29 });
    const running = await attempt({ startedDaysAgo: 40, endedDaysAgo: null });
    expect(await pruneLogs(database.db, 30, new Date())).toBe(1);
    expect(await pruneLogs(database.db, 30, new Date())).toBe(0);
    expect(await read(old)).toMatchObject({ lines: [], nextLine: 2, complete: true, removedAt: expect.any(Date) });
    for (const id of [lately, running]) expect(await read(id)).toMatchObject({ nextLine: 2, removedAt: null });
  });

  it('go in batches, until none is left', async () => {
    for (let n = 0; n < 25; n++) await attempt({ startedDaysAgo: 50, endedDaysAgo: 45 });
    expect(await pruneLogs(database.db, 30, new Date())).toBe(20);
    expect(await pruneLogs(database.db, 30, new Date())).toBe(5);
  });
});

describe('the first id at an instant', () => {
  it('sorts before ids of that instant and after those of before', () => {
    const before = newId('attempt');
    const instant = new Date(Date.now() + 1000);
    expect(firstIdAt('attempt', instant) > before).toBe(true);
    expect(firstIdAt('attempt', new Date(Date.now() - 1000)) < before).toBe(true);
  });
});
