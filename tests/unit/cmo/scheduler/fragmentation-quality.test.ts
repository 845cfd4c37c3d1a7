import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { schedule } from '../../../../src/cmo/scheduler/core/schedule.ts';
import type { PendingJob, Policy } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { decodeRound, encodeRound, sorted } from '../../../../src/cmo/scheduler/record/round-file.ts';
import { RoundEngine } from '../../../../src/cmo/scheduler/worker/round-engine.ts';
import { devices, fleetOf, job, node, now, policy, type SpecInput, site } from './support/builders.ts';

/** A stream of numbers 0..1 by a linear congruence: the same everywhere. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

type Kinds = readonly (readonly [SpecInput, number])[];

const kind = (cpu: number, devices: object[], times: number) =>
  [{ resources: { cpu, memory: '1GiB', devices } } as SpecInput, times] as const;
const mixed: Kinds = [
  kind(4, [{ fraction: 0.7 }], 3),
  kind(2, [{ fraction: 0.3 }], 3),
  kind(3, [{ fraction: 0.45 }], 2),
  kind(6, [{}], 3),
  kind(16, [{ count: 4 }], 1),
  kind(4, [], 3),
];
const oddShares: Kinds = [
  kind(2, [{ fraction: 0.62 }], 4),
  kind(2, [{ fraction: 0.38 }], 2),
  kind(2, [{ fraction: 0.19 }], 1),
  kind(2, [{ fraction: 0.81 }], 3),
  kind(3, [{}], 3),
];
const scarceCpu: Kinds = [kind(1, [{}], 4), kind(10, [{}], 3), kind(8, [], 3), kind(2, [{ fraction: 0.5 }], 2)];

/** A stream of jobs, drawn from kinds by how often each comes. */
function jobsOf(seed: number, count: number, kinds: Kinds = mixed): PendingJob[] {
  const shapes = kinds.flatMap(([spec, times], i) => Array.from({ length: times }, () => job(`kind-${i}`, spec)));
  const next = numbers(seed * 7919);
  return Array.from({ length: count }, (_, i) => {
    const one = shapes[Math.floor(next() * shapes.length)]!;
    return { ...one, id: `job_${String(i).padStart(4, '0')}`, submittedAt: i };
  });
}

const fleet = fleetOf(
  Array.from({ length: 24 }, (_, i) =>
    node(`n${i}`, { cpuMilli: i % 2 === 0 ? 24_000 : 16_000, devices: devices(`n${i}`, i % 3 === 0 ? 8 : 4) }),
  ),
);

/** Thousandths of devices that are given out when far more is asked for than there is. */
function allocated(kinds: Kinds, seed: number, placement: Policy['placement']): number {
  const rules = policy({ placement, maxPlacements: 100_000, maxReservations: 0 });
  const { placements } = schedule(fleet, jobsOf(seed, 200, kinds), rules, now);
  return placements
    .flatMap(({ ranks }) => ranks.flatMap((rank) => rank.devices))
    .reduce((sum, { milli }) => sum + milli, 0);
}

describe('a fleet that overflows', () => {
  it.each([
    ['shares that do not add up', oddShares, 2],
    ['cpu that is scarce', scarceCpu, 15],
  ] as const)('holds more by least fragmentation than by best fit: %s', (_, kinds, percent) => {
    const total = (placement: Policy['placement']) =>
      Array.from({ length: 8 }, (_, seed) => allocated(kinds, seed + 1, placement)).reduce(
        (sum, milli) => sum + milli,
        0,
      );
    expect(total('least-fragmentation')).toBeGreaterThan((1 + percent / 100) * total('best-fit'));
  });

  it('leaves no job waiting that fits', () => {
    fc.assert(
      fc.property(fc.nat(1000), (seed) => {
        const jobs = jobsOf(seed, 200);
        const rules = policy({ maxPlacements: 100_000, maxReservations: 0 });
        const { placements, pending } = schedule(fleet, jobs, rules, now);
        const used = new Map<string, number>();
        const add = (key: string, amount: number) => used.set(key, (used.get(key) ?? 0) + amount);
        for (const rank of placements.flatMap(({ ranks }) => ranks)) {
          add(rank.nodeId, rank.cpuMilli);
          for (const { deviceId, milli } of rank.devices) add(deviceId, milli);
        }
        for (const { jobId } of pending) {
          const { resources } = jobs.find(({ id }) => id === jobId)!.shape;
          const [request] = resources.deviceAlternatives[0]!;
          const fits = fleet.nodes.ids.some((id, row) => {
            if (fleet.nodes.cpuMilli[row]! - (used.get(id) ?? 0) < resources.cpuMilli) return false;
            if (request === undefined) return true;
            const start = fleet.nodes.deviceStart[row]!;
            const ids = fleet.devices.ids.slice(start, start + fleet.nodes.deviceCount[row]!);
            return ids.filter((one) => 1000 - (used.get(one) ?? 0) >= request.milli).length >= request.count;
          });
          // Memory is plentiful but not endless: 64 GiB a node hold more jobs of 1 GiB than there are cores.
          expect(fits).toBe(false);
        }
      }),
      { numRuns: 10 },
    );
  });
});

describe('a recorded round', () => {
  it('has what the engine had learned, and gives the identical plan again', () => {
    const engine = new RoundEngine();
    const nodes = Array.from({ length: 6 }, (_, i) => node(`n${i}`, { devices: devices(`n${i}`, 4) }));
    engine.apply({ sites: [[site().id, site()]], nodes: nodes.map((row) => [row.id, row]) });
    const jobs = jobsOf(7, 60);
    for (const one of jobs.slice(0, 40)) {
      engine.apply({ jobs: [[one.id, { job: one, reason: 'new' }]] });
      engine.apply({ jobs: [[one.id, null]] });
    }
    engine.apply({ jobs: jobs.slice(40).map((one) => [one.id, { job: one, reason: 'new' }]) });
    let text = '';
    engine.run(policy(), now, (record) => {
      text = encodeRound(record);
    });
    const recorded = decodeRound(text);
    expect(recorded.snapshot.workload!.length).toBeGreaterThan(3);
    expect(recorded.plan.placements.length).toBeGreaterThan(10);
    const { snapshot, policy: rules, round } = recorded;
    expect(sorted(schedule(snapshot, recorded.jobs, rules, recorded.now, round))).toEqual(recorded.plan);
    // The workload decides: without it the plan is another one.
    const { workload: _, ...forgetful } = snapshot;
    const other = schedule(
      { ...forgetful, workload: [{ kind: jobs[0]!.shape, weight: 1 }] },
      recorded.jobs,
      rules,
      now,
      round,
    );
    expect(other.placements.map(({ explanation }) => explanation.candidates)).not.toEqual(
      recorded.plan.placements.map(({ explanation }) => explanation.candidates),
    );
  });

  it('is the same after a thousand learned jobs in whatever order they are given to a round', () => {
    const workload = jobsOf(3, 200).map(({ shape }) => ({ kind: shape, weight: 1 }));
    const jobs = jobsOf(4, 100);
    const plan = schedule({ ...fleet, workload }, jobs, policy(), now);
    expect(schedule({ ...fleet, workload }, [...jobs].reverse(), policy(), now)).toEqual(plan);
  });
});
