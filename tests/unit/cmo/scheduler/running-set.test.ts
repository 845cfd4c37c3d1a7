import { describe, expect, it } from 'vitest';
import type { PendingJob } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import type { JobTraits } from '../../../../src/cmo/scheduler/job-traits.ts';
import type { RunningRow } from '../../../../src/cmo/scheduler/running-rows.ts';
import { RoundEngine, type RoundRecord } from '../../../../src/cmo/scheduler/worker/round-engine.ts';
import { RunTimes } from '../../../../src/cmo/scheduler/worker/run-times.ts';
import { devices, job, node, now, policy, site } from './support/builders.ts';

const gpus = (count: number) => ({ resources: { devices: [{ count }] } });
const traits = (more: Partial<JobTraits> = {}): JobTraits => ({
  user: 'u',
  name: 'n',
  size: 1,
  runSeconds: null,
  ...more,
});
const queued = (...jobs: PendingJob[]) =>
  jobs.map((one) => [one.id, { job: one, reason: 'new', traits: traits() }] as const) as never;

function engineWith(...jobs: PendingJob[]): RoundEngine {
  const engine = new RoundEngine();
  const nodes = [['n1', node('n1', { devices: devices('n1', 4) })]] as const;
  engine.apply({ now, sites: [['s1', site()]], nodes, jobs: queued(...jobs) });
  return engine;
}
/** What a round is told to be running. */
function runningOf(engine: RoundEngine, at = now) {
  let found: RoundRecord['snapshot']['running'] = [];
  engine.run(policy(), at, ({ snapshot }) => {
    found = [...(snapshot.running ?? [])];
  });
  return found!.map(({ id, stopping, endsAt }) => [id, stopping, endsAt]);
}
const row = (id: string, more: Partial<RunningRow> = {}): RunningRow => ({
  id,
  tenant: 't1',
  project: 'p1',
  priority: 0,
  ranks: [
    { nodeId: 'n1', cpuMilli: 1000, memoryBytes: 0, diskBytes: 0, devices: [{ deviceId: 'n1-d0', milli: 1000 }] },
  ],
  startedAt: now - 60_000,
  checkpointAt: null,
  stopping: null,
  traits: traits({ runSeconds: 3600 }),
  ...more,
});

describe('what rounds know of running work', () => {
  it('is what they placed, until it is refused or ends', () => {
    const engine = engineWith(job('job_1', gpus(1)), job('job_2', gpus(1)));
    expect(runningOf(engine)).toEqual([]);
    expect(runningOf(engine)).toEqual([
      ['job_1', null, null],
      ['job_2', null, null],
    ]);
    engine.settle({ committed: ['job_1'], refused: [{ jobId: 'job_2', code: 'job_changed' }], unknown: [] });
    expect(runningOf(engine)).toEqual([['job_1', null, null]]);
    engine.apply({ now, running: [['job_1', null, true]] });
    expect(runningOf(engine)).toEqual([]);
  });

  it('is what rows say, with a time limit as the end, but not before a plan is settled', () => {
    const engine = engineWith(job('job_1', gpus(1)));
    engine.apply({ now, running: [['job_9', row('job_9')]] });
    expect(runningOf(engine)).toEqual([['job_9', null, now - 60_000 + 3_600_000]]);
    engine.apply({ now, running: [['job_1', null]] });
    expect(runningOf(engine).map(([id]) => id)).toEqual(['job_9', 'job_1']);
    engine.apply({ now, running: [['job_9', row('job_9', { stopping: 'preempt' })]] });
    expect(runningOf(engine)[0]).toEqual(['job_9', 'preempt', now - 60_000 + 3_600_000]);
  });

  it('ends work for others once, and counts it for an hour', () => {
    const urgent = job('job_u', gpus(4), { priority: 5 });
    const engine = engineWith();
    const busy = node('n1', { devices: devices('n1', 4).map((one, i) => ({ ...one, usedMilli: i === 0 ? 1000 : 0 })) });
    engine.apply({ now, nodes: [['n1', busy]], running: [['job_9', row('job_9', { startedAt: now - 3_600_000 })]] });
    engine.apply({ now, jobs: queued(urgent) });
    expect(engine.run(policy(), now).preemptions).toEqual([{ jobId: 'job_9', inFavourOf: 'job_u' }]);
    expect(runningOf(engine)).toEqual([['job_9', 'preempt', now]]);
    expect(engine.run(policy(), now).preemptions).toEqual([]);
    const lastHour = (at: number) => {
      let count: number | undefined;
      engine.run(policy(), at, ({ snapshot }) => {
        count = snapshot.preemptedLastHour;
      });
      return count;
    };
    expect([lastHour(now), lastHour(now + 3_599_999), lastHour(now + 3_600_000)]).toEqual([1, 1, 0]);
  });

  it('divides the queue anew when accounts do', () => {
    const other = (id: string, project: string) => job(id, gpus(4), { project, submittedAt: now - 1000 });
    const engine = engineWith(other('job_1', 'p1'), other('job_2', 'p1'), other('job_3', 'p2'));
    engine.apply({
      accounts: [
        { id: 't1/p2', parent: 't1', weight: 1, quotas: [{ resource: 'gpu', guaranteed: 4000, borrowLimit: 0 }] },
      ],
    });
    engine.run(policy(), now);
    expect(engine.placements(0, 9).map(({ jobId }) => jobId)).toEqual(['job_3']);
  });
});

