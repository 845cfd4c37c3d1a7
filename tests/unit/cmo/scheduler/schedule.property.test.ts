import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeRow, SiteRow } from '../../../../src/cmo/scheduler/core/rows.ts';
import { schedule } from '../../../../src/cmo/scheduler/core/schedule.ts';
import type { PendingJob, Policy } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { device, fleetOf, gib, job, node, now, policy, type SpecInput, site } from './support/builders.ts';
import { canGive, faultsOf, isOpenTo, priceAt } from './support/checker.ts';

const models = ['H100', 'A100', 'L4'];

const nodeArb = (id: string): fc.Arbitrary<NodeRow> =>
  fc
    .record({
      siteId: fc.constantFrom('s1', 's2'),
      presence: fc.constantFrom('ready', 'ready', 'ready', 'ready', 'lost', 'joining'),
      scheduling: fc.constantFrom('open', 'open', 'open', 'open', 'cordoned', 'draining'),
      health: fc.constantFrom('ok', 'ok', 'ok', 'degraded'),
      isolation: fc.constantFrom(
        ['process'],
        ['process', 'sandbox'],
        ['sandbox'],
        ['container'],
        ['sandbox', 'container'],
      ),
      hostNetwork: fc.boolean(),
      cpuMilli: fc.integer({ min: 0, max: 8000 }),
      usedCpuMilli: fc.integer({ min: 0, max: 4000 }),
      memoryBytes: fc.integer({ min: 0, max: 16 }).map((n) => n * gib),
      diskBytes: fc.constantFrom(10 * gib, 100 * gib),
      devices: fc.array(
        fc.record({
          model: fc.constantFrom(...models),
          driver: fc.constantFrom('470.1', '550.54', null),
          memoryBytes: fc.constantFrom(24, 40, 80).map((n) => n * gib),
          usedMilli: fc.constantFrom(0, 0, 0, 250, 500, 1000),
          healthy: fc.constantFrom(true, true, true, false),
        }),
        { maxLength: 4 },
      ),
    })
    .map((made) =>
      node(id, { ...made, devices: made.devices.map((one, i) => device(`${id}-d${i}`, one)) } as unknown as NodeRow),
    );

const requestArb = fc.oneof(
  fc.record({
    count: fc.integer({ min: 1, max: 3 }),
    model: fc.option(fc.constantFrom(...models), { nil: undefined }),
  }),
  fc.record({ fraction: fc.constantFrom(0.25, 0.5, 1), minDriver: fc.option(fc.constant('500'), { nil: undefined }) }),
  fc.record({ count: fc.constant(1), minMemory: fc.constantFrom('30GiB', '80GiB') }),
);
const listArb = fc.array(requestArb, { minLength: 1, maxLength: 2 });

const specArb = fc
  .record({
    resources: fc.record({
      cpu: fc.constantFrom(0.5, 1, 4),
      memory: fc.constantFrom('1GiB', '4GiB'),
      nodes: fc.constantFrom(1, 1, 1, 2, 3),
      devices: fc.oneof(
        fc.constant([]),
        listArb,
        fc.record({ anyOf: fc.array(listArb, { minLength: 1, maxLength: 2 }) }),
      ),
    }),
    isolation: fc.constantFrom('process', 'sandbox'),
    picture: fc.constantFrom({}, {}, { image: 'app' }),
    network: fc.constantFrom('none', 'none', 'host'),
    priority: fc.integer({ min: -1, max: 1 }),
    pricing: fc.constantFrom({}, {}, { maxPricePerHour: '3' }),
  })
  .map(({ picture, ...spec }) => ({ ...spec, ...picture }));

