import { describe, expect, it } from 'vitest';
import type { PendingJobRow } from '../../../../src/cmo/jobs/index.ts';
import { JobRecord } from '../../../../src/cmo/scheduler/core/job-record.ts';
import { PendingQueue } from '../../../../src/cmo/scheduler/core/pending-queue.ts';
import type { VerdictGroup } from '../../../../src/cmo/scheduler/core/schedule.ts';
import type { PendingJob } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { queuedJobsOf } from '../../../../src/cmo/scheduler/queued-job.ts';
import { VerdictMemory } from '../../../../src/cmo/scheduler/worker/verdict-memory.ts';
import { jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';
import { job, now } from './support/builders.ts';

const task = (index: number) => `job_${String(index).padStart(5, '0')}`;
const tasks = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => task(from + i));
const said = { reason: 'new', message: '', at: 0 } as const;

function queueOf(ids: readonly string[], more: Partial<PendingJob> = {}): PendingQueue {
  const queue = new PendingQueue();
  queue.setAll(ids, job('any', {}, more), said);
  return queue;
}
const recordsOf = (queue: PendingQueue): readonly JobRecord[] =>
  [...queue.groups()].flatMap((group) => group.records());
const idsOf = (queue: PendingQueue) => [...queue.groups()].flatMap((group) => [...group.all()].map(({ id }) => id));

describe('the tasks of an array', () => {
  it('are one record, in order of their index, which placements take from the front', () => {
    const queue = queueOf(tasks(0, 10_000));
    expect(recordsOf(queue).map(({ size }) => size)).toEqual([10_000]);
    for (const id of tasks(0, 7000)) queue.delete(id);
    expect(recordsOf(queue).map(({ size, first }) => [size, first])).toEqual([[3000, task(7000)]]);
    expect(queue.size).toBe(3000);
  });

  it('stand alone when something of theirs changes, and keep their places', () => {
    const queue = queueOf(tasks(0, 6));
    queue.set({ ...queue.get(task(3))!, revision: 2n });
    queue.set({ ...queue.get(task(1))!, priority: 1 });
    queue.set({ ...queue.get(task(4))!, notBefore: now + 1000 });
    expect(recordsOf(queue).map(({ size }) => size)).toEqual([1, 2, 1, 1]);
    expect(idsOf(queue)).toEqual([1, 0, 2, 3, 5].map(task));
    expect(queue.get(task(5))).toMatchObject({ id: task(5), revision: 1n });
    queue.delete(task(5));
    expect(recordsOf(queue).map(({ size }) => size)).toEqual([1, 2, 1]);
    expect(queue.release(now + 1000)).toEqual([]);
    expect(idsOf(queue)).toEqual([1, 0, 2, 3, 4].map(task));
  });

  it.each<Partial<PendingJob>>([
    { revision: 2n },
    { tenant: 't2' },
    { project: 'p2' },
    { user: 'u2' },
    { priority: 1 },
    { submittedAt: now },
    { deadline: now + 1000 },
    { runTime: { likelySeconds: 10, carefulSeconds: 21 } },
    { labels: { app: 'web', of: 'a' } },
    { labels: { app: 'db' } },
    { promised: true },
    { array: 'arr_2' },
    { notBefore: now + 2000 },
    { notBefore: now + 1000, notBeforeReason: 'retry_backoff' },
  ])('are not of one record with who differs by %o', (more) => {
    const facts: Partial<PendingJob> = {
      user: 'u1',
      array: 'arr_1',
      labels: { app: 'db', of: 'a' },
      runTime: { likelySeconds: 10, carefulSeconds: 20 },
    };
    const waits = more.notBefore === undefined ? {} : { notBefore: now + 1000 };
    const queue = queueOf(['job_1'], { ...facts, ...waits });
    const add = (id: string, one: Partial<PendingJob>) =>
      queue.setAll([id], job('any', {}, { ...structuredClone(facts), ...waits, ...one }), said);
    add('job_2', {});
    expect(queue.recordOf('job_2')).toBe(queue.recordOf('job_1'));
    add('job_3', more);
    expect(queue.recordOf('job_3')).not.toBe(queue.recordOf('job_1'));
  });

  it('wait as one record for their time', () => {
    const queue = queueOf(tasks(0, 500), { notBefore: now + 1000 });
    queue.delete(task(7));
    expect(queue.release(now).map(({ size }) => size)).toEqual([499]);
    expect(queue.release(now + 1000)).toEqual([]);
    expect(recordsOf(queue).map(({ size }) => size)).toEqual([499]);
  });

  it('keep the order of ids when they come in another one, and when two arrays come mixed', () => {
    expect(idsOf(queueOf(['job_c', 'job_a', 'job_b']))).toEqual(['job_a', 'job_b', 'job_c']);
    const queue = new PendingQueue();
    const mixed = (of: number) => tasks(0, 6).filter((_, i) => i % 2 === of);
    for (const of of [0, 1]) queue.setAll(mixed(of), job('any', {}, { labels: { of: `${of}` } }), said);
    expect(idsOf(queue)).toEqual(tasks(0, 6));
    for (const id of mixed(1)) queue.delete(id);
    expect(idsOf(queue)).toEqual(mixed(0));
  });
});

