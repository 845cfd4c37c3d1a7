import { describe, expect, it } from 'vitest';
import type { NodeRow } from '../../../../src/cmo/scheduler/core/rows.ts';
import { schedule } from '../../../../src/cmo/scheduler/core/schedule.ts';
import type { PendingJob } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { devices, fleetOf, job, node, now, policy } from './support/builders.ts';

const gpus = (count: number, nodes = 1) => ({ resources: { devices: [{ count }], nodes } });

interface Running {
  readonly ends: number;
  readonly nodeIds: readonly string[];
  readonly deviceIds: readonly string[];
}

/** Runs rounds a minute apart on a small fleet that is flooded with small jobs, until `big` starts; returns the minute. */
function minuteOfStart(big: PendingJob, nodes: readonly NodeRow[], reserveAfterSeconds: number, limit: number): number {
  let running: Running[] = [];
  for (let minute = 0; minute < limit; minute += 1) {
    const at = now + minute * 60_000;
    running = running.filter(({ ends }) => ends > minute);
    const busy = new Set(running.flatMap(({ deviceIds }) => deviceIds));
    const rows = nodes.map((row) => ({
      ...row,
      devices: row.devices.map((one) => ({ ...one, usedMilli: busy.has(one.id) ? 1000 : 0 })),
    }));
    // Small jobs keep coming, always more than there is room for.
    const flood = Array.from({ length: 20 }, (_, i) => job(`job_${minute}_${i}`, gpus(1), { submittedAt: at }));
    const plan = schedule(fleetOf(rows), [big, ...flood], policy({ reserveAfterSeconds }), at);
    for (const placement of plan.placements) {
      if (placement.jobId === big.id) return minute;
      running.push({
        ends: minute + 3 + (running.length % 5),
        nodeIds: placement.ranks.map(({ nodeId }) => nodeId),
        deviceIds: placement.ranks.flatMap((rank) => rank.devices.map(({ deviceId }) => deviceId)),
      });
    }
  }
  return limit;
}

describe('a large job among ever more small ones', () => {
  const nodes = [1, 2, 3].map((i) => node(`n${i}`, { devices: devices(`n${i}`, 4) }));
  const busyFirst = (count: number, ranks: number) => job('job_big', gpus(count, ranks), { submittedAt: now + 1 });

  it('starts within the bound: the wait after which nodes are kept, and the longest run', () => {
    expect(minuteOfStart(busyFirst(4, 1), nodes, 600, 200)).toBeLessThanOrEqual(10 + 8);
    expect(minuteOfStart(busyFirst(4, 2), nodes, 600, 200)).toBeLessThanOrEqual(10 + 2 * 8);
  });

  it('would starve without kept nodes', () => {
    expect(minuteOfStart(busyFirst(4, 2), nodes, Number.POSITIVE_INFINITY, 100)).toBe(100);
  });
});

describe('kept nodes', () => {
  const half = [
    node('n1', { devices: devices('n1', 4).map((one, i) => ({ ...one, usedMilli: i < 2 ? 1000 : 0 })) }),
    node('n2', { devices: devices('n2', 4).map((one, i) => ({ ...one, usedMilli: i < 3 ? 1000 : 0 })) }),
  ];
  const old = job('job_a', gpus(4), { submittedAt: now - 3_600_000 });
  const young = job('job_a', gpus(4), { submittedAt: now - 1000 });

  it('are those on which least is missing, and others go elsewhere', () => {
    const plan = schedule(fleetOf(half), [old, job('job_b', gpus(1)), job('job_c', gpus(1))], policy(), now);
    expect(plan.placements.map(({ jobId, ranks }) => [jobId, ranks[0]!.nodeId])).toEqual([['job_b', 'n2']]);
    expect(plan.pending.map(({ jobId, reason }) => [jobId, reason])).toEqual([
      ['job_a', 'insufficient_capacity'],
      ['job_c', 'behind_others'],
    ]);
    expect(plan.pending[0]!.detail.message).toContain('Needs 2 more GPUs on one node');
    expect(plan.pending[0]!.detail.message).toContain('Kept for it: n1');
    expect(plan.pending[1]!.detail.rejections).toMatchObject({ reserved: 1 });
  });

  it('are not kept before the wait is over', () => {
    const plan = schedule(fleetOf(half), [young, job('job_b', gpus(2))], policy(), now);
    expect(plan.placements.map(({ jobId }) => jobId)).toEqual(['job_b']);
  });

  it('still take work that uses nothing of what is missing', () => {
    const plan = schedule(fleetOf(half.slice(0, 1)), [old, job('job_b', { resources: { cpu: 2 } })], policy(), now);
    expect(plan.placements.map(({ jobId }) => jobId)).toEqual(['job_b']);
  });

  const wide = (count: number) =>
    Array.from({ length: count }, (_, i) => {
      const id = `n${i}`;
      return node(id, {
        devices: devices(id, 4).map((one, at) => ({ ...one, usedMilli: at < 3 ? 1000 : 0 })),
      });
    });
  const blocked = (count: number, request = gpus(4)) =>
    Array.from({ length: count }, (_, i) => job(`job_a${i}`, request, { submittedAt: now - 3_600_000 + i }));
  const small = (count: number) => Array.from({ length: count }, (_, i) => job(`job_s${i}`, gpus(1)));

  it('are at most as many as the policy says', () => {
    const nodes = wide(40);
    const placed = (maxReservations: number) =>
      schedule(fleetOf(nodes), [...blocked(5), ...small(40)], policy({ maxReservations }), now).placements.length;
    expect([placed(0), placed(1), placed(2)]).toEqual([40, 39, 38]);
  });

  it('are a twentieth of those that could hold the jobs, however many wait, and one at least', () => {
    const left = (count: number) => schedule(fleetOf(wide(count)), [...blocked(16), ...small(count)], policy(), now);
    expect(left(36).placements).toHaveLength(35);
    expect(left(80).placements).toHaveLength(76);
    expect(left(2).placements).toHaveLength(1);
  });

  it('are kept in each part of the fleet for the first that waits for it', () => {
    const tpus = Array.from({ length: 3 }, (_, i) =>
      node(`t${i}`, {
        devices: devices(`t${i}`, 4).map((one, at) => ({ ...one, kind: 'tpu' as const, usedMilli: at < 3 ? 1000 : 0 })),
      }),
    );
    const forTpu = { resources: { devices: [{ count: 4, kind: 'tpu' as const }] } };
    const waiting = [...blocked(3), job('job_t', forTpu, { submittedAt: now - 1_800_000 })];
    const { pending } = schedule(fleetOf([...wide(3), ...tpus]), waiting, policy(), now);
    const kept = pending.filter(({ detail }) => detail.message.includes('Kept for it'));
    expect(kept.map(({ jobId }) => jobId)).toEqual(['job_a0', 'job_t']);
  });
});
