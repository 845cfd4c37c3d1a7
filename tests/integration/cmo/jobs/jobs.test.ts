import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  attemptLedger,
  getJob,
  insertJob,
  listAttempts,
  listJobs,
  readPendingJobs,
  recordVerdicts,
  requestCancel,
} from '../../../../src/cmo/jobs/index.ts';
import { type JobSpecInput, jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';
import type { PendingVerdict, Placement } from '../../../../src/common/contract/plan.ts';
import { withSystem, withTenant } from '../../../../src/common/database/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { addTenant, placement, rank } from '../../drm/support/fleet.ts';

let database: TestDatabase;
let owner: { tenant: string; project: string };

beforeAll(async () => {
  database = await createTestDatabase({ poolSize: 10 });
  owner = await withSystem(database.db, addTenant);
});
afterAll(() => database?.drop());

const system = <T>(fn: Parameters<typeof withSystem<T>>[1]) => withSystem(database.db, fn);
const mine = <T>(fn: Parameters<typeof withTenant<T>>[2]) => withTenant(database.db, owner.tenant, fn);
const submit = (spec: Partial<JobSpecInput> = {}) =>
  mine((tx) =>
    insertJob(tx, {
      ...owner,
      spec: jobSpecSchema.parse({ name: 'job', command: 'true', ...spec }),
      submittedBy: 'key',
    }),
  );
const one = async (spec: Partial<JobSpecInput> = {}) => (await submit(spec))[0]!.id;
const read = async (id: string) => (await mine((tx) => getJob(tx, id)))!;
const verdict = (jobId: string, message = 'no room'): PendingVerdict => ({
  jobId: jobId as PendingVerdict['jobId'],
  reason: 'insufficient_capacity',
  detail: { message },
});

const items = (...placements: Placement[]) =>
  placements.map((planned) => ({ placement: planned, tenant: owner.tenant, backend: 'agent' }));

describe('submitting', () => {
  it('makes a queued job with its event and dirty key', async () => {
    const id = await one({ earliestStart: '2030-01-01T00:00:00Z', timeouts: { queue: 60 }, priority: 7 });
    expect(await read(id)).toMatchObject({
      state: 'queued',
      pending_reason: 'new',
      deferred_until: new Date('2030-01-01T00:00:00Z'),
      priority: 7,
      revision: 1n,
    });
    const { rows } = await system((tx) =>
      tx.query(
        `select (select count(*)::int from feed_dirty where kind = 'job' and key = $1) as dirty,
                (select data->>'who' from feed_events where subject = $1) as who`,
        [id],
      ),
    );
    expect(rows).toEqual([{ dirty: 1, who: 'key' }]);
  });

  it('makes one job per task of an array, in one go, found by label', async () => {
    const made = await submit({ array: { count: 300 }, labels: { run: 'a1' } });
    expect(made.map(({ arrayIndex }) => arrayIndex)).toEqual(Array.from({ length: 300 }, (_, index) => index));
    const found = await mine((tx) =>
      listJobs(tx, owner.tenant, { labels: [{ key: 'run', value: 'a1' }], limit: 1000 }),
    );
    expect(found).toHaveLength(300);
    expect(new Set(found.map(({ array_id }) => array_id)).size).toBe(1);
  });
});

describe('verdicts on jobs that stay queued', () => {
  it('are remarks: they raise no revision and write nothing when they say the same again', async () => {
    const id = await one();
    await system((tx) => recordVerdicts(tx, [verdict(id)]));
    const first = await read(id);
    expect(first).toMatchObject({
      pending_reason: 'insufficient_capacity',
      pending_detail: { message: 'no room' },
      revision: 1n,
    });
    const version = async () =>
      (await system((tx) => tx.query('select xmin::text from cmo_jobs where id = $1', [id]))).rows[0];
    const before = await version();
    await system((tx) => recordVerdicts(tx, [verdict(id)]));
    expect(await version()).toEqual(before);
    await system((tx) => recordVerdicts(tx, [verdict(id, 'still no room')]));
    expect(await version()).not.toEqual(before);
  });

  it('come too late for a job that left the queue', async () => {
    const id = await one();
    await mine((tx) => requestCancel(tx, id, 'key'));
    await system((tx) => recordVerdicts(tx, [verdict(id)]));
    expect(await read(id)).toMatchObject({ state: 'cancelled', pending_reason: null });
  });
});

describe('the queue', () => {
  it('is read by id or whole, in portions', async () => {
    const ids = [await one(), await one()];
    const some = await system((tx) => readPendingJobs(tx, [...ids, 'job_nobody']));
    expect(some.map(({ id }) => id).sort()).toEqual([...ids].sort());
    const all: string[] = [];
    for (let after = ''; ; after = all.at(-1)!) {
      const page = await system((tx) => readPendingJobs(tx, 'all', { after, limit: 100 }));
      if (page.length === 0) break;
      all.push(...page.map(({ id }) => id));
    }
    expect(new Set(all).size).toBe(all.length);
    expect(all).toEqual(expect.arrayContaining(ids));
  });
});

describe('the ledger of attempts', () => {
  it('claims only jobs that are queued as they were planned', async () => {
    const [planned, changed, gone] = [await one(), await one(), await one()];
    await mine((tx) => requestCancel(tx, gone, 'key'));
    const claimed = await system((tx) =>
      attemptLedger.claim(tx, [
        { jobId: planned, revision: 1n },
        { jobId: changed, revision: 2n },
        { jobId: gone, revision: 1n },
      ]),
    );
    expect([...claimed.keys()]).toEqual([planned]);
  });

  it('leaves out a job that somebody is changing, instead of waiting', async () => {
    const id = await one();
    await system(async (tx) => {
      await tx.query('select from cmo_jobs where id = $1 for no key update', [id]);
      const claimed = await system((other) => attemptLedger.claim(other, [{ jobId: id, revision: 1n }]));
      expect(claimed.size).toBe(0);
    });
  });

  it('numbers attempts by job and gives every one a higher token', async () => {
    const ids = [await one(), await one()];
    const planned = ids.map((id) => placement(id, 'site_x', rank('node_a'), rank('node_b')));
    const made = await system((tx) => attemptLedger.create(tx, items(...planned)));
    for (const id of ids) {
      const [attempt] = await mine((tx) => listAttempts(tx, id));
      expect(attempt).toMatchObject({ number: 1, state: 'placed', token: made.get(id)!.token, backend: 'agent' });
      expect(await read(id)).toMatchObject({
        state: 'starting',
        newest_token: made.get(id)!.token,
        pending_reason: null,
      });
    }
    expect(made.get(ids[0]!)!.token).not.toBe(made.get(ids[1]!)!.token);
  });
});

describe('cancelling', () => {
  it('of another tenant’s job finds nothing', async () => {
    const id = await one();
    const stranger = await system(addTenant);
    const attempt = withTenant(database.db, stranger.tenant, (tx) => requestCancel(tx, id, 'key'));
    await expect(attempt).rejects.toMatchObject({ code: 'not_found' });
    expect(await read(id)).toMatchObject({ state: 'queued' });
  });

  it('makes the attempt due at once', async () => {
    const id = await one();
    await system((tx) => attemptLedger.create(tx, items(placement(id, 'site_x', rank('node_a')))));
    await system((tx) => tx.query(`update cmo_attempts set due_at = 'infinity' where job_id = $1`, [id]));
    await mine((tx) => requestCancel(tx, id, 'key'));
    const { rows } = await system((tx) =>
      tx.query('select due_at <= now() as due from cmo_attempts where job_id = $1', [id]),
    );
    expect(rows).toEqual([{ due: true }]);
  });

  it('by many at once is one cancellation', async () => {
    const id = await one();
    const answers = await Promise.allSettled(
      Array.from({ length: 6 }, () => mine((tx) => requestCancel(tx, id, 'key'))),
    );
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await read(id)).revision).toBe(2n);
  });
});
