import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MovableJob, type MovePlan, planMoves } from '../../../../src/cmo/scheduler/core/defragment/plan-moves.ts';
import { Fleet } from '../../../../src/cmo/scheduler/core/fleet.ts';
import type { NodeRow } from '../../../../src/cmo/scheduler/core/rows.ts';
import type { RunningRank } from '../../../../src/cmo/scheduler/core/running.ts';
import type { ExpectedShape, Snapshot } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { devices, fleetOf, job, node } from './support/builders.ts';
import { canGive } from './support/checker.ts';

const shapeOf = (request: object, cpu = 1) => job('j', { resources: { cpu, devices: [request] } }).shape;
const expecting = (...shapes: ReturnType<typeof shapeOf>[]): ExpectedShape[] =>
  shapes.map((kind) => ({ kind, weight: 1 }));
const limits = { mostMoves: 10, leastWorth: 1 };

function taken(nodes: readonly NodeRow[], rank: RunningRank, sign: number): NodeRow[] {
  return nodes.map((row) =>
    row.id !== rank.nodeId
      ? row
      : {
          ...row,
          usedCpuMilli: row.usedCpuMilli + sign * rank.cpuMilli,
          usedMemoryBytes: row.usedMemoryBytes + sign * rank.memoryBytes,
          usedDiskBytes: row.usedDiskBytes + sign * rank.diskBytes,
          devices: row.devices.map((one) => ({
            ...one,
            usedMilli: one.usedMilli + sign * (rank.devices.find(({ deviceId }) => deviceId === one.id)?.milli ?? 0),
          })),
        },
  );
}

function standing(
  id: string,
  shape: ReturnType<typeof shapeOf>,
  nodeId: string,
  deviceIds: readonly string[],
): MovableJob {
  const { cpuMilli, memoryBytes, diskBytes, deviceAlternatives } = shape.resources;
  const milli = deviceAlternatives[0]![0]!.milli;
  return {
    id,
    shape,
    rank: { nodeId, cpuMilli, memoryBytes, diskBytes, devices: deviceIds.map((deviceId) => ({ deviceId, milli })) },
  };
}

/** Thousandths of free devices that are not expected to be of use. */
function lost(nodes: readonly NodeRow[], workload: readonly ExpectedShape[]): number {
  const { fragmentation } = new Fleet(fleetOf(nodes), workload);
  return nodes.reduce((sum, _, row) => sum + fragmentation!.lost(row), 0);
}

/** Makes the moves one after the other on plain rows; throws when one does not fit. */
function made(nodes: readonly NodeRow[], jobs: readonly MovableJob[], plan: MovePlan): NodeRow[] {
  let rows = [...nodes];
  for (const { jobId, fromNodeId, to } of plan.moves) {
    const moved = jobs.find(({ id }) => id === jobId)!;
    expect(moved.rank.nodeId).toBe(fromNodeId);
    expect(to.nodeId).not.toBe(fromNodeId);
    const given = rows
      .find(({ id }) => id === to.nodeId)!
      .devices.filter(({ id }) => to.devices.some((share) => share.deviceId === id));
    expect(canGive(given, moved.shape.resources.deviceAlternatives[0]!, () => 1000)).toBe(true);
    rows = taken(rows, to, 1);
    for (const row of rows) {
      expect(row.usedCpuMilli).toBeLessThanOrEqual(row.cpuMilli);
      for (const one of row.devices) expect(one.usedMilli).toBeLessThanOrEqual(one.milli);
    }
    rows = taken(rows, moved.rank, -1);
  }
  return rows;
}

