import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cluster } from '../../../../bench/jct/cluster.ts';
import { figuresOf } from '../../../../bench/jct/figures.ts';
import { lastTwo } from '../../../../bench/jct/policies/last-two.ts';
import { easy, fifo, fifoSkip, oracleArea, oracleSjf, smallFirst } from '../../../../bench/jct/policies/plain.ts';
import { predictedWork } from '../../../../bench/jct/policies/predicted-work.ts';
import { oracleSrtf, predictedRemainingWork, tiresias } from '../../../../bench/jct/policies/preemptive.ts';
import { qssf } from '../../../../bench/jct/policies/qssf.ts';
import { type SimJob, simJobs } from '../../../../bench/jct/sim-job.ts';
import { type Policy, simulate } from '../../../../bench/jct/simulate.ts';
import { LOST_SECONDS, simulatePreemptive } from '../../../../bench/jct/simulate-preemptive.ts';
import type { TraceJob } from '../../../../src/cmo/scheduler/simulation/traces/trace-job.ts';

const job = (
  submittedAt: number,
  runSeconds: number,
  size: number,
  estimateSeconds: number | null = null,
): TraceJob => ({
  id: `${submittedAt}-${runSeconds}`,
  submittedAt,
  runSeconds,
  size,
  estimateSeconds,
  user: 'u',
  name: '',
});

