import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeRow } from '../../../../src/cmo/scheduler/core/rows.ts';
import { schedule } from '../../../../src/cmo/scheduler/core/schedule.ts';
import { RoundEngine } from '../../../../src/cmo/scheduler/worker/round-engine.ts';
import { type JobSpecInput, jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';
import { devices, fleetOf, job, node, now, policy, type SpecInput, site } from './support/builders.ts';

type Placement = NonNullable<JobSpecInput['placement']>;
const labelled = (id: string, labels: Record<string, string>, more: Partial<NodeRow> = {}) =>
  node(id, { labels, devices: devices(id, 2), ...more });
const gang = (nodes: number, placement: Placement): SpecInput => ({
  resources: { nodes, devices: [{ count: 2 }] },
  placement,
});
const plan = (nodes: readonly NodeRow[], spec: SpecInput) =>
  schedule(fleetOf(nodes), [job('job_1', spec)], policy(), now);
const chosen = (nodes: readonly NodeRow[], spec: SpecInput) =>
  plan(nodes, spec).placements[0]?.ranks.map(({ nodeId }): string => nodeId);
const verdict = (nodes: readonly NodeRow[], spec: SpecInput) => plan(nodes, spec).pending[0];

describe('labels of nodes', () => {
  const nodes = [labelled('n1', { disk: 'hdd' }), labelled('n2', { disk: 'nvme' }), labelled('n3', {})];

  it('are required: one of the values, and a node without the label will not do', () => {
    expect(chosen(nodes, { placement: { require: { disk: 'nvme' } } })).toEqual(['n2']);
    expect(chosen(nodes, { placement: { require: { disk: ['tape', 'hdd'] } } })).toEqual(['n1']);
  });

  it('are avoided, and a node without the label will do', () => {
    expect(chosen(nodes, { placement: { avoid: { disk: ['hdd', 'nvme'] } } })).toEqual(['n3']);
  });

  it('are preferred while a node has them, and counted in the explanation', () => {
    expect(chosen(nodes, { placement: { prefer: { disk: 'nvme' } } })).toEqual(['n2']);
    const { placements } = plan(nodes.slice(2), { placement: { prefer: { disk: 'nvme' } } });
    expect(placements[0]!.explanation.candidates[0]!.terms).toContainEqual({
      name: 'labels_missed',
      value: 1,
      unit: 'preferred labels',
    });
  });

  it('that no node has are said to be missing, and counted by code', () => {
    const { reason, detail } = verdict(nodes, { placement: { require: { disk: 'tape' } } })!;
    expect(reason).toBe('no_matching_node');
    expect(detail.message).toBe(
      'No node has the labels that `placement` asks for: none has `disk` tape; there is hdd, nvme.',
    );
    const said = (require: Record<string, string>, avoid = {}) =>
      verdict(nodes, { placement: { require, avoid } })!.detail.message;
    expect(said({ gpu: 'x' })).toContain(': none has `gpu`.');
    expect(said({ disk: ['hdd', 'y'] as never }, { disk: ['nvme', 'hdd', 'x'] })).toContain(
      'none that is to be avoided',
    );
    expect(detail.rejections).toEqual({ labels: 3 });
  });

  it('called like something every object has are no labels', () => {
    expect(chosen(nodes, { placement: { require: { constructor: 'x' } } })).toBeUndefined();
  });
});

describe('labels of sites', () => {
  const sites = [site('s1', { labels: { name: 'berlin', tier: 'a' } }), site('s2', { labels: { name: 'oslo' } })];
  // A node that says it is of a site is not believed.
  const nodes = [labelled('n1', { 'site/name': 'oslo' }), labelled('n2', {}, { siteId: 's2' })];
  const chosenAt = (placement: Placement) =>
    schedule(fleetOf(nodes, sites), [job('job_1', { placement })], policy(), now).placements[0]?.ranks[0]?.nodeId;

  it('are asked for with their prefix, like those of nodes', () => {
    expect(chosenAt({ require: { 'site/name': 'oslo' } })).toBe('n2');
    expect(chosenAt({ require: { 'site/tier': ['a', 'b'] } })).toBe('n1');
    expect(chosenAt({ avoid: { 'site/name': 'berlin' } })).toBe('n2');
    expect(chosenAt({ prefer: { 'site/name': 'oslo' } })).toBe('n2');
    expect(chosenAt({ require: { 'site/name': 'paris' } })).toBeUndefined();
    expect(chosenAt({ require: { name: 'oslo' } })).toBeUndefined();
  });

  it('that change are seen in the next round', () => {
    const engine = new RoundEngine();
    engine.apply({ sites: [['s1', site()]], nodes: [['n1', nodes[0]!]] });
    const one = job('job_1', { placement: { require: { 'site/tier': 'b' } } });
    engine.apply({ jobs: [[one.id, { job: one, reason: 'new' }]] });
    expect(engine.run(policy(), now).placementCount).toBe(0);
    engine.apply({ sites: [['s1', site('s1', { labels: { tier: 'b' } })]] });
    expect(engine.run(policy(), now).placementCount).toBe(1);
  });
});

describe('the ranks of a gang', () => {
  const busy = { usedCpuMilli: 16_000 };
  const nodes = [
    labelled('n1', { pod: 'p1', rack: 'r1' }),
    labelled('n2', { pod: 'p1', rack: 'r2' }),
    labelled('n3', { pod: 'p1', rack: 'r2' }, busy),
    labelled('n4', { pod: 'p2', rack: 'r2' }),
    labelled('n5', { pod: 'p2', rack: 'r1' }),
    labelled('n6', { pod: 'p2', rack: 'r1' }),
    labelled('n7', {}),
  ];

  it('stand at one site if nothing is said', () => {
    expect(chosen(nodes, gang(2, {}))).toEqual(['n1', 'n2']);
  });

  it('stand in one rack when that is required; a rack of another pod is another one', () => {
    expect(chosen(nodes, gang(2, { together: { required: 'rack' } }))).toEqual(['n5', 'n6']);
    expect(chosen(nodes, gang(3, { together: { required: 'pod' } }))).toEqual(['n4', 'n5', 'n6']);
  });

  it('stand in one rack when that is preferred and possible, else in one pod, else at one site', () => {
    const preferred = (count: number, among: readonly NodeRow[]) =>
      chosen(among, gang(count, { together: { preferred: 'rack' } }));
    expect(preferred(2, nodes)).toEqual(['n5', 'n6']);
    expect(preferred(3, nodes)).toEqual(['n4', 'n5', 'n6']);
    expect(preferred(4, nodes)).toEqual(['n1', 'n2', 'n4', 'n5']);
  });

  it('wait when they would fit the site but not the rack now, and are told so', () => {
    const { reason, detail } = verdict(nodes.slice(0, 4), gang(2, { together: { required: 'rack' } }))!;
    expect(reason).toBe('insufficient_capacity');
    expect(detail.message).toContain('Needs 2 nodes in one rack at once; at most 1 is free in one now');
  });

  it('never fit a rack that is too small, nor one that nobody named', () => {
    const never = verdict(nodes, gang(3, { together: { required: 'rack' } }))!;
    expect(never.reason).toBe('no_matching_node');
    expect(never.detail.message).toContain('at most 2 in one rack could hold a rank');
    expect(verdict(nodes, gang(2, { together: { required: 'island' } }))!.reason).toBe('no_matching_node');
  });

  it('that wait long have nodes of one rack kept for them', () => {
    const old = job('job_1', gang(2, { together: { required: 'rack' } }), { submittedAt: now - 3_600_000 });
    const small = job('job_2', { resources: { devices: [{ count: 2 }] } });
    const { placements } = schedule(fleetOf(nodes.slice(1, 4)), [old, small], policy(), now);
    expect(placements.map(({ ranks }): string => ranks[0]!.nodeId)).toEqual(['n4']);
  });

  it('stand as they must, whatever the fleet', () => {
    const labelArb = fc.record(
      { pod: fc.constantFrom('p1', 'p2'), rack: fc.constantFrom('r1', 'r2'), island: fc.constantFrom('i1', 'i2') },
      { requiredKeys: [] },
    );
    const nodeArb = fc.record({ labels: labelArb, siteId: fc.constantFrom('s1', 's2'), busy: fc.boolean() });
    const levelArb = fc.constantFrom('site', 'pod', 'rack', 'island');
    fc.assert(
      fc.property(
        fc.array(nodeArb, { maxLength: 14 }),
        fc.integer({ min: 2, max: 4 }),
        levelArb,
        (made, ranks, level) => {
          const rows = made.map(({ busy, ...row }, i) =>
            labelled(`n${i}`, row.labels as Record<string, string>, {
              siteId: row.siteId,
              usedCpuMilli: busy ? 16_000 : 0,
            }),
          );
          const path = ({ siteId, labels = {} }: NodeRow): string | undefined => {
            const parts = ['pod', 'rack', 'island'].slice(0, ['site', 'pod', 'rack', 'island'].indexOf(level));
            const last = parts.at(-1);
            return last !== undefined && labels[last] === undefined
              ? undefined
              : JSON.stringify([siteId, ...parts.map((part) => labels[part])]);
          };
          const free = new Map<string, number>();
          for (const row of rows.filter(({ usedCpuMilli }) => usedCpuMilli === 0)) {
            const at = path(row);
            if (at !== undefined) free.set(at, (free.get(at) ?? 0) + 1);
          }
          const snapshot = fleetOf(rows, [site('s1'), site('s2')]);
          const required = gang(ranks, { together: { required: level as 'site' } });
          const [placement] = schedule(snapshot, [job('job_1', required)], policy(), now).placements;
          expect(placement !== undefined).toBe(Math.max(0, ...free.values()) >= ranks);
          const at = placement?.ranks.map(({ nodeId }) => path(rows.find(({ id }) => id === nodeId)!));
          expect(new Set(at).size).toBe(placement === undefined ? 0 : 1);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a placement in a spec', () => {
  const issues = (spec: object) =>
    jobSpecSchema
      .safeParse({ name: 'job', command: 'true', ...spec })
      .error?.issues.map(({ path, message }) => [path.join('.'), message]);

  it.each([
    [
      { placement: { require: { disk: 'nvme' }, avoid: { disk: ['nvme', 'hdd'] } } },
      'placement.require.disk',
      'contradicts `avoid.disk`, which names every value that is required',
    ],
    [
      { resources: { nodes: 2 }, placement: { together: { required: 'rack', preferred: 'pod' } } },
      'placement.together.preferred',
      'must be smaller than what is required (rack)',
    ],
    [{ placement: { together: { required: 'rack' } } }, 'placement.together', 'needs `resources.nodes` above 1'],
    [
      { placement: { require: { rack: 'r1' } } },
      'placement.require.rack',
      'where a node stands is asked for by `together`',
    ],
  ])('that contradicts itself is refused: %j', (spec, path, message) => {
    expect(issues(spec)).toEqual([[path, message]]);
  });

  it('that makes sense is taken', () => {
    expect(
      issues({ resources: { nodes: 2 }, placement: { require: { disk: ['a', 'b'] }, avoid: { disk: 'b' } } }),
    ).toBeUndefined();
  });
});
