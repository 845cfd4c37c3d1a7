import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { domainOf } from '../../../../src/cmo/scheduler/core/domains.ts';
import { Fleet } from '../../../../src/cmo/scheduler/core/fleet.ts';
import { baseOf } from '../../../../src/cmo/scheduler/core/neighbours/rules.ts';
import { compileShape } from '../../../../src/cmo/scheduler/core/request.ts';
import type { NodeRow } from '../../../../src/cmo/scheduler/core/rows.ts';
import type { RunningJob } from '../../../../src/cmo/scheduler/core/running.ts';
import { schedule } from '../../../../src/cmo/scheduler/core/schedule.ts';
import { Scoreboard } from '../../../../src/cmo/scheduler/core/scoreboard.ts';
import type { PendingJob, Snapshot } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { type DomainLevel, domainLevels } from '../../../../src/common/contract/placement.ts';
import { devices, fleetOf, job, node, now, policy, type SpecInput, site } from './support/builders.ts';

const labelled = (id: string, labels: Record<string, string>, more: Partial<NodeRow> = {}) =>
  node(id, { labels, devices: devices(id, 2), ...more });

/** A job that holds two cores of each of these nodes. */
function running(id: string, nodeIds: readonly string[], more: Partial<RunningJob> = {}): RunningJob {
  return {
    id,
    tenant: 't1',
    project: 'p1',
    user: '',
    priority: 0,
    ranks: nodeIds.map((nodeId) => ({ nodeId, cpuMilli: 2000, memoryBytes: 0, diskBytes: 0, devices: [] })),
    startedAt: now - 60_000,
    checkpointAt: null,
    endsAt: null,
    preemptible: true,
    stopping: null,
    ...more,
  };
}

const withRunning = (snapshot: Snapshot, ...jobs: RunningJob[]): Snapshot => ({ ...snapshot, running: jobs });
const plan = (snapshot: Snapshot, jobs: readonly PendingJob[]) => schedule(snapshot, jobs, policy(), now);
const nodesOf = (snapshot: Snapshot, ...jobs: PendingJob[]): (string | undefined)[] => {
  const { placements } = plan(snapshot, jobs);
  return jobs.map(({ id }) =>
    placements
      .find(({ jobId }) => jobId === id)
      ?.ranks.map(({ nodeId }) => nodeId)
      .join(' '),
  );
};

const four = [
  labelled('n1', { rack: 'r1' }),
  labelled('n2', { rack: 'r1' }),
  labelled('n3', { rack: 'r2' }),
  labelled('n4', {}),
];

describe('affinity to other jobs', () => {
  const near = (within: DomainLevel, required = true): SpecInput => ({
    placement: { affinity: [{ jobs: { app: 'cache' }, within, required }] },
  });
  const cache = running('job_cache', ['n3'], { labels: { app: 'cache' } });

  it('stands in the same part as one of them', () => {
    const snapshot = withRunning(fleetOf([...four, labelled('n5', { rack: 'r2' })]), cache);
    expect(nodesOf(snapshot, job('job_1', near('node')))).toEqual(['n3']);
    expect(['n3', 'n5']).toContain(nodesOf(snapshot, job('job_1', near('rack')))[0]);
  });

  it('waits until one starts, and says so; a job of the same round counts', () => {
    const [pending] = plan(fleetOf(four), [job('job_1', near('rack'))]).pending;
    expect(pending).toMatchObject({ reason: 'placement_rule' });
    expect(pending!.detail.message).toContain(
      'with a job with app=cache, and none holds a node. It goes on when one starts.',
    );
    const first = job('job_0', { labels: { app: 'cache' }, placement: { require: { rank: 'x' } } });
    const cacheNode = labelled('n9', { rack: 'r9', rank: 'x' });
    expect(nodesOf(fleetOf([...four, cacheNode]), first, job('job_1', near('node')))).toEqual(['n9', 'n9']);
  });

  it('to jobs like itself lets the first stand anywhere, and the others beside it', () => {
    const like: SpecInput = { labels: { app: 'cache' }, ...near('rack') };
    const both = nodesOf(fleetOf([four[2]!, four[0]!, four[1]!]), job('job_1', like), job('job_2', like));
    const rackOf = (id: string | undefined) => four.find((one) => one.id === id)?.labels?.rack;
    expect(rackOf(both[0])).toBeDefined();
    expect(rackOf(both[0])).toBe(rackOf(both[1]));
  });

  it('that is only preferred goes elsewhere when there is no room', () => {
    const snapshot = withRunning(fleetOf(four), cache);
    expect(nodesOf(snapshot, job('job_1', near('node', false)))).toEqual(['n3']);
    const full = four.map((one) => (one.id === 'n3' ? { ...one, usedCpuMilli: 16_000 } : one));
    expect(nodesOf(withRunning(fleetOf(full), cache), job('job_1', near('node', false)))[0]).toBeDefined();
  });

  it('never means jobs of another tenant', () => {
    const other = { ...cache, tenant: 't2' };
    const { placements, pending } = plan(withRunning(fleetOf(four), other), [job('job_1', near('node'))]);
    expect(placements).toEqual([]);
    // …and says what it says where that job is not.
    expect(pending).toEqual(plan(fleetOf(four), [job('job_1', near('node'))]).pending);
  });
});