const jobsArb = fc
  .array(
    fc.record({
      spec: specArb,
      age: fc.integer({ min: 0, max: 900 }),
      early: fc.constantFrom(false, false, false, true),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((list) =>
    list.map(({ spec, age, early }, i) =>
      job(`job_${i}`, JSON.parse(JSON.stringify(spec)) as SpecInput, {
        submittedAt: now - age * 1000,
        notBefore: early ? now + 1 : 0,
        notBeforeReason: early ? 'earliest_start' : null,
      }),
    ),
  );

const placementArb = fc.constantFrom<Policy['placement']>('best-fit', 'least-fragmentation');

const sites: SiteRow[] = [site('s1'), site('s2', { deviceUsdPerHour: 900_000 })];
const fleetArb = fc
  .integer({ min: 0, max: 7 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, i) => nodeArb(`n${i}`))));

/** Whether the ranks would fit the free nodes of a site, by rows and loops. */
function fits(one: PendingJob, nodes: readonly NodeRow[], free: boolean): boolean {
  const { resources } = one.shape;
  const left = (capacity: number, used: number) => capacity - (free ? used : 0);
  return resources.deviceAlternatives.some((list) =>
    sites.some(
      (place) =>
        priceAt(place, one, list) <= one.shape.maxUsdPerHour &&
        nodes.filter(
          (candidate) =>
            candidate.siteId === place.id &&
            isOpenTo(candidate, one) &&
            left(candidate.cpuMilli, candidate.usedCpuMilli) >= resources.cpuMilli &&
            left(candidate.memoryBytes, candidate.usedMemoryBytes) >= resources.memoryBytes &&
            left(candidate.diskBytes, candidate.usedDiskBytes) >= resources.diskBytes &&
            canGive(candidate.devices, list, (id) => {
              const found = candidate.devices.find((other) => other.id === id)!;
              return left(found.milli, found.usedMilli);
            }),
        ).length >= resources.nodes,
    ),
  );
}

describe('a plan', () => {
  it('breaks no rule, judges every other job once, and is the same every time', () => {
    fc.assert(
      fc.property(
        fleetArb,
        jobsArb,
        fc.integer({ min: 1, max: 20 }),
        placementArb,
        (nodes, jobs, maxPlacements, placement) => {
          const snapshot = fleetOf(nodes, sites);
          const plan = schedule(snapshot, jobs, policy({ maxPlacements, placement }), now);
          expect(faultsOf(plan, nodes, sites, jobs, now)).toEqual([]);
          expect(plan.placements.length).toBeLessThanOrEqual(maxPlacements);
          if (plan.placements.length < maxPlacements) {
            expect(plan.placements.length + plan.pending.length).toBe(jobs.length);
          }
          expect(schedule(snapshot, [...jobs].reverse(), policy({ maxPlacements, placement }), now)).toEqual(plan);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('places the first job in order whenever it fits, and judges it by what an idle fleet could hold when not', () => {
    fc.assert(
      fc.property(fleetArb, jobsArb, placementArb, (nodes, [first], placement) => {
        const alone = { ...first!, notBefore: 0 };
        const plan = schedule(fleetOf(nodes, sites), [alone], policy({ placement }), now);
        expect(plan.placements.length).toBe(fits(alone, nodes, true) ? 1 : 0);
        if (plan.placements.length === 0) {
          expect(plan.pending[0]!.reason === 'insufficient_capacity').toBe(fits(alone, nodes, false));
        }
      }),
      { numRuns: 400 },
    );
  });

  it('places jobs in order: priority, then arrival, then id', () => {
    fc.assert(
      fc.property(fleetArb, jobsArb, placementArb, (nodes, jobs, placement) => {
        const plan = schedule(fleetOf(nodes, sites), jobs, policy({ placement }), now);
        const placed = plan.placements.map(({ jobId }) => jobs.find(({ id }) => id === jobId)!);
        const sorted = [...placed].sort(
          (a, b) => b.priority - a.priority || a.submittedAt - b.submittedAt || (a.id < b.id ? -1 : 1),
        );
        expect(placed.map(({ id }) => id)).toEqual(sorted.map(({ id }) => id));
      }),
      { numRuns: 200 },
    );
  });

  it('explains each placement by a choice that it counts as feasible', () => {
    fc.assert(
      fc.property(fleetArb, jobsArb, placementArb, (nodes, jobs, placement) => {
        for (const { ranks, explanation } of schedule(fleetOf(nodes, sites), jobs, policy({ placement }), now)
          .placements) {
          const chosen = explanation.candidates.slice(0, ranks.length).map(({ nodeId }) => nodeId);
          expect(chosen).toEqual(ranks.map(({ nodeId }) => nodeId));
          const refused = Object.values(explanation.rejections).reduce((sum, count) => sum + count, 0);
          expect(explanation.feasibleCount + refused).toBe(nodes.length);
        }
      }),
      { numRuns: 200 },
    );
  });
});