describe('moves', () => {
  const one = shapeOf({ count: 1 });
  const four = shapeOf({ count: 4 });
  const scattered = (() => {
    let rows = ['n1', 'n2', 'n3'].map((id) => node(id, { devices: devices(id, 4) }));
    const jobs = ['n1', 'n2', 'n3'].map((id) => standing(`job_${id}`, one, id, [`${id}-d0`]));
    for (const { rank } of jobs) rows = taken(rows, rank, 1);
    return { rows, jobs };
  })();

  it('bring together what is scattered, so that whole nodes are free for those who want them', () => {
    const { rows, jobs } = scattered;
    const plan = planMoves(fleetOf(rows), expecting(four), jobs, limits);
    expect(plan.moves).toHaveLength(2);
    expect(plan.movedMilli).toBe(2000);
    const after = made(rows, jobs, plan);
    expect(after.filter(({ devices: held }) => held.every(({ usedMilli }) => usedMilli === 0))).toHaveLength(2);
    // Two nodes of four devices became of use, at the half weight of whole devices.
    expect(plan.usefulMilli).toBeGreaterThan(2000);
  });

  it('are not planned when nothing is gained, expected, movable or allowed', () => {
    const { rows, jobs } = scattered;
    const none = { moves: [], movedMilli: 0, usefulMilli: 0 };
    expect(planMoves(fleetOf(rows), expecting(one), jobs, limits)).toMatchObject(none);
    expect(planMoves(fleetOf(rows), [], jobs, limits)).toMatchObject(none);
    expect(planMoves(fleetOf(rows), expecting(four), [], limits)).toMatchObject(none);
    expect(planMoves(fleetOf(rows), expecting(four), jobs, { ...limits, mostMoves: 0 })).toMatchObject(none);
    expect(planMoves(fleetOf(rows), expecting(four), jobs, { ...limits, leastWorth: 1e6 })).toMatchObject(none);
  });

  it('leave gangs, jobs on nodes that are gone, and sites alone', () => {
    const { rows, jobs } = scattered;
    const gang = job('j', { resources: { nodes: 2, devices: [{ count: 1 }] } }).shape;
    const odd = [
      { ...jobs[0]!, shape: gang },
      { ...jobs[1]!, rank: { ...jobs[1]!.rank, nodeId: 'gone' } },
    ];
    expect(planMoves(fleetOf(rows), expecting(four), odd, limits).moves).toEqual([]);
    const apart = rows.map((row, i) => ({ ...row, siteId: `s${i}` }));
    expect(planMoves(fleetOf(apart), expecting(four), jobs, limits).moves).toEqual([]);
  });

  it('leave nodes alone that take no new work or are promised to somebody', () => {
    const { rows, jobs } = scattered;
    const planOn = (snapshot: Snapshot) => planMoves(snapshot, expecting(four), jobs, limits).moves;
    const touched = (moves: ReturnType<typeof planOn>) =>
      moves.flatMap(({ fromNodeId, to }) => [fromNodeId, to.nodeId]);
    const cordoned = rows.map((row) => (row.id === 'n1' ? { ...row, scheduling: 'cordoned' as const } : row));
    const onCordoned = planOn(fleetOf(cordoned));
    expect(onCordoned).toHaveLength(1);
    expect(touched(onCordoned)).not.toContain('n1');
    const promise = { id: 'rsv', tenant: 'ten', project: null, startsAt: 0, endsAt: 1e15, nodes: ['n2'] };
    const onPromised = planOn({ ...fleetOf(rows), calendar: [promise] });
    expect(onPromised).toHaveLength(1);
    expect(touched(onPromised)).not.toContain('n2');
  });

  it('fit one after the other, are worth what they say, and are no more than allowed', () => {
    const shapes = [one, four, shapeOf({ count: 2 }, 2), shapeOf({ fraction: 0.5 }), shapeOf({ fraction: 0.3 })];
    const heldArb = fc.array(fc.record({ shape: fc.nat(shapes.length - 1), at: fc.nat(4) }), { maxLength: 14 });
    fc.assert(
      fc.property(
        heldArb,
        fc.array(fc.nat(shapes.length - 1), { minLength: 1, maxLength: 4 }),
        fc.nat(6),
        (held, coming, mostMoves) => {
          let rows = [0, 1, 2, 3, 4].map((i) => node(`n${i}`, { devices: devices(`n${i}`, 4) }));
          const jobs: MovableJob[] = [];
          for (const [i, { shape: which, at }] of held.entries()) {
            const shape = shapes[which]!;
            const { count, milli } = shape.resources.deviceAlternatives[0]![0]!;
            const row = rows[at]!;
            const free = row.devices.filter(({ usedMilli }) => usedMilli + milli <= 1000).slice(0, count);
            if (free.length < count || row.usedCpuMilli + shape.resources.cpuMilli > row.cpuMilli) continue;
            jobs.push(
              standing(
                `job_${i}`,
                shape,
                row.id,
                free.map(({ id }) => id),
              ),
            );
            rows = taken(rows, jobs.at(-1)!.rank, 1);
          }
          const workload = expecting(...coming.map((which) => shapes[which]!));
          const plan = planMoves(fleetOf(rows), workload, jobs, { mostMoves, leastWorth: 1 });
          expect(plan.moves.length).toBeLessThanOrEqual(mostMoves);
          const after = made(rows, jobs, plan);
          expect(plan.uselessMilli).toBeCloseTo(lost(rows, workload), 6);
          expect(lost(rows, workload) - lost(after, workload)).toBeCloseTo(plan.usefulMilli, 6);
          for (const { usefulMilli, movedMilli } of plan.moves)
            expect((1000 * usefulMilli) / movedMilli).toBeGreaterThanOrEqual(1);
        },
      ),
      { numRuns: 200 },
    );
  });
});
