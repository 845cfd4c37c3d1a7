import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultPreemption } from '../../../../../src/cmo/scheduler/core/preemption/preemption-policy.ts';
import type { NodeRow } from '../../../../../src/cmo/scheduler/core/rows.ts';
import type { RunningJob } from '../../../../../src/cmo/scheduler/core/running.ts';
import { schedule } from '../../../../../src/cmo/scheduler/core/schedule.ts';
import type { AccountRow } from '../../../../../src/cmo/scheduler/core/shares/account.ts';
import type { PendingJob } from '../../../../../src/cmo/scheduler/core/snapshot.ts';
import { decodeRound, encodeRound } from '../../../../../src/cmo/scheduler/record/round-file.ts';
import { devices, fleetOf, job, node, now, policy, site } from '../support/builders.ts';
import { faultsOf } from '../support/checker.ts';

const owner = {
  tenant: fc.constantFrom('a', 'b'),
  project: fc.constantFrom('p', 'q'),
  user: fc.constantFrom('u', 'v'),
};
const quotaArb = fc.record({
  resource: fc.constantFrom('gpu', 'cpu', 'gpu/h100'),
  guaranteed: fc.nat(4).map((count) => count * 1000),
  borrowLimit: fc.option(fc.nat(4).map((count) => count * 1000)),
});
const accountArb = (id: string): fc.Arbitrary<AccountRow> =>
  fc.record({
    id: fc.constant(id),
    parent: fc.constant(id.includes('/') ? id.slice(0, id.lastIndexOf('/')) : null),
    weight: fc.constantFrom(0.5, 1, 3),
    quotas: fc.uniqueArray(quotaArb, { maxLength: 2, selector: ({ resource }) => resource }),
    limits: fc.constantFrom({}, {}, { runningJobs: 2 }, { devices: 3000 }),
    past: fc.constant({ amounts: [0, 0, 1e9, 0, 0], at: now - 1000 }),
  });
const accountsArb = fc
  .tuple(...['a', 'b', 'a/p', 'a/p/u', 'b/q'].map(accountArb), fc.nat(31))
  .map((all) => (all.slice(0, 5) as AccountRow[]).filter((_, i) => ((all[5] as number) >> i) & 1));

const jobsArb = fc
  .array(
    fc.record({
      ...owner,
      count: fc.integer({ min: 1, max: 3 }),
      nodes: fc.constantFrom(1, 1, 2),
      priority: fc.integer({ min: 0, max: 2 }),
      age: fc.constantFrom(0, 400, 20_000),
      seconds: fc.constantFrom(undefined, 30, 600, Number.NaN, -1),
      deadline: fc.constantFrom(undefined, now + 60_000, now - 1, Number.NaN),
    }),
    { maxLength: 14 },
  )
  .map((list) =>
    list.map(({ count, nodes, age, seconds, deadline, ...more }, i): PendingJob => {
      const runTime = seconds === undefined ? {} : { runTime: { likelySeconds: seconds, carefulSeconds: seconds } };
      const times = { submittedAt: now - age * 1000, ...runTime, ...(deadline === undefined ? {} : { deadline }) };
      return job(`job_${i}`, { resources: { devices: [{ count }], nodes } }, { ...more, ...times });
    }),
  );

