/** Ending work for others where quotas are short and the machines are not. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  defaultPreemption,
  type PreemptionPolicy,
} from '../../../../../src/cmo/scheduler/core/preemption/preemption-policy.ts';
import type { AccountRow } from '../../../../../src/cmo/scheduler/core/shares/account.ts';
import type { PendingJob } from '../../../../../src/cmo/scheduler/core/snapshot.ts';
import { devices, job, node } from '../support/builders.ts';
import { Cluster } from '../support/cluster.ts';

const gpus = (count: number, nodes = 1) => ({ resources: { devices: [{ count }], nodes } });
const row = (id: string, more: Partial<AccountRow> = {}): AccountRow => ({
  id,
  parent: id.includes('/') ? id.slice(0, id.lastIndexOf('/')) : null,
  weight: 1,
  ...more,
});
/** Devices guaranteed and, beyond, borrowable. */
const quota = (id: string, guaranteed: number, borrowed: number | null = null) =>
  row(id, {
    quotas: [
      { resource: 'gpu', guaranteed: guaranteed * 1000, borrowLimit: borrowed === null ? null : borrowed * 1000 },
    ],
  });
/** Far more room than any quota here. */
const ample = () =>
  Array.from({ length: 8 }, (_, i) => node(`n${i}`, { cpuMilli: 64_000, devices: devices(`n${i}`, 4) }));
const atOnce: PreemptionPolicy = { ...defaultPreemption, minRunSeconds: 0, maxPerRound: 100, maxPerHour: 1000 };

/** A cluster on which jobs have run for an hour. */
function running(
  accounts: AccountRow[],
  jobs: readonly PendingJob[],
  preemption: PreemptionPolicy = defaultPreemption,
  nodes = ample(),
): Cluster {
  const cluster = new Cluster(nodes, accounts, { preemption });
  cluster.submit(...jobs.map((one) => ({ job: one, seconds: 1e6 })));
  cluster.round();
  cluster.pass(3600);
  return cluster;
}
const some = (count: number, project: string, more: Partial<PendingJob> = {}, size = 1) =>
  Array.from({ length: count }, (_, i) => job(`job_${project}${i}`, gpus(size), { project, ...more }));
function asks(cluster: Cluster, one: PendingJob): string[] {
  cluster.submit({ job: { ...one, submittedAt: cluster.now }, seconds: 1e6 });
  return cluster
    .round()
    .preemptions.map(({ jobId }) => jobId as string)
    .sort();
}
const verdictOf = (cluster: Cluster, id: string) => cluster.round().pending.find(({ jobId }) => jobId === id);

/** A tenant with 8 devices and not one more, of which a is guaranteed 2 and b 4. */
const cohort = [quota('t1', 8, 0), quota('t1/a', 2, 6), quota('t1/b', 4, 4)];

