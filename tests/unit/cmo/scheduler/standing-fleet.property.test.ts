import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeviceRow, NodeRow } from '../../../../src/cmo/scheduler/core/rows.ts';
import { planOf, schedule } from '../../../../src/cmo/scheduler/core/schedule.ts';
import type { PendingJob, Policy } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { StandingFleet } from '../../../../src/cmo/scheduler/core/standing-fleet.ts';
import { sorted } from '../../../../src/cmo/scheduler/record/round-file.ts';
import { RoundEngine, type RoundRecord } from '../../../../src/cmo/scheduler/worker/round-engine.ts';
import { device, gib, job, node, now, policy, type SpecInput, site } from './support/builders.ts';

const gpu = (request: object, more: object = {}): SpecInput => ({ resources: { devices: [request], ...more } });
const specs: readonly SpecInput[] = [
  {},
  { resources: { cpu: 3, memory: '6GiB' } },
  { network: 'host' },
  gpu({}),
  gpu({ count: 2 }),
  gpu({ count: 4 }),
  gpu({ fraction: 0.25 }),
  gpu({ fraction: 0.5, model: 'A100' }),
  gpu({ fraction: 0.3 }, { cpu: 2 }),
  gpu({ model: 'L4' }, { cpu: 4 }),
  gpu({ count: 1 }, { nodes: 2 }),
  gpu({ fraction: 0.5 }, { nodes: 3 }),
  { resources: { devices: { anyOf: [[{ model: 'H100', count: 2 }], [{ model: 'A100' }]] } } },
  { resources: { devices: [{ fraction: 0.5 }, { model: 'A100' }] } },
  { ...gpu({}), pricing: { maxPricePerHour: '1.50' } },
  { ...gpu({}), placement: { require: { tier: ['a', 'b'] }, prefer: { tier: 'b' } } },
  { placement: { avoid: { tier: 'a' } } },
  { ...gpu({ fraction: 0.5 }, { nodes: 2 }), placement: { together: { required: 'pod', preferred: 'rack' } } },
  { ...gpu({}, { nodes: 2 }), placement: { together: { preferred: 'pod' } } },
  { labels: { app: 'db' }, placement: { antiAffinity: [{ jobs: { app: 'db' }, within: 'rack' }] } },
  {
    ...gpu({}),
    labels: { app: 'web' },
    placement: { affinity: [{ jobs: { app: 'db' }, within: 'pod', required: false }] },
  },
  { ...gpu({ fraction: 0.25 }), array: { count: 3 }, placement: { spread: { over: 'node', maxSkew: 1 } } },
  { ...gpu({ fraction: 0.5 }, { nodes: 2 }), placement: { spread: { over: 'rack' } } },
];

const deviceArb = fc.record({
  model: fc.constantFrom('H100', 'A100', 'A100', 'L4'),
  usedMilli: fc.constantFrom(0, 0, 0, 0, 300, 500, 1000),
  healthy: fc.constantFrom(true, true, true, true, false),
  memoryBytes: fc.constantFrom(80 * gib, 80 * gib, 40 * gib),
  watts: fc.constantFrom(undefined, 300, 700),
});
const nodeArb = fc.record({
  siteId: fc.constantFrom('s1', 's2'),
  scheduling: fc.constantFrom('open', 'open', 'open', 'open', 'cordoned'),
  presence: fc.constantFrom('ready', 'ready', 'ready', 'ready', 'lost', 'removed'),
  hostNetwork: fc.boolean(),
  labels: fc.record(
    { tier: fc.constantFrom('a', 'b'), pod: fc.constantFrom('p1', 'p2'), rack: fc.constantFrom('r1', 'r2') },
    { requiredKeys: [] },
  ),
  cpuMilli: fc.constantFrom(8000, 8000, 16_000),
  usedCpuMilli: fc.constantFrom(0, 0, 1000, 2000, 7000),
  devices: fc.array(deviceArb, { maxLength: 4 }),
});
const stepArb = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('node' as const), which: fc.nat(11), row: nodeArb }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('jobs' as const),
      specs: fc.array(fc.nat(specs.length - 1), { minLength: 1, maxLength: 8 }),
      old: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('round' as const),
      maxPlacements: fc.constantFrom(1, 3, 1000),
      placement: fc.constantFrom<Policy['placement']>(
        'least-fragmentation',
        'least-fragmentation',
        'least-fragmentation',
        'best-fit',
      ),
      order: fc.constantFrom<NonNullable<Policy['order']>>('arrival', 'arrival', 'least-work'),
      refuse: fc.boolean(),
      powerAware: fc.constantFrom(true, true, true, false),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('site' as const), price: fc.constantFrom(500_000, 3_000_000) }),
  },
);
type Step = typeof stepArb extends fc.Arbitrary<infer T> ? T : never;