describe('jobs of several tenants with the same rules', () => {
  it('are judged each by its own neighbours, though they share an account and a shape', () => {
    const spec: SpecInput = { placement: { affinity: [{ jobs: { app: 'cache' } }] } };
    const snapshot = withRunning(fleetOf(four), running('job_cache', ['n3'], { labels: { app: 'cache' } }));
    const strange = job('job_1', spec, { tenant: 't2', submittedAt: now - 5000 });
    expect(nodesOf(snapshot, strange, job('job_2', spec))).toEqual([undefined, 'n3']);
    const own = job('job_1', spec, { submittedAt: now - 5000 });
    expect(nodesOf(snapshot, own, job('job_2', spec, { tenant: 't2' }))).toEqual(['n3', undefined]);
  });
});

describe('anti-affinity to other jobs', () => {
  const apart = (within: DomainLevel, required = true): SpecInput => ({
    placement: { antiAffinity: [{ jobs: { app: 'db' }, within, required }] },
  });
  const db = (nodeId: string) => running(`job_${nodeId}`, [nodeId], { labels: { app: 'db' } });

  it('stands in no part where one of them stands, nor where nobody says which part it is', () => {
    const snapshot = withRunning(fleetOf(four), db('n1'));
    expect(nodesOf(snapshot, job('job_1', apart('rack')))).toEqual(['n3']);
    const { placements, pending } = plan(withRunning(fleetOf(four), db('n1'), db('n3')), [job('job_1', apart('rack'))]);
    expect(placements).toEqual([]);
    expect(pending[0]).toMatchObject({ reason: 'placement_rule' });
    expect(pending[0]!.detail.message).toContain('one stands in each of the 2 racks that could hold it');
    expect(pending[0]!.detail.rejections).toMatchObject({ anti_affinity: 4 });
  });

  it('says when it may stand, and after which job, if anybody knows', () => {
    const ends = (nodeId: string, minutes: number) => ({ ...db(nodeId), endsAt: now + minutes * 60_000 });
    const waits = (...some: RunningJob[]) =>
      plan(withRunning(fleetOf(four), ...some), [job('job_1', apart('rack'))]).pending[0]!.detail;
    // Rack r1 is clear when both of its jobs have ended, r2 when its one has.
    const known = waits(ends('n1', 10), ends('n2', 70), ends('n3', 40));
    expect(known.message).toContain('Expected in about 40 min, when job_n3 ends.');
    expect(known.expectedAt).toBe(new Date(now + 40 * 60_000).toISOString());
    expect(waits(ends('n1', 10), ends('n2', 30), db('n3')).message).toContain('in about 30 min, when job_n2 ends.');
    expect(waits(ends('n1', 10), db('n2'), db('n3')).message).not.toContain('Expected');
  });

  it('keeps jobs of one round apart', () => {
    const like: SpecInput = { labels: { app: 'db' }, ...apart('rack') };
    const placed = nodesOf(fleetOf(four), job('job_1', like), job('job_2', like), job('job_3', like));
    expect(placed.filter((one) => one !== undefined)).toHaveLength(2);
    expect(placed).toContain('n3');
  });

  it('never means jobs of another tenant', () => {
    const snapshot = withRunning(fleetOf(four.slice(0, 1)), { ...db('n1'), tenant: 't2' });
    expect(nodesOf(snapshot, job('job_1', apart('rack')))).toEqual(['n1']);
  });
});