describe('a project that is short of the quota which its siblings have borrowed', () => {
  const ofB = job('job_b', gpus(4), { project: 'b' });

  it('gets its guarantee back, from as many as it needs and whatever their priority', () => {
    const cluster = running(cohort, some(8, 'a', { priority: 9 }));
    expect(cluster.running.size).toBe(8);
    expect(asks(cluster, ofB)).toHaveLength(4);
    cluster.round();
    expect(cluster.running.has('job_b')).toBe(true);
    expect(cluster.running.size).toBe(5);
  });

  it('ends nothing that the quota has room for without', () => {
    const cluster = running(cohort, some(6, 'a'));
    expect(asks(cluster, ofB)).toHaveLength(2);
  });

  it('ends nothing to borrow itself, nor when reclaiming is off', () => {
    const cluster = running(cohort, some(8, 'a'));
    expect(asks(cluster, job('job_b', gpus(5), { project: 'b' }))).toEqual([]);
    const off = running(cohort, some(8, 'a'), { ...defaultPreemption, reclaim: false });
    expect(asks(off, ofB)).toEqual([]);
  });

  it('never ends what is within the guarantee of another', () => {
    // c has none, and all that a holds is its own: nothing is borrowed but what c holds.
    const accounts = [quota('t1', 8, 0), quota('t1/a', 4, 4), quota('t1/b', 4, 4), quota('t1/c', 0, 8)];
    const cluster = running(accounts, [...some(4, 'a'), ...some(4, 'c', { priority: 9 })]);
    expect(asks(cluster, ofB)).toEqual(['job_c0', 'job_c1', 'job_c2', 'job_c3']);
  });

  it('ends those that lose least, and a gang with all its ranks', () => {
    const gang = job('job_gang', gpus(2, 2), { project: 'a' });
    const cluster = running(cohort, [gang, ...some(4, 'a')]);
    cluster.running.set('job_gang', { ...cluster.running.get('job_gang')!, checkpointAt: cluster.now });
    expect(asks(cluster, ofB)).toEqual(['job_gang']);
    cluster.round();
    expect([...cluster.running.keys()].sort()).toEqual(['job_a0', 'job_a1', 'job_a2', 'job_a3', 'job_b']);
  });

  it('leaves alone what may not be ended, has not run long enough, or is beyond the limits of a round and an hour', () => {
    const young = running(cohort, some(8, 'a'));
    for (const [id, one] of young.running) young.running.set(id, { ...one, startedAt: young.now - 299_000 });
    expect(asks(young, ofB)).toEqual([]);
    expect(asks(running(cohort, some(8, 'a'), { ...defaultPreemption, maxPerRound: 3 }), ofB)).toEqual([]);
    const late = running(cohort, some(8, 'a'), { ...defaultPreemption, maxPerHour: 6 });
    late.preemptedLastHour = 3;
    expect(asks(late, ofB)).toEqual([]);
    const fixed = new Cluster(ample(), cohort, { preemption: defaultPreemption });
    fixed.submit(...some(8, 'a').map((one) => ({ job: one, seconds: 1e6, preemptible: false })));
    fixed.round();
    fixed.pass(3600);
    expect(asks(fixed, ofB)).toEqual([]);
  });

  it('waits for the room that is made, which no sibling gets, and ends no more meanwhile', () => {
    const cluster = running(cohort, some(8, 'a'));
    cluster.submit({ job: { ...ofB, submittedAt: cluster.now }, seconds: 1e6 });
    const before = new Map(cluster.running);
    const ended = cluster.round().preemptions.map(({ jobId }) => jobId as string);
    // They take their grace to end.
    for (const id of ended) {
      cluster.running.set(id, { ...before.get(id)!, stopping: 'preempt' });
      cluster.queued.delete(id);
    }
    cluster.submit({ job: job('job_late', gpus(1), { project: 'a' }), seconds: 1e6 });
    for (let left = ended.length; left > 0; left -= 1) {
      const plan = cluster.round();
      expect([plan.preemptions, plan.placements]).toEqual([[], []]);
      expect(plan.pending.find(({ jobId }) => jobId === 'job_b')).toMatchObject({ reason: 'waits_for_preempted' });
      cluster.running.delete(ended[left - 1]!);
    }
    expect(cluster.round().placements.map(({ jobId }) => jobId)).toEqual(['job_b']);
  });

  it('says so, and names only what is of its own tenant', () => {
    const cluster = running(cohort, some(8, 'a'));
    cluster.submit({ job: { ...ofB, submittedAt: cluster.now }, seconds: 1e6 });
    const [verdict] = cluster.round().pending;
    expect(verdict).toMatchObject({ jobId: 'job_b', reason: 'waits_for_preempted' });
    expect(verdict!.detail.message).toMatch(
      /^Room for it on n\d comes from ending job_a\d, job_a\d, job_a\d, job_a\d\. /,
    );
    const foreign = running(
      [row('both'), { ...quota('t1', 4), parent: 'both' }, { ...row('t2'), parent: 'both' }, quota('both', 8, 0)]
        .map((one) => (one.id === 'both' ? { ...one, parent: null } : one))
        .filter((one) => one.id !== 'both' || one.quotas !== undefined),
      some(8, 'a', { tenant: 't2' }),
    );
    foreign.submit({ job: { ...ofB, submittedAt: foreign.now }, seconds: 1e6 });
    const [other] = foreign.round().pending;
    expect(other!.detail.message).toContain('comes from ending 4 jobs of other tenants.');
  });
});