/** Nodes of four devices, and what runs on their first ones. */
const runningArb = fc
  .array(
    fc.record({
      ...owner,
      used: fc.integer({ min: 0, max: 4 }),
      priority: fc.integer({ min: 0, max: 2 }),
      endsAt: fc.constantFrom(null, now + 60_000, now + 3_600_000, now - 5, Number.NaN),
      startedAt: fc.constantFrom(now - 3_600_000, now - 1000, now + 5),
      checkpointAt: fc.constantFrom(null, now - 60_000),
      preemptible: fc.boolean(),
      stopping: fc.constantFrom(null, null, 'preempt' as const, 'cancel' as const),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((list) => {
    const nodes: NodeRow[] = [];
    const running: RunningJob[] = [];
    for (const [i, { used, ...more }] of list.entries()) {
      const id = `n${i}`;
      const all = devices(id, 4).map((one, at) => ({ ...one, usedMilli: at < used ? 1000 : 0 }));
      nodes.push(node(id, { devices: all, usedCpuMilli: used > 0 ? 1000 : 0 }));
      const held = all.slice(0, used).map(({ id: deviceId }) => ({ deviceId, milli: 1000 }));
      const ranks = [{ nodeId: id, cpuMilli: 1000, memoryBytes: 0, diskBytes: 0, devices: held }];
      if (used > 0) running.push({ id: `run_${i}`, ranks, ...more });
    }
    return { nodes, running };
  });

const eager = policy({ preemption: { ...defaultPreemption, byPriority: 'anyone' } });

describe('a plan with accounts and running work', () => {
  it('breaks no rule, takes no quota over its limit, ends only what it may, and depends on no order', () => {
    fc.assert(
      fc.property(accountsArb, jobsArb, runningArb, (accounts, jobs, { nodes, running }) => {
        const plan = schedule({ ...fleetOf(nodes), accounts, running }, jobs, eager, now);
        expect(faultsOf(plan, nodes, [site()], jobs, now)).toEqual([]);
        expect(plan.placements.length + plan.pending.length).toBe(jobs.length);
        const turned = { ...fleetOf(nodes), accounts: [...accounts].reverse(), running: [...running].reverse() };
        expect(schedule(turned, [...jobs].reverse(), eager, now)).toEqual(plan);

        const held = (id: string, of: (devices: number, cpuMilli: number) => number) => {
          const isOf = (one: { tenant: string; project: string; user?: string }) =>
            `${one.tenant}/${one.project}/${one.user}/`.startsWith(`${id}/`);
          let [before, planned, count] = [0, 0, 0];
          for (const one of running.filter(isOf)) {
            for (const rank of one.ranks) before += of(rank.devices.length, rank.cpuMilli);
            count += 1;
          }
          for (const { jobId, ranks } of plan.placements) {
            if (!isOf(jobs.find((one) => one.id === jobId)!)) continue;
            for (const rank of ranks) planned += of(rank.devices.length, rank.cpuMilli);
            count += 1;
          }
          return { before, planned, count };
        };
        for (const { id, quotas = [], limits = {} } of accounts) {
          for (const { resource, guaranteed, borrowLimit } of quotas) {
            const { before, planned } = held(id, (count, cpu) => (resource === 'cpu' ? cpu : count * 1000));
            if (borrowLimit !== null && planned > 0)
              expect(before + planned).toBeLessThanOrEqual(guaranteed + borrowLimit);
          }
          const { before, planned, count } = held(id, (devices) => devices * 1000);
          if (limits.devices !== undefined && planned > 0) expect(before + planned).toBeLessThanOrEqual(limits.devices);
          if (limits.runningJobs !== undefined && planned > 0) expect(count).toBeLessThanOrEqual(limits.runningJobs);
        }

        const ended = plan.preemptions.map(({ jobId }) => running.find(({ id }) => id === jobId)!);
        expect(new Set(ended).size).toBe(ended.length);
        for (const one of ended) {
          expect(one.preemptible && one.stopping === null && now - one.startedAt >= 300_000).toBe(true);
        }
        const waiting = plan.pending.filter(({ reason }) => reason === 'waits_for_preempted').map(({ jobId }) => jobId);
        for (const { inFavourOf } of plan.preemptions) expect(waiting).toContain(inFavourOf);
      }),
      { numRuns: 250 },
    );
  }, 60_000);

  it('is the same again when it was written down and read back', () => {
    fc.assert(
      fc.property(accountsArb, jobsArb, runningArb, (accounts, jobs, { nodes, running }) => {
        const snapshot = { ...fleetOf(nodes), accounts, running, preemptedLastHour: 3 };
        const plan = schedule(snapshot, jobs, eager, now, 7);
        const outcome = { placements: [], preemptions: [], verdicts: [], kept: [], full: false };
        const back = decodeRound(encodeRound({ snapshot, jobs, policy: eager, now, round: 7, outcome }));
        expect(schedule(back.snapshot, back.jobs, back.policy, back.now, back.round)).toEqual(plan);
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});
