import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Placement } from '../../../../src/common/contract/plan.ts';
import { divideIntoLanes } from '../../../../src/drm/allocator/lanes.ts';

const plan = fc
  .array(fc.uniqueArray(fc.nat(40), { minLength: 1, maxLength: 4 }), { maxLength: 60 })
  .map((jobs) => jobs.map((nodes, i) => placement(`job_${i}`, nodes)));

function placement(jobId: string, nodes: readonly number[]): Placement {
  return { jobId, ranks: nodes.map((node) => ({ nodeId: `node_${node}` })) } as unknown as Placement;
}

const nodesOf = (lane: readonly Placement[]) => new Set(lane.flatMap(({ ranks }) => ranks.map(({ nodeId }) => nodeId)));

describe('lanes of a plan', () => {
  it('share no node, lose no placement and keep the plan’s order', () => {
    fc.assert(
      fc.property(plan, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 20 }), (placements, most, least) => {
        const lanes = divideIntoLanes(placements, most, least);
        expect(lanes.length).toBeLessThanOrEqual(Math.max(1, Math.min(most, Math.ceil(placements.length / least))));
        const all = lanes.flatMap((lane) => [...nodesOf(lane)]);
        expect(new Set(all).size).toBe(all.length);
        const order = new Map(placements.map(({ jobId }, at) => [jobId, at]));
        const positions = lanes.map((lane) => lane.map(({ jobId }) => order.get(jobId)!));
        for (const lane of positions) expect(lane).toEqual([...lane].sort((a, b) => a - b));
        expect(positions.flat().sort((a, b) => a - b)).toEqual(placements.map((_, at) => at));
      }),
    );
  });

  it('are about equally long where nodes allow it', () => {
    const placements = Array.from({ length: 400 }, (_, i) => placement(`job_${i}`, [i % 50]));
    expect(divideIntoLanes(placements, 2, 200).map(({ length }) => length)).toEqual([200, 200]);
  });

  it('are one for a short plan, and for one whose gangs hang together', () => {
    expect(divideIntoLanes([placement('job_0', [1]), placement('job_1', [2])], 2, 200)).toHaveLength(1);
    const chain = Array.from({ length: 400 }, (_, i) => placement(`job_${i}`, [i, i + 1]));
    expect(divideIntoLanes(chain, 2, 200)).toHaveLength(1);
  });
});
