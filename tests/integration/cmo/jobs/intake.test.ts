/** Requests that share a statement are each answered for themselves, whatever happens to the others and to the connection. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { JobIntake, type JobRequest, newJobRequest } from '../../../../src/cmo/jobs/index.ts';
import { type JobSpecInput, jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';
import { withClient } from '../../../../src/common/database/connection.ts';
import { type Database, withSystem } from '../../../../src/common/database/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { until } from '../../../support/until.ts';
import { addTenant } from '../../drm/support/fleet.ts';

type Owner = { tenant: string; project: string };

let database: TestDatabase;
let db: Database;
let owner: Owner;

beforeAll(async () => {
  database = await createTestDatabase({ poolSize: 8 });
  db = database.db;
  owner = await withSystem(db, addTenant);
});
afterAll(() => database?.drop());

const sql = async <Row extends object>(text: string, values: unknown[] = []) =>
  (await db.system.query<Row & Record<string, unknown>>(text, values)).rows;

function request(spec: Partial<JobSpecInput>, { of = owner, key }: { of?: Owner; key?: string } = {}): JobRequest {
  const job = newJobRequest({
    ...of,
    spec: jobSpecSchema.parse({ name: 'job', command: 'true', ...spec }),
    submittedBy: 'key',
  });
  if (key === undefined) return job;
  const hash = createHash('sha256').update(key).digest();
  return { ...job, remembered: { key, hash, response: { id: job.ids[0]! } } };
}

const rowsOf = async (ids: readonly string[]) => {
  const [row] = await sql<{ jobs: number; events: number; dirty: number }>(
    `select (select count(*)::int from cmo_jobs where id = any($1)) as jobs,
            (select count(*)::int from feed_events where subject = any($1) and kind = 'job.queued') as events,
            (select count(*)::int from feed_dirty where kind = 'job' and key = any($1)) as dirty`,
    [ids],
  );
  return row;
};

test('many at once are made whole: job, labels, event and dirty key, each in its tenant', async () => {
  const other = await withSystem(db, addTenant);
  const requests = Array.from({ length: 60 }, (_, index) =>
    request(
      { name: `many-${index}`, labels: { run: 'many', index: String(index) }, timeouts: { queue: 60 } },
      { of: index % 2 ? other : owner },
    ),
  );
  const intake = new JobIntake(db);
  const outcomes = await Promise.all(requests.map((one) => intake.submit(one)));
  expect(outcomes).toEqual(requests.map(() => true));
  expect(await rowsOf(requests.flatMap(({ ids }) => ids))).toEqual({ jobs: 60, events: 60, dirty: 60 });
  const tenants = await sql<{ tenant: string; n: number; labels: number }>(
    `select tenant, count(*)::int as n, (select count(*)::int from cmo_job_labels l where l.tenant = j.tenant and l.key = 'run') as labels
     from cmo_jobs j where name like 'many-%' and queue_deadline is not null group by tenant order by tenant`,
  );
  expect(tenants).toEqual([owner.tenant, other.tenant].sort().map((tenant) => ({ tenant, n: 30, labels: 30 })));
});

test('a job of a project that its tenant does not have is refused, and spares the others of its statement', async () => {
  const other = await withSystem(db, addTenant);
  const stray = request({ name: 'stray' }, { of: { tenant: owner.tenant, project: other.project } });
  const right = request({ name: 'right' });
  const intake = new JobIntake(db);
  // Who comes first goes alone.
  const first = intake.submit(request({ name: 'first' }));
  const [refused, made] = await Promise.allSettled([intake.submit(stray), intake.submit(right)]);
  await first;
  expect(refused).toMatchObject({
    status: 'rejected',
    reason: { code: 'job_spec_invalid', issues: [{ at: '/project', message: 'there is no such project' }] },
  });
  expect(made).toEqual({ status: 'fulfilled', value: true });
  expect(await rowsOf(stray.ids)).toEqual({ jobs: 0, events: 0, dirty: 0 });
  await expect(withClient(database.admin, (admin) => admin.query('delete from cmo_projects'))).rejects.toThrow(
    'the project has jobs',
  );
});

test('requests of the same moment share commits', async () => {
  const requests = Array.from({ length: 100 }, () => request({ name: 'together' }));
  const intake = new JobIntake(db);
  await Promise.all(requests.map((one) => intake.submit(one)));
  const transactions = await sql(`select distinct xmin::text from cmo_jobs where name = 'together'`);
  expect(transactions.length).toBeLessThan(20);
});

test('one that the database refuses does not take the others with it', async () => {
  const good = Array.from({ length: 10 }, () => request({ name: 'good' }));
  const bad = request({ name: 'bad' }, { of: { tenant: owner.tenant, project: 'prj_nowhere' } });
  const intake = new JobIntake(db);
  const outcomes = await Promise.allSettled(
    [...good.slice(0, 5), bad, ...good.slice(5)].map((one) => intake.submit(one)),
  );
  expect(outcomes.map(({ status }) => status)).toEqual([
    ...Array.from({ length: 5 }, () => 'fulfilled'),
    'rejected',
    ...Array.from({ length: 5 }, () => 'fulfilled'),
  ]);
  expect(await rowsOf(good.flatMap(({ ids }) => ids))).toEqual({ jobs: 10, events: 10, dirty: 10 });
  expect(await rowsOf(bad.ids)).toEqual({ jobs: 0, events: 0, dirty: 0 });
});

test('of several with the same key one is made, also within one statement', async () => {
  const requests = Array.from({ length: 30 }, (_, index) => request({ name: 'same' }, { key: `same-${index % 3}` }));
  const intakes = [new JobIntake(db), new JobIntake(db)];
  const outcomes = await Promise.all(requests.map((one, index) => intakes[index % 2]!.submit(one)));
  expect(outcomes.filter(Boolean)).toHaveLength(3);
  const made = requests.filter((_, index) => outcomes[index]).flatMap(({ ids }) => ids);
  expect(await rowsOf(made)).toEqual({ jobs: 3, events: 3, dirty: 3 });
  expect(await rowsOf(requests.flatMap(({ ids }) => ids))).toEqual({ jobs: 3, events: 3, dirty: 3 });
  const answers = await sql<{ id: string }>(
    `select response ->> 'id' as id from cmo_idempotency where key like 'same-%'`,
  );
  expect(answers.map(({ id }) => id).sort()).toEqual(made.sort());
});

test('a session that the server ends before the commit is tried again, with or without a key', async () => {
  // The statement waits for this key, and so stands where its backend can be ended.
  const holder = await db.system.connect();
  await holder.query('begin');
  await holder.query(
    `insert into cmo_idempotency (tenant, key, request_hash, response) values ($1, 'held', '\\x00', '{}')`,
    [owner.tenant],
  );
  const plain = request({ name: 'ended' });
  const keyed = request({ name: 'ended' }, { key: 'free' });
  const waits = request({ name: 'ended' }, { key: 'held' });
  const intake = new JobIntake(db);
  // The first goes at once; the rest go together.
  const first = intake.submit(request({ name: 'first' }));
  const outcomes = Promise.all([plain, keyed, waits].map((one) => intake.submit(one)));
  await first;
  await until('the statement waits', async () => {
    const { rows: ended } = await withClient(database.admin, (client) =>
      client.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock' and query like '%cmo_submit_jobs%'`,
      ),
    );
    return ended.length > 0;
  });
  await holder.query('rollback');
  holder.release();
  expect(await outcomes).toEqual([true, true, true]);
  expect(await rowsOf([...plain.ids, ...keyed.ids, ...waits.ids])).toEqual({ jobs: 3, events: 3, dirty: 3 });
});

test('row-level security holds inside: nothing is written for a tenant but in its own name', async () => {
  await expect(
    db.app.query(`insert into cmo_idempotency (tenant, key, request_hash, response) values ($1, 'x', '\\x00', '{}')`, [
      owner.tenant,
    ]),
  ).rejects.toThrow('row-level security');
  await new JobIntake(db).submit(request({ name: 'closed' }));
  // The tenant that the function set ended with its transaction.
  const { rows } = await db.app.query(`select count(*)::int as n from cmo_jobs`);
  expect(rows).toEqual([{ n: 0 }]);
});
