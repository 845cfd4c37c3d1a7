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
const anyone: PreemptionPolicy = { ...defaultPreemption, byPriority: 'anyone' };
const guaranteed = (id: string, count: number): AccountRow => ({
  id,
  parent: id.includes('/') ? id.slice(0, id.lastIndexOf('/')) : null,
  weight: 1,
  quotas: [{ resource: 'gpu', guaranteed: count * 1000, borrowLimit: null }],
});
const fleet = (count = 2, each = 4) =>
  Array.from({ length: count }, (_, i) => node(`n${i}`, { cpuMilli: 64_000, devices: devices(`n${i}`, each) }));

/** A cluster on which jobs have run for a while. */
function running(
  jobs: readonly PendingJob[],
  preemption = anyone,
  accounts: AccountRow[] = [],
  nodes = fleet(),
): Cluster {
  const cluster = new Cluster(nodes, accounts, { preemption });
  cluster.submit(...jobs.map((one) => ({ job: one, seconds: 1e6 })));
  cluster.round();
  cluster.pass(3600);
  return cluster;
}
const asks = (cluster: Cluster, one: PendingJob) => {
  cluster.submit({ job: { ...one, submittedAt: cluster.now }, seconds: 1e6 });
  return cluster.round().preemptions.map(({ jobId }) => jobId as string);
};
const four = (more: Partial<PendingJob> = {}, size = 2) =>
  Array.from({ length: 8 / size }, (_, i) => job(`job_${i}`, gpus(size), more));

describe('a job of higher priority', () => {
  const urgent = job('job_u', gpus(4), { priority: 5 });

  it('ends no more than it needs, and starts in their place', () => {
    const cluster = running(four());
    expect(asks(cluster, urgent)).toHaveLength(2);
    cluster.round();
    expect(cluster.running.has('job_u')).toBe(true);
    expect(cluster.running.size).toBe(3);
  });

  it('ends nothing of equal or higher priority, nor what may not be ended or has not run long enough', () => {
    expect(asks(running(four({ priority: 5 })), urgent)).toEqual([]);
    expect(asks(running(four({ priority: 6 })), urgent)).toEqual([]);
    const fixed = new Cluster(fleet(), [], { preemption: anyone });
    fixed.submit(...four().map((one) => ({ job: one, seconds: 1e6, preemptible: false })));
    fixed.round();
    fixed.pass(3600);
    expect(asks(fixed, urgent)).toEqual([]);
    const young = running(four());
    for (const [id, one] of young.running) young.running.set(id, { ...one, startedAt: young.now - 299_000 });
    expect(asks(young, urgent)).toEqual([]);
  });

  it('ends nothing when it would not fit even then', () => {
    expect(asks(running(four()), job('job_u', gpus(4, 3), { priority: 5 }))).toEqual([]);
    const mixed = running(four());
    // On each node one may be ended and one may not.
    const seen = new Set<string>();
    for (const [id, one] of mixed.running) {
      const [{ nodeId }] = one.ranks as [(typeof one.ranks)[number]];
      mixed.running.set(id, { ...one, priority: seen.has(nodeId) ? 9 : 0 });
      seen.add(nodeId);
    }
    expect(asks(mixed, urgent)).toEqual([]);
  });

  it('ends those that lose least since their last checkpoint', () => {
    const cluster = running(four());
    for (const id of ['job_2', 'job_3']) {
      cluster.running.set(id, { ...cluster.running.get(id)!, checkpointAt: cluster.now - 60_000 });
    }
    expect(asks(cluster, urgent).sort()).toEqual(['job_2', 'job_3']);
  });

  it('of another tenant ends something only where the policy lets it', () => {
    const other = { ...urgent, tenant: 't2' };
    expect(asks(running(four()), other)).toHaveLength(2);
    expect(asks(running(four(), { ...anyone, byPriority: 'same-tenant' }), other)).toEqual([]);
    expect(asks(running(four(), { ...anyone, byPriority: 'same-tenant' }), urgent)).toHaveLength(2);
    expect(asks(running(four(), { ...anyone, byPriority: 'never' }), urgent)).toEqual([]);
  });

  it('never cuts into what another account is guaranteed', () => {
    const accounts = [guaranteed('t1', 6), { id: 't2', parent: null, weight: 1 }];
    expect(asks(running(four(), anyone, accounts), { ...urgent, tenant: 't2' })).toEqual([]);
    expect(
      asks(running(four(), anyone, accounts), { ...job('job_u', gpus(2), { priority: 5 }), tenant: 't2' }),
    ).toHaveLength(1);
  });

  it('of a gang frees all its nodes or none', () => {
    expect(asks(running(four()), job('job_u', gpus(3, 2), { priority: 5 })).length).toBe(4);
    const half = running(four().map((one, i) => ({ ...one, priority: i < 2 ? 0 : 9 })));
    expect(asks(half, job('job_u', gpus(3, 2), { priority: 5 }))).toEqual([]);
  });

  it('waits for the room that was made, which nobody else gets, and does not end more meanwhile', () => {
    const cluster = running(four());
    const snapshotOf = (stopping: readonly string[]) => {
      for (const id of stopping) cluster.running.set(id, { ...cluster.running.get(id)!, stopping: 'preempt' });
    };
    cluster.submit({ job: { ...urgent, submittedAt: cluster.now }, seconds: 1e6 });
    const before = new Map(cluster.running);
    const ended = cluster.round().preemptions.map(({ jobId }) => jobId as string);
    for (const id of ended) {
      cluster.running.set(id, before.get(id)!);
      cluster.queued.delete(id);
    }
    snapshotOf(ended);
    cluster.submit({ job: job('job_s', gpus(1), { submittedAt: cluster.now }), seconds: 1e6 });
    const plan = cluster.round();
    expect([plan.preemptions, plan.placements]).toEqual([[], []]);
    expect(plan.pending.find(({ jobId }) => jobId === 'job_u')).toMatchObject({ reason: 'waits_for_preempted' });
    cluster.running.delete(ended[0]!);
    expect(cluster.round().placements).toEqual([]);
    cluster.running.delete(ended[1]!);
    expect(cluster.round().placements.map(({ jobId }) => jobId)).toEqual(['job_u']);
  });
});