const nodeRow = (which: number, row: object, revision: number): NodeRow => {
  const { devices, ...rest } = row as { devices: Partial<DeviceRow>[] };
  return node(`n${which}`, {
    ...rest,
    revision,
    devices: devices.map((one, i) => device(`n${which}-d${i}`, one)),
  });
};

/** What a fresh scheduler would plan on the same inputs. */
function fresh({ snapshot, jobs, policy: used, now: at, round }: RoundRecord) {
  return sorted(schedule(snapshot, jobs, used, at, round));
}

/** @param crowd nodes that are there from the start and change by placements only: more than a board keeps sorted */
function play(engine: RoundEngine, steps: readonly Step[], crowd = 0): number {
  let rounds = 0;
  let jobs = 0;
  engine.apply({ sites: ['s1', 's2'].map((id) => [id, site(id)]) });
  for (let i = 0; i < crowd; i += 1) {
    const models = [['A100', 'A100'], ['L4'], []][i % 3]!;
    const row = {
      siteId: i % 7 === 0 ? 's2' : 's1',
      usedCpuMilli: 500 * (i % 5),
      devices: models.map((model) => ({ model })),
    };
    engine.apply({ nodes: [[`n${100 + i}`, nodeRow(100 + i, row, 0)]] });
  }
  for (const [i, step] of steps.entries()) {
    if (step.type === 'site') engine.apply({ sites: [['s2', site('s2', { deviceUsdPerHour: step.price })]] });
    if (step.type === 'node') engine.apply({ nodes: [[`n${step.which}`, nodeRow(step.which, step.row, i)]] });
    if (step.type === 'jobs') {
      const arriving: PendingJob[] = step.specs.map((spec) => {
        jobs += 1;
        return job(`job_${jobs}`, specs[spec]!, {
          tenant: `t${spec % 3}`,
          ...(spec % 4 !== 0 && { runTime: { likelySeconds: 600 * (1 + (jobs % 5)), carefulSeconds: 7200 } }),
          ...(specs[spec]!.array && { array: `arr_${spec}` }),
          submittedAt: step.old ? now - 3_600_000 : now - 1000 + i,
        });
      });
      engine.apply({ jobs: arriving.map((one) => [one.id, { job: one, reason: 'new' }]) });
    }
    if (step.type !== 'round') continue;
    rounds += 1;
    const { maxPlacements, placement, powerAware } = step;
    const { placementCount } = engine.run(policy({ maxPlacements, placement, powerAware }), now + i, (round) => {
      expect(sorted(planOf(round.outcome, round.round))).toEqual(fresh(round));
    });
    const ids = engine.placements(0, placementCount).map(({ jobId }) => jobId as string);
    const refused = step.refuse ? ids.splice(0, 1) : [];
    engine.settle({
      committed: ids,
      refused: refused.map((jobId) => ({ jobId, code: 'capacity_taken' })),
      unknown: [],
    });
  }
  return rounds;
}

describe('a round on a standing fleet', () => {
  it('plans what a fresh one plans, whatever happened before', () => {
    fc.assert(
      fc.property(
        fc.array(stepArb, { minLength: 10, maxLength: 60 }),
        fc.constantFrom(1, 8, 1e9),
        fc.constantFrom(0, 0, 0, 150),
        (steps, ahead, crowd) => {
          play(new RoundEngine(new StandingFleet(ahead)), steps, crowd);
        },
      ),
      { numRuns: 200 },
    );
  });
});
