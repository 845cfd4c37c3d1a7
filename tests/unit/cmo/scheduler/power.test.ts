import { describe, expect, it } from 'vitest';
import type { NodeRow } from '../../../../src/cmo/scheduler/core/rows.ts';
import { RoundEngine, type RoundRecord } from '../../../../src/cmo/scheduler/worker/round-engine.ts';
import { devices, job, node, now, policy, site } from './support/builders.ts';

const drawing = (id: string, watts: number | null, more: Partial<NodeRow> = {}, model = `M${watts}`) =>
  node(id, { devices: devices(id, 4, { model, watts }), ...more });
const gpu = { resources: { devices: [{ count: 1 }] } };

function engineWith(nodes: readonly NodeRow[], sites = [site()]): RoundEngine {
  const engine = new RoundEngine();
  engine.apply({ sites: sites.map((row) => [row.id, row]), nodes: nodes.map((row) => [row.id, row]) });
  return engine;
}

/** Nodes that jobs get one after the other, and the loads by which watts were weighed. */
function run(engine: RoundEngine, count: number, powerAware = true) {
  const nodes: string[] = [];
  const loads = new Set<number | undefined>();
  for (let i = 0; i < count; i += 1) {
    const one = job(`job_${i}`, gpu);
    engine.apply({ now, jobs: [[one.id, { job: one, reason: 'new' }]] });
    const { placementCount } = engine.run(policy({ powerAware }), now, ({ snapshot }: RoundRecord) => {
      loads.add(snapshot.power?.load);
    });
    const [placement] = engine.placements(0, placementCount);
    nodes.push(placement!.ranks[0]!.nodeId);
    engine.settle({ committed: [placement!.jobId], refused: [], unknown: [] });
  }
  return { nodes, loads };
}

describe('power in placement', () => {
  it('wakes the devices that draw least while there is much room', () => {
    const nodes = [drawing('n1', 700), drawing('n2', 70)];
    expect(run(engineWith(nodes), 1).nodes).toEqual(['n2']);
    expect(run(engineWith(nodes), 1, false).nodes).toEqual(['n1']);
  });

  it('is in the explanation, in watts', () => {
    const engine = engineWith([drawing('n1', 700)]);
    const one = job('job_1', gpu);
    engine.apply({ now, jobs: [[one.id, { job: one, reason: 'new' }]] });
    engine.run(policy(), now);
    const { terms } = engine.placements(0, 1)[0]!.explanation.candidates[0]!;
    // A tenth is drawn by an idle one; a processor is woken too.
    expect(terms).toContainEqual({ name: 'power_added', value: 630 + 105, unit: 'W' });
  });

  it('never sends work to a dearer site', () => {
    const sites = [site('s1'), site('s2', { deviceUsdPerHour: 2_200_000 })];
    const nodes = [drawing('n1', 1400), drawing('n2', 70, { siteId: 's2' })];
    expect(run(engineWith(nodes, sites), 1).nodes).toEqual(['n1']);
  });

  it('is not looked at where nobody says what devices draw, or says nonsense', () => {
    for (const watts of [null, Number.NaN, -5, 1e9]) {
      expect([...run(engineWith([drawing('n1', watts, {}, 'X')]), 1).loads]).toEqual([undefined]);
    }
  });

  it('is weighed anew only when the load has changed by a step, so that boards stand', () => {
    const nodes = Array.from({ length: 25 }, (_, i) => drawing(`n${i}`, 300));
    const { loads } = run(engineWith(nodes), 50);
    // Half of the devices are held in the end: ten steps of a twentieth, and the first round.
    expect(loads.size).toBeGreaterThanOrEqual(8);
    expect(loads.size).toBeLessThanOrEqual(12);
  });
});
