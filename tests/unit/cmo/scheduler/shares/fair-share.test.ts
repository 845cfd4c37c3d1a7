import { describe, expect, it } from 'vitest';
import { schedule } from '../../../../../src/cmo/scheduler/core/schedule.ts';
import type { AccountRow } from '../../../../../src/cmo/scheduler/core/shares/account.ts';
import { devices, fleetOf, job, node, now, policy } from '../support/builders.ts';
import { Cluster } from '../support/cluster.ts';

const gpus = (count: number) => ({ resources: { devices: [{ count }] } });
const row = (id: string, weight: number, more: Partial<AccountRow> = {}): AccountRow => ({
  id,
  parent: id.includes('/') ? id.slice(0, id.lastIndexOf('/')) : null,
  weight,
  ...more,
});
const eightGpus = () => [node('n1', { cpuMilli: 64_000, devices: devices('n1', 8) })];
const ofTenant = (tenant: string, count: number, more: { project?: string; user?: string; priority?: number } = {}) =>
  Array.from({ length: count }, (_, i) =>
    job(`job_${tenant}_${more.project ?? ''}${more.user ?? ''}_${String(i).padStart(3, '0')}`, gpus(1), {
      tenant,
      ...more,
    }),
  );
const placedBy = (plan: ReturnType<typeof schedule>, part: string) =>
  plan.placements.filter(({ jobId }) => jobId.includes(part)).length;

describe('a round over several accounts', () => {
  it('gives tenants equal shares whoever came first', () => {
    const early = ofTenant('a', 20).map((one) => ({ ...one, submittedAt: now - 900_000 }));
    const plan = schedule(fleetOf(eightGpus()), [...early, ...ofTenant('b', 20)], policy(), now);
    expect([placedBy(plan, '_a_'), placedBy(plan, '_b_')]).toEqual([4, 4]);
  });

  it('gives shares by weight, and counts what runs already', () => {
    const accounts = [row('a', 3), row('b', 1)];
    const plan = schedule(
      { ...fleetOf(eightGpus()), accounts },
      [...ofTenant('a', 20), ...ofTenant('b', 20)],
      policy(),
      now,
    );
    expect([placedBy(plan, '_a_'), placedBy(plan, '_b_')]).toEqual([6, 2]);

    const cluster = new Cluster(eightGpus(), accounts);
    cluster.submit(...ofTenant('b', 4).map((one) => ({ job: one, seconds: 3600 })));
    cluster.round();
    cluster.submit(
      ...[...ofTenant('a', 8), ...ofTenant('b', 8).map((one) => ({ ...one, id: `${one.id}x` }))].map((one) => ({
        job: one,
        seconds: 3600,
      })),
    );
    cluster.round();
    expect([cluster.devicesOf('a'), cluster.devicesOf('b')]).toEqual([4, 4]);
  });

  it('shares within a tenant only among projects, and within a project only among users, that have rows', () => {
    const jobs = [
      ...ofTenant('a', 9, { project: 'p1', user: 'u1' }).map((one) => ({ ...one, submittedAt: now - 60_000 })),
      ...ofTenant('a', 9, { project: 'p1', user: 'u2' }),
      ...ofTenant('a', 9, { project: 'p2', user: 'u1' }),
    ];
    const placed = (...accounts: AccountRow[]) => {
      const plan = schedule({ ...fleetOf(eightGpus()), accounts }, jobs, policy(), now);
      return ['p1u1', 'p1u2', 'p2u1'].map((part) => placedBy(plan, part));
    };
    expect(placed()).toEqual([8, 0, 0]);
    expect(placed(row('a/p2', 1))).toEqual([4, 0, 4]);
    expect(placed(row('a/p2', 1), row('a/p1/u1', 1))).toEqual([2, 2, 4]);
    expect(placed(row('a/p2', 3), row('a/p1/u2', 1))).toEqual([1, 1, 6]);
  });

  it('puts priority before shares', () => {
    const plan = schedule(
      fleetOf(eightGpus()),
      [...ofTenant('a', 8, { priority: 1 }), ...ofTenant('b', 8)],
      policy(),
      now,
    );
    expect(placedBy(plan, '_a_')).toBe(8);
  });

  it('reckons with the dominant resource', () => {
    // Each job of a takes 1/8 of the devices, each of b 1/4 of the cores.
    const cpuJobs = Array.from({ length: 9 }, (_, i) => job(`job_b_${i}`, { resources: { cpu: 16 } }, { tenant: 'b' }));
    const gpuJobs = ofTenant('a', 9).map((one) => ({
      ...one,
      shape: job('x', { resources: { cpu: 0.001, devices: [{ count: 1 }] } }).shape,
    }));
    const { placements } = schedule(fleetOf(eightGpus()), [...gpuJobs, ...cpuJobs], policy({ maxPlacements: 9 }), now);
    expect(placements.filter(({ jobId }) => jobId.startsWith('job_b')).length).toBe(3);
  });

  it('lets who used much lately wait, and forgets that by half every half-life', () => {
    const week = 7 * 86_400_000;
    const average = (gpuShare: number) => [0, 0, (gpuShare * 8000 * 7 * 86_400) / Math.LN2, 0, 0];
    const placed = (at: number) => {
      const accounts = [row('a', 1, { past: { amounts: average(0.5), at } })];
      const plan = schedule(
        { ...fleetOf(eightGpus()), accounts },
        [...ofTenant('a', 9), ...ofTenant('b', 9)],
        policy(),
        now,
      );
      return [placedBy(plan, '_a_'), placedBy(plan, '_b_')];
    };
    expect(placed(now)).toEqual([2, 6]);
    expect(placed(now - week)).toEqual([3, 5]);
    expect(placed(now - 20 * week)).toEqual([4, 4]);
    expect(placed(now + week)).toEqual([2, 6]);
  });

  it('converges to the weights over time, whatever the lengths of jobs', () => {
    const weights = { a: 1, b: 2, c: 5 };
    const cluster = new Cluster(
      eightGpus(),
      Object.entries(weights).map(([id, weight]) => row(id, weight)),
    );
    const used = { a: 0, b: 0, c: 0 };
    let made = 0;
    for (let minute = 0; minute < 300; minute += 1) {
      for (const tenant of ['a', 'b', 'c'] as const) {
        while ([...cluster.queued.values()].filter(({ job: { tenant: of } }) => of === tenant).length < 8) {
          made += 1;
          const one = job(`job_${String(made).padStart(5, '0')}`, gpus(1), { tenant, submittedAt: cluster.now });
          cluster.submit({ job: one, seconds: 60 * (1 + (made % 7)) });
        }
        used[tenant] += cluster.devicesOf(tenant);
      }
      cluster.round();
      cluster.pass(60);
    }
    const all = used.a + used.b + used.c;
    for (const tenant of ['a', 'b', 'c'] as const) expect(used[tenant] / all).toBeCloseTo(weights[tenant] / 8, 1);
  }, 30_000);
});