describe('a job of higher priority whose account has used up its quota', () => {
  const full = [quota('t1', 4, 0)];
  const urgent = job('job_u', gpus(2), { priority: 5 });

  it('ends lower ones of the same account, and nothing of equal priority', () => {
    expect(asks(running(full, some(4, 'a')), urgent)).toHaveLength(2);
    expect(asks(running(full, some(4, 'a', { priority: 5 })), urgent)).toEqual([]);
    expect(asks(running(full, some(4, 'a', { priority: 6 })), urgent)).toEqual([]);
  });

  it('ends nothing where the policy says never, or when it fits the quota at no time', () => {
    expect(asks(running(full, some(4, 'a'), { ...defaultPreemption, byPriority: 'never' }), urgent)).toEqual([]);
    const cluster = running(full, some(4, 'a'));
    expect(asks(cluster, job('job_u', gpus(4, 2), { priority: 5 }))).toEqual([]);
    expect(verdictOf(cluster, 'job_u')).toMatchObject({ reason: 'quota_exhausted' });
  });

  it('ends only what counts for the account that refuses it', () => {
    const accounts = [row('t1'), quota('t1/a', 0, 2), row('t1/b')];
    const cluster = running(accounts, [...some(2, 'a'), ...some(8, 'b')]);
    for (const [id, one] of cluster.running) {
      if (one.project === 'b') cluster.running.set(id, { ...one, checkpointAt: cluster.now });
    }
    expect(asks(cluster, { ...urgent, project: 'a' })).toEqual(['job_a0', 'job_a1']);
  });

  it('ends one for a limit of running jobs, and those with devices for a limit of devices', () => {
    const jobs = running([row('t1', { limits: { runningJobs: 3 } })], some(3, 'a'));
    expect(asks(jobs, urgent)).toHaveLength(1);
    const cpu = job('job_cpu', { resources: { cpu: 1 } } as never, { project: 'a' });
    const limited = running([row('t1', { limits: { devices: 2000 } })], [cpu, ...some(2, 'a')]);
    expect(asks(limited, urgent)).toEqual(['job_a0', 'job_a1']);
  });

  it('ends nothing for a budget that is spent: that brings no money back', () => {
    const budget = { kind: 'microUsd', period: 'day', limit: 10, spent: 10, until: 8e15, stop: false } as never;
    const cluster = running([], some(4, 'a'));
    cluster.accounts = [row('t1', { limits: { budgets: [budget] } })];
    expect(asks(cluster, urgent)).toEqual([]);
  });

  it('ends nothing of an alternative that its quota never allows, while another waits for nodes', () => {
    const accounts = [row('t1', { quotas: [{ resource: 'gpu/h100', guaranteed: 0, borrowLimit: 0 }] })];
    const nodes = [
      node('n1', { devices: devices('n1', 2) }),
      node('n2', { devices: devices('n2', 2, { model: 'A100' }) }),
    ];
    const only = (model: string) => ({ resources: { devices: [{ model, count: 2 }] } }) as never;
    const cluster = running(
      accounts,
      [job('job_other', only('H100'), { tenant: 't2' })],
      { ...defaultPreemption, byPriority: 'anyone' },
      nodes,
    );
    cluster.submit({ job: job('job_own', only('A100'), { priority: 9 }), seconds: 1e6 });
    cluster.round();
    const either = {
      resources: { devices: { anyOf: [[{ model: 'H100', count: 2 }], [{ model: 'A100', count: 2 }]] } },
    } as never;
    cluster.pass(3600);
    expect(asks(cluster, job('job_u', either, { priority: 5 }))).toEqual([]);
  });
});

