import { describe, expect, it } from 'vitest';
import type { PendingJob } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { RoundEngine } from '../../../../src/cmo/scheduler/worker/round-engine.ts';
import type { PendingReason } from '../../../../src/common/contract/states/job.ts';
import { devices, job, node, now, policy, site } from './support/builders.ts';

const gpus = (count: number) => ({ resources: { devices: [{ count }] } });
const queued = (...jobs: PendingJob[]) =>
  jobs.map((one) => [one.id, { job: one, reason: 'new' as PendingReason }] as const);
const oneNode = (used = 0, revision = 1) =>
  node('n1', { revision, devices: devices('n1', 4).map((one, i) => ({ ...one, usedMilli: i < used ? 1000 : 0 })) });

function engineWith(...jobs: PendingJob[]): RoundEngine {
  const engine = new RoundEngine();
  engine.apply({ sites: [['s1', site()]], nodes: [['n1', oneNode()]], jobs: queued(...jobs) });
  return engine;
}
const placed = (engine: RoundEngine) => {
  engine.run(policy(), now);
  return engine.placements(0, 100).map(({ jobId }) => jobId as string);
};
const settled = { committed: [], refused: [], unknown: [] };

describe('a round in the worker', () => {
  it('does not plan again what it has planned, nor on the same capacity', () => {
    const engine = engineWith(job('job_1', gpus(3)), job('job_2', gpus(3)));
    expect(placed(engine)).toEqual(['job_1']);
    expect(placed(engine)).toEqual([]);
  });

  it('gives refused capacity back, and the job with it', () => {
    const engine = engineWith(job('job_1', gpus(3)), job('job_2', gpus(3), { submittedAt: now }));
    expect(placed(engine)).toEqual(['job_1']);
    engine.settle({ ...settled, refused: [{ jobId: 'job_1', code: 'capacity_taken' }] });
    expect(placed(engine)).toEqual(['job_1']);
    engine.settle({ ...settled, refused: [{ jobId: 'job_1', code: 'job_changed' }] });
    expect(placed(engine)).toEqual(['job_2']);
  });

  it('believes the counters that arrive after a commit, once', () => {
    const engine = engineWith(job('job_1', gpus(3)), job('job_2', gpus(1)), job('job_3', gpus(1)));
    expect(placed(engine)).toEqual(['job_1', 'job_2']);
    engine.settle({ ...settled, committed: ['job_1', 'job_2'] });
    expect(placed(engine)).toEqual([]);
    engine.apply({ nodes: [['n1', oneNode(4)]] });
    expect(placed(engine)).toEqual([]);
    engine.apply({ nodes: [['n1', oneNode(3)]] });
    expect(placed(engine)).toEqual(['job_3']);
  });

  it('takes an open placement again from counters that do not know it yet', () => {
    const engine = engineWith(job('job_1', gpus(3)), job('job_2', gpus(3)));
    expect(placed(engine)).toEqual(['job_1']);
    engine.apply({ nodes: [['n1', oneNode(0)]] });
    expect(placed(engine)).toEqual([]);
  });

  it('puts back the newest row of a refused job, or none when it left the queue', () => {
    const engine = engineWith(job('job_1', gpus(1)));
    expect(placed(engine)).toEqual(['job_1']);
    engine.apply({ jobs: [['job_1', null]] });
    engine.settle({ ...settled, refused: [{ jobId: 'job_1', code: 'capacity_taken' }] });
    expect(placed(engine)).toEqual([]);
    engine.apply({ jobs: queued(job('job_1', gpus(1), { revision: 7n })) });
    engine.run(policy(), now);
    expect(engine.placements(0, 1)[0]!.jobRevision).toBe(7n);
  });

  it('writes a verdict when its reason changes, and a new sentence only after a while', () => {
    const engine = engineWith(job('job_1', gpus(8)), job('job_2', gpus(4)), job('job_3', gpus(4)));
    const verdicts = (at: number) => {
      engine.run(policy(), at);
      return engine.verdicts(0, 100).map(({ jobId, reason }) => [jobId as string, reason]);
    };
    expect(verdicts(now)).toEqual([
      ['job_1', 'no_matching_node'],
      ['job_3', 'insufficient_capacity'],
    ]);
    expect(verdicts(now + 1000)).toEqual([]);
    engine.apply({ nodes: [['n1', oneNode(2)]] });
    engine.settle({ ...settled, committed: ['job_2'] });
    engine.apply({ nodes: [['n1', oneNode(1)]] });
    expect(verdicts(now + 2000)).toEqual([]);
    expect(verdicts(now + 60_000)).toEqual([['job_3', 'insufficient_capacity']]);
  });

  it('says when the next job may start, and starts it then', () => {
    const engine = engineWith(job('job_1', {}, { notBefore: now + 5000, notBeforeReason: 'earliest_start' }));
    expect(engine.run(policy(), now)).toMatchObject({ nextAt: now + 5000, placementCount: 0 });
    expect(engine.run(policy(), now + 5000)).toMatchObject({ nextAt: null, placementCount: 1 });
  });

  it('finds rows that differ, and hands out what it holds in turn', () => {
    const engine = engineWith(job('job_1', gpus(8)), job('job_2', gpus(8)), job('job_3', gpus(8)));
    const rows = [
      ['n1', 1],
      ['n2', 1],
    ] as const;
    expect(engine.compare('node', rows, 10)).toEqual({ differing: ['n2'], held: ['n1'] });
    expect(engine.compare('node', [['n1', 2]], 10).differing).toEqual(['n1']);
    expect(engine.compare('job', [['job_1', 1]], 2)).toEqual({ differing: [], held: ['job_1', 'job_2'] });
    expect(engine.compare('job', [], 2).held).toEqual(['job_3']);
    expect(engine.compare('job', [], 2).held).toEqual(['job_1', 'job_2']);
  });

  it('counts queued jobs by the reason they carry', () => {
    const engine = engineWith(job('job_1', gpus(8)), job('job_2'));
    expect(engine.run(policy(), now).pending).toMatchObject({ new: 0, no_matching_node: 1 });
  });
});