describe('limits on ending work', () => {
  const eight = () => running(four({}, 1));
  const urgents = (count: number) =>
    Array.from({ length: count }, (_, i) => job(`job_u${i}`, gpus(1), { priority: 5 }));
  const ended = (more: Partial<PreemptionPolicy>, lastHour = 0) => {
    const cluster = new Cluster(fleet(), [], { preemption: { ...anyone, ...more } });
    cluster.preemptedLastHour = lastHour;
    cluster.submit(...four({}, 1).map((one) => ({ job: one, seconds: 1e6 })));
    cluster.round();
    cluster.pass(3600);
    cluster.submit(...urgents(8).map((one) => ({ job: one, seconds: 1e6 })));
    return cluster.round().preemptions.length;
  };

  it('hold in a round and in an hour', () => {
    expect(eight().running.size).toBe(8);
    expect(ended({ maxPerRound: 3 })).toBe(3);
    expect(ended({ maxPerRound: 0 })).toBe(0);
    expect(ended({ maxPerHour: 5 }, 3)).toBe(2);
    expect(ended({ maxPerHour: 5 }, 9)).toBe(0);
  });
});

describe('a guarantee', () => {
  it('is reclaimed from who has borrowed, whatever the priorities, and no further', () => {
    const cluster = running(four({ tenant: 'b', priority: 9 }, 1), anyone, [guaranteed('a', 3)]);
    for (let i = 0; i < 6; i += 1) {
      cluster.submit({ job: job(`job_a${i}`, gpus(1), { tenant: 'a', submittedAt: cluster.now }), seconds: 1e6 });
    }
    for (let i = 0; i < 20; i += 1) {
      cluster.round();
      cluster.pass(60);
    }
    expect([cluster.devicesOf('a'), cluster.devicesOf('b'), cluster.preempted.length]).toEqual([3, 5, 3]);
  });

  it('is not reclaimed where the policy says so', () => {
    const cluster = running(four({ tenant: 'b' }, 1), { ...anyone, reclaim: false }, [guaranteed('a', 3)]);
    expect(asks(cluster, job('job_a', gpus(1), { tenant: 'a' }))).toEqual([]);
  });
});

const accountsArb = fc.record({ a: fc.nat(8), b: fc.nat(8), p: fc.nat(4) }).map(({ a, b, p }) => [
  ...(a > 0 ? [guaranteed('a', a)] : []),
  ...(b > 0 ? [guaranteed('b', b)] : []),
  // Of what its tenant is guaranteed, if that is guaranteed anything.
  ...(p > 0 ? [guaranteed('a/p1', a > 0 ? Math.min(a, p) : p)] : []),
]);
const jobsArb = fc.array(
  fc.record({
    tenant: fc.constantFrom('a', 'b', 'c'),
    project: fc.constantFrom('p1', 'p2'),
    priority: fc.integer({ min: 0, max: 2 }),
    count: fc.integer({ min: 1, max: 4 }),
    nodes: fc.constantFrom(1, 1, 1, 2),
    late: fc.boolean(),
  }),
  { minLength: 4, maxLength: 24 },
);

