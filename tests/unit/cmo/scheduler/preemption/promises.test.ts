/** Room that comes back piece by piece, in the engine that plans round after round. */
import { describe, expect, it } from 'vitest';
import { defaultPreemption } from '../../../../../src/cmo/scheduler/core/preemption/preemption-policy.ts';
import type { AccountRow } from '../../../../../src/cmo/scheduler/core/shares/account.ts';
import type { PendingJob } from '../../../../../src/cmo/scheduler/core/snapshot.ts';
import { Promises } from '../../../../../src/cmo/scheduler/worker/promises.ts';
import { RoundEngine } from '../../../../../src/cmo/scheduler/worker/round-engine.ts';
import { job, node, now, policy, site } from '../support/builders.ts';

const cores = (count: number) => ({ resources: { cpu: count } }) as never;
const quota = (id: string, guaranteed: number, borrowed: number): AccountRow => ({
  id,
  parent: id.includes('/') ? id.slice(0, id.lastIndexOf('/')) : null,
  weight: 1,
  quotas: [{ resource: 'cpu', guaranteed: guaranteed * 1000, borrowLimit: borrowed * 1000 }],
});
const accounts = [quota('t1', 40, 0), quota('t1/a', 20, 20), quota('t1/b', 10, 30), quota('t1/c', 10, 0)];
const atOnce = policy({ preemption: { ...defaultPreemption, minRunSeconds: 0, maxPerRound: 100 } });

/** An engine whose plans come true, with far more room than quota; what it ends takes some rounds, each another number. */
class World {
  readonly engine = new RoundEngine();
  readonly started: string[] = [];
  readonly ended: string[] = [];
  #at = now;
  readonly #jobs = new Map<string, PendingJob>();
  /** What is being ended, first to last. */
  readonly #leaving: string[] = [];

  constructor() {
    const nodes = [1, 2, 3, 4].map((i) => [`n${i}`, node(`n${i}`, { cpuMilli: 256_000 })] as const);
    this.engine.apply({ sites: [['s1', site()]], accounts, nodes });
  }

  submit(id: string, count: number, project: string, priority = 0): void {
    this.queue(job(id, cores(count), { project, priority, submittedAt: this.#at }));
  }

  queue(one: PendingJob): void {
    this.#jobs.set(one.id, one);
    this.engine.apply({ jobs: [[one.id, { job: one, reason: 'new' }]], now: this.#at });
  }

  /** Plans a round, then `end` of what is being ended has ended, and waits again. */
  round(end = 0): void {
    const { preemptions } = this.engine.run(atOnce, this.#at);
    const placed = this.engine.placements(0, 1000).map(({ jobId }) => jobId as string);
    this.engine.settle({ committed: placed, refused: [], unknown: [] });
    this.started.push(...placed);
    for (const { jobId } of preemptions) {
      this.ended.push(jobId);
      this.#leaving.push(jobId);
    }
    this.#at += 1000;
    for (const id of this.#leaving.splice(0, end)) {
      this.engine.apply({ running: [[id, null]], now: this.#at });
      this.queue(this.#jobs.get(id)!);
    }
  }
}

describe('a job that room is made for', () => {
  it('gets it though lesser jobs within the guarantee keep coming, and nothing is ended twice', () => {
    const world = new World();
    for (let i = 0; i < 10; i += 1) world.submit(`job_a${i}`, 1, 'a');
    for (let i = 0; i < 30; i += 1) world.submit(`job_b${i}`, 1, 'b');
    world.round();
    expect(world.started).toHaveLength(40);
    const large = job('job_large', cores(20), { project: 'a', priority: 5 });
    world.queue(large);
    world.round();
    expect(world.ended).toHaveLength(20);
    for (let i = 0; i < 40 && !world.started.includes('job_large'); i += 1) {
      // Its row is read anew, as after each verdict.
      world.queue({ ...large, revision: BigInt(i) });
      // Each of them would stay within what a is guaranteed.
      world.submit(`job_late${i}`, 1, 'a');
      world.round(1);
    }
    expect(world.started).toContain('job_large');
    expect(world.started.filter((id) => id.startsWith('job_late'))).toEqual([]);
    expect(world.ended).toHaveLength(20);
    expect(new Set(world.ended).size).toBe(20);
  });

  it('goes before who keeps within another guarantee, and waits like others once that is long ago', () => {
    const world = new World();
    for (let i = 0; i < 40; i += 1) world.submit(`job_b${String(i).padStart(2, '0')}`, 1, 'b');
    world.round();
    world.submit('job_large', 20, 'a');
    world.round();
    expect(world.ended).toHaveLength(20);
    for (let i = 0; i < 21; i += 1) {
      // Of a third project, within what that is guaranteed.
      world.submit(`job_c${String(i).padStart(2, '0')}`, 1, 'c');
      world.round(1);
    }
    expect(world.started.filter((id) => !id.startsWith('job_b'))[0]).toBe('job_large');
    const promises = new Promises();
    expect(promises.make([{ jobId: 'job_v', inFavourOf: 'job_w' }] as never, 0)).toEqual(new Set(['job_w']));
    expect([promises.has('job_w'), promises.expire(15 * 60_000 - 1), promises.expire(15 * 60_000)]).toEqual([
      true,
      [],
      ['job_w'],
    ]);
    expect(promises.has('job_w')).toBe(false);
  });
});