describe('spread', () => {
  const racks = ['r1', 'r1', 'r1', 'r2', 'r2', 'r3'].map((rack, i) => labelled(`n${i}`, { rack }));
  const over = (maxSkew: number, required = true): SpecInput => ({
    array: { count: 9 },
    resources: { cpu: 4 },
    placement: { spread: { over: 'rack', maxSkew, required } },
  });
  const tasks = (count: number, spec: SpecInput) =>
    Array.from({ length: count }, (_, i) => job(`job_${i}`, spec, { array: 'arr_1' }));
  const perRack = (snapshot: Snapshot, some: readonly PendingJob[]) => {
    const counts: Record<string, number> = {};
    for (const id of nodesOf(snapshot, ...some)) {
      const rack = racks.find((one) => one.id === id)?.labels?.rack;
      if (rack !== undefined) counts[rack] = (counts[rack] ?? 0) + 1;
    }
    return counts;
  };

  it('of an array fills racks evenly', () => {
    expect(perRack(fleetOf(racks), tasks(6, over(1)))).toEqual({ r1: 2, r2: 2, r3: 2 });
    const two = perRack(fleetOf(racks), tasks(7, over(2)));
    expect(Math.max(...Object.values(two)) - Math.min(...Object.values(two))).toBeLessThanOrEqual(2);
  });

  it('waits when the rack that holds fewest has no room, unless it is only preferred', () => {
    // r3 holds one task of four cores beside twelve that are used.
    const tight = racks.map((one) => (one.id === 'n5' ? { ...one, usedCpuMilli: 12_000 } : one));
    expect(perRack(fleetOf(tight), tasks(9, over(1)))).toEqual({ r1: 2, r2: 2, r3: 1 });
    const { pending } = plan(fleetOf(tight), tasks(9, over(1)));
    expect(pending).toHaveLength(4);
    expect(pending[0]).toMatchObject({ reason: 'placement_rule' });
    expect(pending[0]!.detail.message).toContain('Needs 4 more cores on one node');
    expect(Object.values(perRack(fleetOf(tight), tasks(9, over(1, false)))).reduce((a, b) => a + b)).toBe(9);
  });

  it('counts the tasks that run already, of this array only', () => {
    const ran = running('job_a', ['n5'], { array: 'arr_1' });
    const others = running('job_b', ['n0', 'n1', 'n3'], { array: 'arr_2' });
    const placed = nodesOf(withRunning(fleetOf(racks), ran, others), ...tasks(2, over(1)));
    expect(placed).not.toContain('n5');
  });

  it('counts each of two arrays by itself, though all their tasks are alike', () => {
    const rows = ['r1', 'r2', 'r3'].map((rack, i) => labelled(`n${i}`, { rack }));
    const ran = [
      running('job_a', ['n0', 'n1'], { array: 'arr_1' }),
      running('job_b', ['n0', 'n2'], { array: 'arr_2' }),
    ];
    const first = job('job_1', over(1), { array: 'arr_1' });
    const second = job('job_2', over(1), { array: 'arr_2' });
    expect(nodesOf(withRunning(fleetOf(rows), ...ran), first, second)).toEqual(['n2', 'n1']);
  });

  it('of a gang leaves its ranks even over the racks, at one site', () => {
    const gang: SpecInput = { resources: { nodes: 4, cpu: 1 }, placement: { spread: { over: 'rack' } } };
    const [placed] = nodesOf(fleetOf(racks), job('job_1', gang));
    const counts = new Map<string, number>();
    for (const id of placed!.split(' ')) {
      const rack = racks.find((one) => one.id === id)!.labels!.rack!;
      counts.set(rack, (counts.get(rack) ?? 0) + 1);
    }
    expect([...counts.values()].sort()).toEqual([1, 1, 2]);
    const six: SpecInput = { ...gang, resources: { nodes: 6, cpu: 1 } };
    const { pending } = plan(fleetOf(racks), [job('job_1', six)]);
    expect(pending[0]).toMatchObject({ reason: 'placement_rule' });
    expect(pending[0]!.detail.message).toContain('cannot be spread over the racks');
  });
});