describe('ending work for others', () => {
  it('is stable: who was ended ends nobody in turn, and at rest nothing is ended any more', () => {
    fc.assert(
      fc.property(
        accountsArb,
        jobsArb,
        fc.constantFrom('anyone', 'same-tenant', 'never'),
        (accounts, specs, byPriority) => {
          const preemption = { ...anyone, byPriority, maxPerRound: 100, maxPerHour: 1000 } as const;
          const cluster = new Cluster(fleet(3), accounts, { preemption });
          const all = specs.map(({ tenant, project, priority, count, nodes, late }, i) => ({
            late,
            job: job(`job_${String(i).padStart(2, '0')}`, gpus(count, nodes), { tenant, project, priority }),
          }));
          const byId = new Map(all.map((one) => [one.job.id, one.job]));
          cluster.submit(...all.filter(({ late }) => !late).map((one) => ({ job: one.job, seconds: 1e7 })));
          cluster.round();
          cluster.pass(3600);
          cluster.submit(...all.filter(({ late }) => late).map((one) => ({ job: one.job, seconds: 1e7 })));
          const over = new Map<string, Set<string>>();
          let quiet = 0;
          for (let i = 0; i < 40 && quiet < 3; i += 1) {
            const { preemptions } = cluster.round();
            for (const { jobId, inFavourOf } of preemptions) {
              const [victim, winner] = [byId.get(jobId)!, byId.get(inFavourOf!)!];
              // Whoever was ended for another one never ends that one.
              expect(over.get(winner.id)?.has(victim.id) ?? false).toBe(false);
              over.set(victim.id, (over.get(victim.id) ?? new Set()).add(winner.id));
              const isOneAccount =
                victim.tenant === winner.tenant &&
                (victim.project === winner.project || !accounts.some(({ id }) => id.includes('/')));
              if (isOneAccount || victim.tenant === winner.tenant) {
                if (isOneAccount) expect(winner.priority).toBeGreaterThan(victim.priority);
              }
            }
            quiet = preemptions.length === 0 ? quiet + 1 : 0;
            cluster.pass(3600);
          }
          // With priorities across tenants and guarantees within them, chains of three accounts can go on within the hourly limit.
          if (byPriority !== 'anyone' || !accounts.some(({ id }) => id.includes('/'))) expect(quiet).toBe(3);
        },
      ),
      { numRuns: 60, seed: 20_261_122 },
    );
  }, 60_000);
});

describe('three accounts that could end each other in turn for ever (anyone, guarantees within tenants)', () => {
  it('are held back by the least run time and by the rate of an hour', () => {
    const preemption: PreemptionPolicy = { ...anyone, minRunSeconds: 300, maxPerHour: 6 };
    const accounts = [
      guaranteed('a/p1', 3),
      guaranteed('a/p2', 1),
      guaranteed('b', 2),
      guaranteed('c/p1', 2),
      guaranteed('c/p2', 2),
    ];
    let ended = 0;
    for (let seed = 1; seed <= 12; seed += 1) {
      let state = seed;
      const random = (below: number) => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        return (state >>> 8) % below;
      };
      const cluster = new Cluster(fleet(), accounts, { preemption });
      const at: number[] = [];
      for (let minute = 0; minute < 180; minute += 1) {
        if (minute % 3 === 0) {
          const owner = [
            ['a', 'p1'],
            ['a', 'p2'],
            ['b', 'p1'],
            ['c', 'p1'],
            ['c', 'p2'],
          ][random(5)]!;
          const more = { tenant: owner[0]!, project: owner[1]!, priority: random(9), submittedAt: cluster.now };
          const one = job(`job_${String(minute).padStart(3, '0')}`, gpus(1 + random(3)), more);
          cluster.submit({ job: one, seconds: 1e7 });
        }
        cluster.preemptedLastHour = at.filter((then) => cluster.now - then < 3_600_000).length;
        const started = new Map([...cluster.running].map(([id, { startedAt }]) => [id, startedAt]));
        for (const { jobId } of cluster.round().preemptions) {
          expect(cluster.now - started.get(jobId)!).toBeGreaterThanOrEqual(300_000);
          at.push(cluster.now);
        }
        const last = at.filter((then) => cluster.now - then < 3_600_000);
        expect(last.length).toBeLessThanOrEqual(6);
        cluster.pass(60);
      }
      ended += at.length;
    }
    expect(ended).toBeGreaterThan(20);
  }, 60_000);
});
