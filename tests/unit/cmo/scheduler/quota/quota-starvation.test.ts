/** A large job whose account is full of small ones: from when on its quota is kept for it, and for whom it is not. */
import { describe, expect, it } from 'vitest';
import type { AccountRow } from '../../../../../src/cmo/scheduler/core/shares/account.ts';
import { devices, job, node, type SpecInput } from '../support/builders.ts';
import { Cluster } from '../support/cluster.ts';

const gpus = (count: number, more: SpecInput = {}): SpecInput => ({ resources: { devices: [{ count }] }, ...more });
const account = (id: string, more: Partial<AccountRow>): AccountRow => ({
  id,
  parent: id.includes('/') ? id.slice(0, id.lastIndexOf('/')) : null,
  weight: 1,
  ...more,
});
const quota = (resource: string, guaranteed: number, borrowLimit: number | null) => ({
  resource,
  guaranteed: guaranteed * 1000,
  borrowLimit: borrowLimit === null ? null : borrowLimit * 1000,
});
const four = { quotas: [quota('gpu', 0, 4)] };

const firmMinutes = 30;
/** Small jobs run 3 to 7 minutes. */
const longestMinutes = 7;

interface Case {
  readonly accounts: readonly AccountRow[];
  readonly big?: SpecInput;
  readonly small?: SpecInput;
  /** Project of the small jobs; the large one is of p1. */
  readonly project?: string;
  readonly nodes?: number;
  /** Whether another tenant floods the nodes, too. */
  readonly stranger?: boolean;
}

/** Rounds a minute apart, with more small jobs than the quota takes; the minute in which the large one starts, or `limit`, and devices held in each. */
function run(
  { accounts, big = gpus(4), small = gpus(1), project = 'p1', nodes = 2, stranger = false }: Case,
  limit = 120,
) {
  const rows = Array.from({ length: nodes }, (_, i) =>
    node(`n${i}`, { cpuMilli: 64_000, devices: devices(`n${i}`, 4) }),
  );
  const cluster = new Cluster(rows, accounts, {
    firmAfterSeconds: firmMinutes * 60,
    reserveAfterSeconds: 60,
  });
  const start = cluster.now;
  const smallOnes = (minute: number) =>
    (stranger ? ['t1', 't2'] : ['t1']).flatMap((tenant) =>
      Array.from({ length: 6 }, (_, i) => ({
        job: job(`small_${tenant}_${minute}_${i}`, small, { submittedAt: cluster.now, project, tenant }),
        seconds: 60 * (3 + ((minute + i) % 5)),
      })),
    );
  cluster.submit(...smallOnes(-1));
  cluster.round();
  cluster.submit({ job: job('big', big, { submittedAt: start }), seconds: 60 });
  const busy: number[] = [];
  for (let minute = 0; minute < limit; minute += 1) {
    cluster.round();
    if (cluster.startedAt.has('big')) return { minute, busy };
    busy.push(cluster.devicesOf('t1'));
    cluster.pass(60);
    cluster.submit(...smallOnes(minute));
  }
  return { minute: limit, busy };
}