describe('a job that is short of its quota and of room on the nodes', () => {
  it('ends no more than both need together, or nothing', () => {
    // The quota lacks two devices; only on n1 can four be had.
    const nodes = [node('n1', { devices: devices('n1', 4) }), node('n2', { devices: devices('n2', 2) })];
    const accounts = [quota('t1', 4, 0)];
    const cluster = running(
      accounts,
      [...some(2, 'a'), job('job_big', gpus(2), { project: 'b' })],
      defaultPreemption,
      nodes,
    );
    const held = [...cluster.running.values()]
      .filter(({ ranks }) => ranks[0]!.nodeId === 'n1')
      .map(({ id }) => id)
      .sort();
    expect(asks(cluster, job('job_u', gpus(4), { priority: 5 }))).toEqual(['job_a0', 'job_a1', 'job_big']);
    expect(held.length).toBeGreaterThan(0);
    const fixed = running(accounts, some(4, 'a'), defaultPreemption, nodes);
    // Of another tenant, on the node that it needs.
    fixed.accounts = [...accounts];
    expect(asks(fixed, job('job_u', gpus(4, 2), { priority: 5 }))).toEqual([]);
  });

  it('ends on the nodes what it needs there, and no other of its account then', () => {
    const nodes = [node('n1', { devices: devices('n1', 4) }), node('n2', { devices: devices('n2', 2) })];
    const cluster = running([quota('t1', 6, 0)], [...some(4, 'a'), ...some(2, 'b')], defaultPreemption, nodes);
    const there = [...cluster.running.values()]
      .filter(({ ranks }) => ranks[0]!.nodeId === 'n1')
      .map(({ id }) => id)
      .sort();
    expect(there).toHaveLength(4);
    // The cheapest for the quota alone stand on the other node.
    for (const [id, one] of cluster.running) {
      if (!there.includes(id)) cluster.running.set(id, { ...one, checkpointAt: cluster.now });
    }
    expect(asks(cluster, job('job_u', gpus(4), { priority: 5 }))).toEqual(there);
  });
});

describe('what was ended so that others could be', () => {
  const checkpoints = (cluster: Cluster, secondsAgo: Readonly<Record<string, number>>) => {
    for (const [id, seconds] of Object.entries(secondsAgo)) {
      cluster.running.set(id, { ...cluster.running.get(id)!, checkpointAt: cluster.now - seconds * 1000 });
    }
  };

  it('is not spared when they could not have been ended without it', () => {
    // Only when a has ended one of its own it is within its guarantee, and may have back what b has borrowed.
    const accounts = [quota('t1', 8, 0), quota('t1/a', 3, 5), quota('t1/b', 2, 6)];
    const gang = job('job_gang', gpus(4), { project: 'b', priority: 9 });
    const cluster = running(accounts, [...some(2, 'a'), gang, ...some(2, 'b', { priority: 9 })]);
    checkpoints(cluster, { job_a0: 0, job_gang: 60 });
    expect(asks(cluster, job('job_u', gpus(2), { project: 'a', priority: 5 }))).toEqual(['job_a0', 'job_gang']);
  });

  it('is something that helps: cheap work without devices does not use up the round for a quota of devices', () => {
    const accounts = [quota('t1', 2, 0)];
    const cpu = Array.from({ length: 20 }, (_, i) => job(`job_c${i}`, { resources: { cpu: 0.1 } } as never));
    const cluster = running(accounts, [...cpu, ...some(2, 'a')]);
    expect(asks(cluster, job('job_u', gpus(2), { priority: 5 }))).toEqual(['job_a0', 'job_a1']);
  });
});