describe('what the rows of an array say', () => {
  const verdictOf = (queue: PendingQueue, message: string, looks: string[] = []): VerdictGroup => ({
    jobs: [...queue.groups()][0]!.all(),
    reason: 'insufficient_capacity',
    detail: ({ tenant }) => {
      looks.push(tenant);
      return { message };
    },
  });

  it('is worked out once for all, written for each when it changes, and not again', () => {
    const memory = new VerdictMemory();
    const queue = queueOf(tasks(0, 10_000));
    memory.count(said, 10_000);
    const looks: string[] = [];
    expect(memory.changed([verdictOf(queue, 'one', looks)], now)).toHaveLength(10_000);
    expect(looks).toHaveLength(1);
    expect(memory.counts()).toEqual({ new: 0, insufficient_capacity: 10_000 });
    expect(memory.changed([verdictOf(queue, 'two', looks)], now + 1000)).toEqual([]);
    expect(looks).toHaveLength(1);
  });

  it('is said anew of the first hundred after a while', () => {
    const memory = new VerdictMemory();
    const queue = queueOf(tasks(0, 300));
    memory.changed([verdictOf(queue, 'one')], now);
    const again = memory.changed([verdictOf(queue, 'two')], now + 30_000);
    expect(again.map(({ jobId }) => jobId)).toEqual(tasks(0, 100));
    for (const id of tasks(0, 50)) queue.delete(id);
    const third = memory.changed([verdictOf(queue, 'two')], now + 60_000);
    expect(third.map(({ jobId }) => jobId)).toEqual(tasks(100, 150));
  });
});

describe('a record some of whose rows say something else', () => {
  const other = { reason: 'limit_reached', message: 'other', at: now } as const;
  const record = (told: readonly string[]) => {
    const one = new JobRecord(job('any'), said, tasks(0, 10));
    one.say(told, other);
    return one;
  };

  it('knows so until these have left', () => {
    const one = record(tasks(4, 6));
    expect([one.allSay('new'), one.saidOf(task(4)), one.saidOf(task(7))]).toEqual([false, other, said]);
    for (const id of tasks(4, 6)) one.remove(id);
    expect(one.allSay('new')).toBe(true);
  });

  it('knows the rest, when they are most of it', () => {
    const one = record(tasks(0, 9));
    expect([one.allSay('limit_reached'), one.saidOf(task(9)), one.saidOf(task(0))]).toEqual([false, said, other]);
    one.remove(task(9));
    expect(one.allSay('limit_reached')).toBe(true);
  });

  it('gives them to the part that it is cut into', () => {
    const one = record([task(2), task(7)]);
    const tail = one.cutAfter('job_00004x');
    expect([one.size, tail.size, tail.first]).toEqual([5, 5, task(5)]);
    expect([tail.saidOf(task(7)), tail.saidOf(task(8)), one.saidOf(task(2))]).toEqual([other, said, other]);
    one.remove(task(2));
    expect(one.allSay('new')).toBe(true);
  });
});

describe('rows of queued jobs', () => {
  const spec = jobSpecSchema.parse({ name: 'n', command: 'true', array: { count: 9 } });
  const row = (id: string, more: Partial<PendingJobRow> = {}): PendingJobRow => ({
    id,
    revision: 1n,
    tenant: 't',
    project: 'p',
    priority: 0,
    spec,
    submittedAt: new Date(now),
    deferredUntil: null,
    pendingReason: 'new',
    arrayId: 'arr_1',
    submittedBy: 'u',
    name: 'n',
    ...more,
  });
  const read = (...rows: PendingJobRow[]) =>
    queuedJobsOf([...rows.map(({ id }) => id), 'job_gone'], rows).map(([id, found]) => [id, found?.alike ?? null]);

  it('are one for the tasks of an array that wait alike, and one for each other', () => {
    const rows = tasks(0, 4).map((id) => row(id));
    expect(read(...rows)).toEqual([
      ['job_gone', null],
      [task(0), tasks(1, 4)],
    ]);
    expect(read(row('job_a', { arrayId: null }), row('job_b', { arrayId: null }))).toHaveLength(3);
  });

  it.each<Partial<PendingJobRow>>([
    { revision: 2n },
    { arrayId: 'arr_2' },
    { priority: 1 },
    { pendingReason: 'retry_backoff' },
    { submittedAt: new Date(now + 1) },
    { deferredUntil: new Date(now) },
    { submittedBy: 'v' },
  ])('are apart when one differs by %o', (more) => {
    expect(read(row('job_a'), row('job_b', more), row('job_c'))).toEqual([
      ['job_gone', null],
      ['job_a', ['job_c']],
      ['job_b', []],
    ]);
  });
});