/** What is expected of a job that comes now. */
function expectedOf(times: RunTimes, of: JobTraits, at: number) {
  const runTime = times.queued('job_asked', of, at, at);
  times.left('job_asked');
  return runTime;
}

describe('run times', () => {
  it('are learned from what ends by itself, and never beyond the limit', () => {
    const times = new RunTimes();
    expect(expectedOf(times, traits(), now)).toBeUndefined();
    expect(expectedOf(times, traits({ runSeconds: 50 }), now)).toEqual({
      likelySeconds: 50,
      carefulSeconds: 50,
      meanSeconds: 50,
    });
    for (let i = 0; i < 30; i += 1) {
      expect(times.started(`job_${i}`, traits(), now + i * 1000, now + i * 1000)).toBeDefined();
      times.ended(`job_${i}`, now + (i + 100) * 1000, true);
    }
    const later = now + 700_000;
    const { likelySeconds, carefulSeconds } = expectedOf(times, traits(), later)!;
    expect(likelySeconds).toBeGreaterThan(50);
    expect(likelySeconds).toBeLessThan(200);
    expect(carefulSeconds).toBeGreaterThanOrEqual(likelySeconds);
    expect(expectedOf(times, traits({ runSeconds: 10 }), later)!.carefulSeconds).toBeLessThanOrEqual(10);
    times.ended('job_nobody', now, true);
  });

  it('that were before are learned as if they had been watched', () => {
    const runs = Array.from({ length: 40 }, (_, i) => ({
      traits: traits({ name: i % 2 === 0 ? 'short' : 'long' }),
      startedAt: now + i * 5000,
      endedAt: now + i * 5000 + (i % 2 === 0 ? 60_000 : 7_200_000),
    }));
    const watched = new RunTimes();
    const events = runs.flatMap((run, i) => [
      { at: run.startedAt, act: () => watched.started(`job_${i}`, run.traits, run.startedAt, run.startedAt) },
      { at: run.endedAt, act: () => watched.ended(`job_${i}`, run.endedAt, true) },
    ]);
    for (const { act } of events.sort((a, b) => a.at - b.at)) act();
    const told = new RunTimes();
    // Rows come newest first.
    told.remember([...runs].reverse());
    const later = now + 1e8;
    for (const name of ['short', 'long', 'never seen']) {
      // Ends in the same moment may come in another order.
      const [here, there] = [told, watched].map((times) => expectedOf(times, traits({ name }), later)!);
      expect(here!.likelySeconds / there!.likelySeconds).toBeCloseTo(1, 3);
      expect(here!.carefulSeconds / there!.carefulSeconds).toBeCloseTo(1, 3);
    }
    expect(expectedOf(told, traits({ name: 'short' }), later)!.likelySeconds).toBeLessThan(120);
    expect(expectedOf(told, traits({ name: 'long' }), later)!.likelySeconds).toBeGreaterThan(3600);
  });

  it('of which the times make no sense teach nothing', () => {
    const times = new RunTimes();
    const wrong = [
      { startedAt: now, endedAt: now - 1 },
      { startedAt: Number.NaN, endedAt: now },
      { startedAt: now, endedAt: Number.POSITIVE_INFINITY },
    ];
    times.remember(wrong.map((one) => ({ ...one, traits: traits() })));
    expect(expectedOf(times, traits(), now)).toBeUndefined();
  });

  it('and what was ended for others come with the history that a new scheduler reads', () => {
    const engine = new RoundEngine();
    const run = { traits: traits(), startedAt: now - 200_000, endedAt: now - 100_000 };
    const runs = Array.from({ length: 20 }, () => run);
    engine.apply({ now, history: { runs, preemptedAt: [now - 1000, now - 3_599_000, now - 3_600_000] } });
    engine.apply({ now, jobs: queued(job('job_1', gpus(1))) });
    let record: RoundRecord | undefined;
    engine.run(policy(), now, (round) => {
      record = round;
    });
    expect(record!.snapshot.preemptedLastHour).toBe(2);
    expect(record!.jobs[0]!.runTime!.likelySeconds).toBeGreaterThan(50);
  });
});