describe('a decision under rules about other jobs', () => {
  const nodeArb = fc.record({
    siteId: fc.constantFrom('s1', 's2'),
    labels: fc.record(
      { pod: fc.constantFrom('p1', 'p2'), rack: fc.constantFrom('r1', 'r2'), island: fc.constantFrom('i1', 'i2') },
      { requiredKeys: [] },
    ),
    usedCpuMilli: fc.constantFrom(0, 4000, 12_000, 16_000),
  });
  const runningArb = fc.record({
    nodes: fc.uniqueArray(fc.nat(9), { minLength: 1, maxLength: 2 }),
    app: fc.constantFrom('a', 'b', undefined),
    tenant: fc.constantFrom('t1', 't1', 't2'),
    array: fc.constantFrom('arr_1', 'arr_2', undefined),
  });
  const ruleArb = fc.record({
    jobs: fc.record({ app: fc.constantFrom('a', 'b', 'c') }),
    within: fc.constantFrom(...domainLevels),
    required: fc.boolean(),
  });
  const spreadArb = fc.record({
    over: fc.constantFrom(...domainLevels),
    maxSkew: fc.integer({ min: 1, max: 2 }),
    required: fc.boolean(),
  });
  const jobArb = fc.record({
    nodes: fc.constantFrom(1, 1, 2, 3),
    app: fc.constantFrom('a', 'b'),
    affinity: fc.option(fc.array(ruleArb, { minLength: 1, maxLength: 2 }), { nil: undefined }),
    antiAffinity: fc.option(fc.array(ruleArb, { minLength: 1, maxLength: 2 }), { nil: undefined }),
    spread: fc.option(spreadArb, { nil: undefined }),
    together: fc.constantFrom(undefined, 'pod', 'rack'),
  });

  interface Rule {
    readonly jobs: Record<string, string>;
    readonly within: DomainLevel;
    readonly required: boolean;
  }

  it('is the best that all subsets of nodes have, and none where they have none', () => {
    let decided = 0;
    fc.assert(
      fc.property(
        fc.array(nodeArb, { minLength: 1, maxLength: 10 }),
        fc.array(runningArb, { maxLength: 5 }),
        jobArb,
        fc.constantFrom('best-fit' as const, 'least-fragmentation' as const),
        (made, holders, wanted, placement) => {
          const rows = made.map((row, i) =>
            labelled(`n${i}`, row.labels as Record<string, string>, row as Partial<NodeRow>),
          );
          const runs = holders.map(({ nodes, app, ...more }, i) =>
            running(
              `job_r${i}`,
              nodes.map((at) => `n${at}`),
              {
                tenant: more.tenant,
                ...(app && { labels: { app } }),
                ...(more.array && { array: more.array }),
              },
            ),
          );
          const isGang = wanted.nodes > 1;
          const { spread } = wanted;
          const rules = { affinity: wanted.affinity ?? [], antiAffinity: wanted.antiAffinity ?? [] };
          const spec = {
            labels: { app: wanted.app },
            resources: { nodes: wanted.nodes, cpu: 4 },
            ...(isGang ? {} : { array: { count: 2 } }),
            placement: {
              ...(wanted.affinity && { affinity: wanted.affinity }),
              ...(wanted.antiAffinity && { antiAffinity: wanted.antiAffinity }),
              ...(isGang && wanted.together && { together: { required: wanted.together } }),
              ...(spread && { spread }),
            },
          } as SpecInput;
          let one: PendingJob;
          try {
            one = job('job_1', spec, isGang ? {} : { array: 'arr_1' });
          } catch {
            return; // contradicts itself
          }
          const snapshot = withRunning(fleetOf(rows, [site('s1'), site('s2', { deviceUsdPerHour: 900_000 })]), ...runs);
          const used = policy({ placement });
          const { placements, pending } = schedule(snapshot, [one], used, now);

          // The reference: all subsets, all rules by plain loops.
          const workload = placement === 'best-fit' ? undefined : [{ kind: baseOf(one.shape), weight: 1 }];
          const fleet = new Fleet(snapshot, workload);
          const board = new Scoreboard(fleet, compileShape(baseOf(one.shape), snapshot)[0]!);
          const at = (level: DomainLevel, row: number) => domainOf(snapshot, level, row);
          const standing = (app: string) =>
            runs.filter(({ tenant, labels }) => tenant === 't1' && labels?.app === app).flatMap((run) => run.ranks);
          const rowOf = (nodeId: string) => rows.findIndex(({ id }) => id === nodeId);
          const partsOf = (rule: Rule) =>
            new Set(
              standing(rule.jobs.app!)
                .map(({ nodeId }) => rowOf(nodeId))
                .filter((row) => row >= 0)
                .map((row) => at(rule.within, row))
                .filter((part) => part >= 0),
            );
          const nearHolds = (rule: Rule, row: number) => {
            const parts = partsOf(rule);
            if (parts.size === 0) return rule.jobs.app === wanted.app;
            return at(rule.within, row) >= 0 && parts.has(at(rule.within, row));
          };
          const apartHolds = (rule: Rule, row: number) =>
            at(rule.within, row) >= 0 && !partsOf(rule).has(at(rule.within, row));
          const may = (row: number) =>
            rules.affinity.every((rule) => !rule.required || nearHolds(rule, row)) &&
            rules.antiAffinity.every((rule) => !rule.required || apartHolds(rule, row));
          const missed = (row: number) =>
            rules.affinity.filter((rule) => !rule.required && !nearHolds(rule, row)).length +
            rules.antiAffinity.filter((rule) => !rule.required && !apartHolds(rule, row)).length;
          const cost = (row: number) => board.scoreOf(row) + missed(row) * (placement === 'best-fit' ? 1 : 2000);
          const all = rows.map((_, row) => row);
          const together = (isGang ? wanted.together : undefined) ?? 'site';
          const isEven = (subset: readonly number[]) => {
            const held = new Map<number, number>();
            for (const row of all) {
              const beside = !isGang || at(together, row) === at(together, subset[0]!);
              if (beside && may(row) && at(spread!.over, row) >= 0) held.set(at(spread!.over, row), 0);
            }
            const taken = isGang
              ? []
              : runs
                  .filter(({ tenant, array }) => tenant === 't1' && array === 'arr_1')
                  .flatMap(({ ranks }) => ranks.map(({ nodeId }) => rowOf(nodeId)));
            for (const row of [...taken, ...subset]) {
              const part = row < 0 ? -1 : at(spread!.over, row);
              if (held.has(part)) held.set(part, held.get(part)! + 1);
            }
            const least = Math.min(...held.values());
            return subset.every((row) => {
              const count = held.get(at(spread!.over, row));
              return count !== undefined && count <= least + spread!.maxSkew;
            });
          };
          const subsets = (size: number, from = 0): number[][] =>
            size === 0
              ? [[]]
              : all.slice(from).flatMap((row) => subsets(size - 1, row + 1).map((rest) => [row, ...rest]));
          const good = subsets(wanted.nodes).filter(
            (subset) =>
              subset.every((row) => board.scoreOf(row) < Infinity && may(row)) &&
              at(together, subset[0]!) >= 0 &&
              subset.every((row) => at(together, row) === at(together, subset[0]!)),
          );
          const even = spread === undefined ? good : good.filter(isEven);
          const options = even.length > 0 || spread === undefined || spread.required ? even : good;
          const sumOf = (subset: readonly number[]) => subset.reduce((sum, row) => sum + cost(row), 0);

          expect(placements.length).toBe(options.length > 0 ? 1 : 0);
          if (placements.length === 0) {
            expect(pending).toHaveLength(1);
            return;
          }
          decided += 1;
          const chosen = placements[0]!.ranks.map(({ nodeId }) => rowOf(nodeId));
          expect(options.map((subset) => subset.join())).toContain([...chosen].sort((a, b) => a - b).join());
          expect(sumOf(chosen)).toBeCloseTo(Math.min(...options.map(sumOf)), 6);
          const { explanation } = placements[0]!;
          const refused = Object.values(explanation.rejections).reduce((sum, count) => sum + count, 0);
          expect(explanation.feasibleCount + refused).toBe(rows.length);
        },
      ),
      { numRuns: 1500 },
    );
    expect(decided).toBeGreaterThan(300);
  });
});