describe('an account whose parts want different things', () => {
  /** Cores that run for each after a while: a tenant that wants cores, and one whose first project holds all devices and whose second wants cores. */
  function coresAfterAWhile(accounts: readonly AccountRow[]): Record<string, number> {
    const cluster = new Cluster([node('n1', { cpuMilli: 16_000, devices: devices('n1', 8) })], accounts);
    const queue = { simple: ['b', 'p0'], devices: ['a', 'p1'], cores: ['a', 'p2'] } as const;
    let made = 0;
    const cores: Record<string, number> = { simple: 0, cores: 0 };
    for (let minute = 0; minute < 120; minute += 1) {
      for (const [name, [tenant, project]] of Object.entries(queue)) {
        while ([...cluster.queued.values()].filter(({ job: { id } }) => id.includes(name)).length < 20) {
          made += 1;
          const wants = name === 'devices' ? { resources: { cpu: 0.001, devices: [{ count: 1 }] } } : {};
          const id = `job_${String(made).padStart(5, '0')}_${name}`;
          const one = job(id, wants, { tenant, project, submittedAt: cluster.now });
          cluster.submit({ job: one, seconds: name === 'devices' ? 1e9 : 60 * (1 + (made % 3)) });
        }
      }
      cluster.round();
      if (minute >= 20) {
        for (const id of cluster.running.keys()) {
          for (const name of Object.keys(cores)) if (id.includes(name)) cores[name]! += 1;
        }
      }
      cluster.pass(60);
    }
    return cores;
  }

  it('is not starved of what another wants by what one of its parts holds (Bhattacharya et al., SoCC’13, §3)', () => {
    // All devices are held by p1: by its dominant share its tenant would come last for ever.
    const { simple, cores } = coresAfterAWhile([row('a/p1', 1), row('a/p2', 1)]);
    expect(cores! / (simple! + cores!)).toBeCloseTo(0.5, 1);
  }, 60_000);

  it('gets no more of a thing for holding it in another part', () => {
    // p1 holds half the devices; p2, which has none, and another tenant want the rest.
    const cluster = new Cluster(eightGpus(), [row('a/p1', 1), row('a/p2', 1)]);
    const asks = (tenant: string, project: string, count: number) =>
      cluster.submit(...ofTenant(tenant, count, { project }).map((one) => ({ job: one, seconds: 1e9 })));
    asks('a', 'p1', 4);
    cluster.round();
    asks('a', 'p2', 8);
    asks('b', 'p0', 8);
    cluster.round();
    expect([cluster.devicesOf('a'), cluster.devicesOf('b')]).toEqual([4, 4]);
  });
});