const traces = fc
  .array(
    fc.record({
      submittedAt: fc.nat(30),
      runSeconds: fc.nat(12),
      size: fc.integer({ min: 1, max: 6 }),
      slack: fc.nat(10),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((jobs) =>
    jobs
      .sort((a, b) => a.submittedAt - b.submittedAt)
      .map(({ submittedAt, runSeconds, size, slack }) => job(submittedAt, runSeconds, size, runSeconds + slack + 1)),
  );

/** A pool of 6 cores second by second, by the definition of each policy. */
function reference(trace: readonly TraceJob[], passing: 'none' | 'any' | 'backfill'): number[] {
  const starts = trace.map(() => -1);
  const isRunning = (i: number, at: number) => starts[i]! >= 0 && at < starts[i]! + trace[i]!.runSeconds;
  const freeAt = (at: number) => 6 - trace.reduce((sum, one, i) => sum + (isRunning(i, at) ? one.size : 0), 0);
  for (let now = 0; starts.some((start) => start < 0); now++) {
    // Jobs of no length free their cores at once, so a second is repeated until nothing starts.
    for (let changed = true; changed; ) {
      changed = false;
      const waiting = trace.map((_, i) => i).filter((i) => starts[i]! < 0 && trace[i]!.submittedAt <= now);
      const first = waiting.findIndex((i) => trace[i]!.size > freeAt(now));
      const fitting = first < 0 ? waiting : waiting.slice(0, first);
      if (fitting.length > 0) {
        starts[fitting[0]!] = now;
        changed = true;
        continue;
      }
      if (first < 0 || passing === 'none') continue;
      const believed = (i: number) => Math.max(now + 1, starts[i]! + trace[i]!.estimateSeconds!);
      const believedFree = (at: number) =>
        6 - trace.reduce((sum, one, i) => sum + (isRunning(i, now) && believed(i) > at ? one.size : 0), 0);
      let at = now;
      while (believedFree(at) < trace[waiting[first]!]!.size) at++;
      const spare = believedFree(at) - trace[waiting[first]!]!.size;
      const passer = waiting.slice(first + 1).find((i) => {
        const { size, estimateSeconds } = trace[i]!;
        return size <= freeAt(now) && (passing === 'any' || now + estimateSeconds! <= at || size <= spare);
      });
      if (passer === undefined) continue;
      starts[passer] = now;
      changed = true;
    }
  }
  return starts;
}

const starts = (jobs: readonly SimJob[]) => jobs.map(({ startedAt }) => startedAt);

describe('the simulation', () => {
  // Without jobs of no length: those free their cores at the same instant, which is an event of its own here.
  const lasting = traces.map((trace) =>
    trace.map((one) => ({ ...one, runSeconds: one.runSeconds + 1, estimateSeconds: one.estimateSeconds! + 1 })),
  );
  it.each([
    ['FIFO', fifo, 'none'],
    ['FIFO+skip', fifoSkip, 'any'],
    ['EASY', easy, 'backfill'],
  ] as const)('of %s starts jobs when stepping second by second does', (_, policy, passing) => {
    fc.assert(
      fc.property(lasting, (trace) => {
        const jobs = simJobs(trace);
        simulate(jobs, new Cluster(1, 6), policy());
        expect(starts(jobs)).toEqual(reference(trace, passing));
      }),
      { numRuns: 300 },
    );
  });

  const all: readonly (() => Policy)[] = [
    fifo,
    fifoSkip,
    easy,
    () => lastTwo('arrival'),
    () => lastTwo('shortest'),
    smallFirst,
    () => qssf(),
    () => qssf('any'),
    () => oracleSjf(),
    oracleArea,
    () => predictedWork(6),
  ];
  it.each(all.map((make) => [make().name, make] as const))(
    'of %s runs every job whole, never before its submission, never beyond capacity',
    (_, make) => {
      fc.assert(
        fc.property(traces, fc.boolean(), (trace, byNodes) => {
          const jobs = simJobs(trace);
          simulate(jobs, byNodes ? new Cluster(3, 2) : new Cluster(1, 6), make());
          for (const one of jobs) {
            expect(one.startedAt).toBeGreaterThanOrEqual(one.submittedAt);
            expect(one.endedAt).toBe(one.startedAt + one.runSeconds);
            const used = jobs.filter((other) => other.startedAt <= one.startedAt && one.startedAt < other.endedAt);
            expect(used.reduce((sum, { size }) => sum + size, 0)).toBeLessThanOrEqual(6);
          }
        }),
        { numRuns: 60 },
      );
    },
  );

  it('backfills what ends before the reservation and not what delays it', () => {
    const jobs = simJobs([job(0, 10, 4, 10), job(1, 5, 6, 5), job(2, 8, 2, 8), job(2, 9, 2, 9)]);
    simulate(jobs, new Cluster(1, 6), easy());
    expect(starts(jobs)).toEqual([0, 10, 2, 15]);
  });

  it('gives the same result twice', () => {
    const trace = Array.from({ length: 60 }, (_, i) => job(i * 3, 1 + ((i * 37) % 50), 1 + (i % 6)));
    const [first, second] = [0, 1].map(() => {
      const jobs = simJobs(trace);
      simulate(jobs, new Cluster(1, 6), predictedWork(6));
      return starts(jobs);
    });
    expect(first).toEqual(second);
  });

  it('refuses a job that never fits', () => {
    expect(() => simulate(simJobs([job(0, 1, 7)]), new Cluster(1, 6), fifo())).toThrow(RangeError);
  });

  it('measures completion, wait and slowdown as defined', () => {
    const jobs = simJobs([job(0, 5, 6), job(0, 20, 6)]);
    simulate(jobs, new Cluster(1, 6), fifo());
    expect(figuresOf(jobs)).toEqual({
      meanCompletion: 15,
      p99Completion: 25,
      meanWait: 2.5,
      longestWait: 5,
      boundedSlowdown: (1 + 25 / 20) / 2,
    });
  });
});

describe('the preemptive simulation', () => {
  const policies = [tiresias, oracleSrtf, predictedRemainingWork];

  it.each(policies.map((make) => [make().name, make] as const))(
    'of %s gives every job its work and its losses',
    (_, make) => {
      fc.assert(
        fc.property(traces, fc.integer({ min: 1, max: 1000 }), (trace, scale) => {
          const jobs = simJobs(trace.map((one) => ({ ...one, runSeconds: one.runSeconds * scale })));
          const preemptions = simulatePreemptive(jobs, new Cluster(1, 6), make());
          for (const one of jobs) {
            expect(one.endedAt - one.submittedAt).toBeGreaterThanOrEqual(one.runSeconds - 1e-3);
          }
          const work = jobs.reduce((sum, { runSeconds, size }) => sum + runSeconds * size, 0);
          const last = Math.max(...jobs.map(({ endedAt }) => endedAt));
          const lost = preemptions * LOST_SECONDS;
          expect((last - jobs[0]!.submittedAt) * 6).toBeGreaterThanOrEqual(work - 1e-3);
          expect(last).toBeLessThanOrEqual(30 + jobs.reduce((sum, one) => sum + one.runSeconds, 0) + lost + 1e-3);
        }),
        { numRuns: 60 },
      );
    },
  );

  it('preempts a long job for a short one, at its price', () => {
    const jobs = simJobs([job(0, 10_000, 6), job(100, 50, 6)]);
    expect(simulatePreemptive(jobs, new Cluster(1, 6), oracleSrtf())).toBe(1);
    expect(jobs[1]!.endedAt).toBe(150);
    expect(jobs[0]!.endedAt).toBe(10_050 + LOST_SECONDS);
  });

  it('does not preempt where the price is more than the gain', () => {
    const jobs = simJobs([job(0, 700, 6), job(100, 50, 6)]);
    expect(simulatePreemptive(jobs, new Cluster(1, 6), oracleSrtf())).toBe(0);
    expect(jobs[1]!.endedAt).toBe(750);
  });

  it('of Tiresias moves a job behind newcomers once it has had its service', () => {
    // 6 GPUs × 600 s are its limit; the newcomer goes first from then on.
    const jobs = simJobs([job(0, 2000, 6), job(100, 300, 6)]);
    expect(simulatePreemptive(jobs, new Cluster(1, 6), tiresias())).toBe(1);
    expect(jobs[1]!.endedAt).toBeCloseTo(900, 3);
  });
});