const accountsArb = fc
  .record({ all: fc.integer({ min: 4, max: 16 }), a: fc.nat(6), b: fc.nat(6), borrow: fc.nat(8), jobs: fc.nat(12) })
  .map(({ all, a, b, borrow, jobs }) => [
    { ...quota('t1', all, 0), ...(jobs > 3 && { limits: { runningJobs: jobs } }) },
    quota('t1/a', Math.min(a, all), borrow),
    quota('t1/b', Math.min(b, Math.max(0, all - a)), borrow),
    row('t1/c'),
  ]);
const jobsArb = fc.array(
  fc.record({
    project: fc.constantFrom('a', 'b', 'c'),
    priority: fc.integer({ min: 0, max: 3 }),
    count: fc.integer({ min: 1, max: 4 }),
    nodes: fc.constantFrom(1, 1, 1, 2),
    at: fc.nat(5),
  }),
  { minLength: 6, maxLength: 40 },
);

describe('ending work for quotas', () => {
  it('is stable and ends, keeps every quota, and takes nothing that is guaranteed but for a higher priority of the same account', () => {
    fc.assert(
      fc.property(accountsArb, jobsArb, fc.constantFrom('same-tenant', 'never'), (accounts, specs, byPriority) => {
        const cluster = new Cluster(ample(), accounts, { preemption: { ...atOnce, byPriority } });
        const all = specs.map(({ project, priority, count, nodes, at }, i) => ({
          at,
          size: count * nodes,
          job: job(`job_${String(i).padStart(2, '0')}`, gpus(count, nodes), { project, priority }),
        }));
        const byId = new Map(all.map((one) => [one.job.id, one]));
        const heldOf = (project: string | undefined, ids: Iterable<string>) =>
          [...ids]
            .map((id) => byId.get(id)!)
            .filter((one) => project === undefined || one.job.project === project)
            .reduce((sum, { size }) => sum + size, 0);
        const over = new Map<string, Set<string>>();
        let quiet = 0;
        for (let i = 0; i < 60 && quiet < 3; i += 1) {
          cluster.submit(
            ...all
              .filter(({ at }) => at === i)
              .map((one) => ({ job: { ...one.job, submittedAt: cluster.now }, seconds: 1e7 })),
          );
          const before = new Map(cluster.running);
          const { preemptions } = cluster.round();
          const left = new Set(before.keys());
          for (const { jobId, inFavourOf } of preemptions) {
            const [victim, winner] = [byId.get(jobId)!.job, byId.get(inFavourOf!)!.job];
            expect(over.get(winner.id)?.has(victim.id) ?? false).toBe(false);
            over.set(victim.id, (over.get(victim.id) ?? new Set()).add(winner.id));
            if (victim.project === winner.project) expect(winner.priority).toBeGreaterThan(victim.priority);
            left.delete(jobId);
          }
          for (const account of accounts.slice(1, 3)) {
            const project = account.id.slice(3);
            const guaranteed = account.quotas![0]!.guaranteed / 1000;
            const between = (from: boolean) =>
              preemptions.filter(
                ({ jobId, inFavourOf }) =>
                  byId.get(jobId)!.job.project === project && (byId.get(inFavourOf!)!.job.project === project) === from,
              );
            const taken = between(false);
            if (taken.length === 0) continue;
            // Others take it down to its guarantee, less at most the one that crosses it; what it makes room for itself counts as its own.
            const largest = Math.max(...taken.map(({ jobId }) => byId.get(jobId)!.size));
            const rest =
              heldOf(project, left) + heldOf(project, new Set(between(true).map(({ inFavourOf }) => inFavourOf!)));
            expect(rest).toBeGreaterThan(guaranteed - largest);
          }
          expect(heldOf(undefined, cluster.running.keys())).toBeLessThanOrEqual(
            accounts[0]!.quotas![0]!.guaranteed / 1000,
          );
          quiet = preemptions.length === 0 && i > 5 ? quiet + 1 : 0;
          cluster.pass(60);
        }
        expect(quiet).toBe(3);
        expect(cluster.preempted.length).toBeLessThanOrEqual(2 * specs.length);
      }),
      { numRuns: 150, seed: 20_261_122 },
    );
  }, 60_000);
});