describe('a large job in an account that small ones fill', () => {
  const bound = firmMinutes + longestMinutes + 1;

  it.each<[string, Case]>([
    ['a quota of its tenant', { accounts: [account('t1', four)] }],
    [
      'a quota of one model',
      {
        accounts: [account('t1', { quotas: [quota('gpu/H100', 0, 4)] })],
        big: { resources: { devices: [{ count: 4, model: 'H100' }] } },
        small: { resources: { devices: [{ count: 1, model: 'H100' }] } },
      },
    ],
    ['a limit of devices', { accounts: [account('t1', { limits: { devices: 4000 } })] }],
    [
      'a quota of cores',
      {
        accounts: [account('t1', { quotas: [quota('cpu', 0, 8)] })],
        big: { resources: { cpu: 8 } },
        small: { resources: { cpu: 2 } },
      },
    ],
    [
      'the quota of a tenant, with the small ones in another project',
      { accounts: [account('t1', four), account('t1/p1', {}), account('t1/p2', {})], project: 'p2' },
    ],
    [
      'quotas of its project and its tenant, with the small ones in another project',
      { accounts: [account('t1', four), account('t1/p1', four), account('t1/p2', {})], project: 'p2' },
    ],
    [
      'a gang on as many nodes',
      { accounts: [account('t1', four)], big: { resources: { nodes: 4, devices: [{ count: 1 }] } }, nodes: 4 },
    ],
  ])('starts within the bound: %s', (_, given) => {
    const { minute, busy } = run(given);
    expect(minute).toBeLessThanOrEqual(bound);
    expect(Math.max(...busy)).toBeLessThanOrEqual(4);
  });

  it('starts within two longest runs when nodes are short, too, by who has no such quota', () => {
    const { minute } = run({ accounts: [account('t1', four), account('t2', { weight: 3 })], stranger: true });
    expect(minute).toBeLessThanOrEqual(bound + longestMinutes);
  });

  it('keeps the quota that it has while it waits for nodes', () => {
    const rows = [3, 4].map((count) => node(`n${count}`, { cpuMilli: 64_000, devices: devices(`n${count}`, count) }));
    const cluster = new Cluster(rows, [account('t1', four)], { firmAfterSeconds: 60, reserveAfterSeconds: 60 });
    cluster.submit(
      ...[1, 2, 3, 4, 5].map((i) => ({ job: job(`t2_${i}`, gpus(1), { tenant: 't2' }), seconds: 600 * i })),
    );
    cluster.round();
    cluster.submit({ job: job('big', gpus(4), { submittedAt: cluster.now }), seconds: 60 });
    cluster.pass(120);
    cluster.submit({ job: job('late', gpus(1), { submittedAt: cluster.now }), seconds: 6000 });
    const { pending } = cluster.round();
    expect(pending.map(({ jobId, reason }) => [jobId, reason])).toEqual([
      ['big', 'insufficient_capacity'],
      ['late', 'quota_exhausted'],
    ]);
  });

  it('says that its quota is kept for it, and to the others for whom', () => {
    const rows = [node('n0', { cpuMilli: 64_000, devices: devices('n0', 8) })];
    const cluster = new Cluster(rows, [account('t1', four)], { firmAfterSeconds: 60 });
    cluster.submit(...[1, 2, 3].map((i) => ({ job: job(`small_${i}`, gpus(1)), seconds: 600 })));
    cluster.round();
    cluster.submit({ job: job('big', gpus(4), { submittedAt: cluster.now }), seconds: 60 });
    cluster.pass(120);
    cluster.submit({ job: job('late', gpus(1), { submittedAt: cluster.now }), seconds: 60 });
    const words = new Map(cluster.round().pending.map(({ jobId, detail }) => [jobId as string, detail.message]));
    expect(words.get('big')).toContain('What ends of it is kept for this job.');
    expect(words.get('late')).toContain(
      'Account t1 uses 3 of the 4 gpu that it may have, keeps 4 for a job that has waited longer, and this needs 1. It goes on when that job has ended',
    );
  });

  it('keeps nobody from what its quota is not of', () => {
    const cluster = new Cluster([node('n0', { cpuMilli: 64_000, devices: devices('n0', 8) })], [account('t1', four)], {
      firmAfterSeconds: 60,
    });
    cluster.submit({ job: job('small', gpus(1)), seconds: 6000 });
    cluster.round();
    cluster.submit({ job: job('big', gpus(4), { submittedAt: cluster.now }), seconds: 60 });
    cluster.pass(120);
    cluster.submit({ job: job('cores', { resources: { cpu: 2 } }, { submittedAt: cluster.now }), seconds: 60 });
    cluster.submit({ job: job('other', gpus(1), { submittedAt: cluster.now, tenant: 't2' }), seconds: 60 });
    cluster.round();
    expect([...cluster.startedAt.keys()]).toEqual(expect.arrayContaining(['cores', 'other']));
  });

  it.each<[string, readonly AccountRow[], SpecInput]>([
    ['asks for more than the quota', [account('t1', four)], { resources: { nodes: 2, devices: [{ count: 3 }] } }],
    ['fits no node', [account('t1', four)], { resources: { cpu: 500, devices: [{ count: 4 }] } }],
    [
      'fits its project and not its tenant',
      [account('t1', { quotas: [quota('gpu', 0, 4), quota('cpu', 0, 30)] }), account('t1/p1', four)],
      { resources: { cpu: 40, devices: [{ count: 4 }] } },
    ],
  ])('is kept from nothing by an older one that %s', (_, accounts, never) => {
    const { busy, minute } = run({ accounts, big: never }, firmMinutes + 2 * longestMinutes);
    expect(minute).toBe(firmMinutes + 2 * longestMinutes);
    expect(Math.min(...busy)).toBe(4);
  });

  it('keeps nothing while a budget of the account is used up', () => {
    const spent = { kind: 'wattHours', period: 'day', limit: 1, spent: 0, until: 1e15 } as const;
    const withBudget = (more: { readonly spent: number }) => [
      account('t1', four),
      account('t1/p1', { quotas: [quota('gpu', 0, 2)], limits: { budgets: [{ ...spent, ...more }] } }),
      account('t1/p2', {}),
    ];
    const cluster = new Cluster(
      [node('n0', { cpuMilli: 64_000, devices: devices('n0', 8) })],
      withBudget({ spent: 0 }),
      {
        firmAfterSeconds: 60,
      },
    );
    cluster.submit({ job: job('small', gpus(1)), seconds: 6000 });
    cluster.round();
    cluster.accounts = withBudget({ spent: 1 });
    cluster.submit({ job: job('broke', gpus(2), { submittedAt: cluster.now }), seconds: 60 });
    cluster.pass(120);
    const others = { submittedAt: cluster.now, project: 'p2' };
    cluster.submit(...[1, 2, 3].map((i) => ({ job: job(`p2_${i}`, gpus(1), others), seconds: 60 })));
    cluster.round();
    expect([...cluster.startedAt.keys()]).toEqual(['small', 'p2_1', 'p2_2', 'p2_3']);
  });

  it('has no such right against those whose turn is before it', () => {
    const urgent = gpus(1, { priority: 10 });
    expect(run({ accounts: [account('t1', four)], small: urgent }, 80).minute).toBe(80);
    const guaranteed = [account('t1', { quotas: [quota('gpu', 2, 2)] })];
    expect(run({ accounts: guaranteed }, 80).minute).toBe(80);
  });
});
