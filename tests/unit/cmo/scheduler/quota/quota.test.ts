import { describe, expect, it } from 'vitest';
import { defaultPreemption } from '../../../../../src/cmo/scheduler/core/preemption/preemption-policy.ts';
import type { Budget } from '../../../../../src/cmo/scheduler/core/quota/budget.ts';
import type { RunningJob } from '../../../../../src/cmo/scheduler/core/running.ts';
import { schedule } from '../../../../../src/cmo/scheduler/core/schedule.ts';
import type { AccountRow } from '../../../../../src/cmo/scheduler/core/shares/account.ts';
import type { PendingJob } from '../../../../../src/cmo/scheduler/core/snapshot.ts';
import { device, devices, fleetOf, job, node, now, policy } from '../support/builders.ts';
import { Cluster } from '../support/cluster.ts';

const gpus = (count: number, model?: string) => ({ resources: { devices: [{ count, model }] } });
const row = (id: string, more: Partial<AccountRow>): AccountRow => ({
  id,
  parent: id.includes('/') ? id.slice(0, id.lastIndexOf('/')) : null,
  weight: 1,
  ...more,
});
const quota = (resource: string, guaranteed: number, borrowLimit: number | null = null) => ({
  resource,
  guaranteed: guaranteed * 1000,
  borrowLimit: borrowLimit === null ? null : borrowLimit * 1000,
});
const mixed = () => [
  node('n1', { cpuMilli: 64_000, devices: devices('n1', 4) }),
  node('n2', { cpuMilli: 64_000, devices: ['a', 'b', 'c', 'd'].map((id) => device(`n2-${id}`, { model: 'A100' })) }),
];
const many = (count: number, more: Partial<PendingJob> = {}, spec = gpus(1)) =>
  Array.from({ length: count }, (_, i) => job(`job_${more.tenant ?? 't1'}_${more.project ?? ''}${i}`, spec, more));
const plan = (jobs: readonly PendingJob[], ...accounts: AccountRow[]) =>
  schedule({ ...fleetOf(mixed()), accounts }, jobs, policy(), now);
const reasons = (made: ReturnType<typeof plan>) => [...new Set(made.pending.map(({ reason }) => reason))];

describe('a quota', () => {
  it('ends borrowing at its limit, and says what would unblock', () => {
    const made = plan(many(8), row('t1', { quotas: [quota('gpu', 2, 1)] }));
    expect(made.placements.length).toBe(3);
    expect(reasons(made)).toEqual(['quota_exhausted']);
    expect(made.pending[0]!.detail.message).toBe(
      'Account t1 uses 3 of the 3 gpu that it may have, and this needs 1. It goes on when 1 of them end, or with a larger quota.',
    );
    expect(
      plan([job('job_1', gpus(4))], row('t1', { quotas: [quota('gpu', 2, 1)] })).pending[0]!.detail.message,
    ).toContain('it never fits');
  });

  it('says when enough of the account is expected to have ended, and after which of its jobs', () => {
    const runs = (id: string, tenant: string, minutes: number) => ({
      id,
      tenant,
      project: 'p1',
      user: '',
      priority: 0,
      ranks: [
        {
          nodeId: 'n1',
          cpuMilli: 0,
          memoryBytes: 0,
          diskBytes: 0,
          devices: [{ deviceId: `n1-d${minutes % 10}`, milli: 1000 }],
        },
      ],
      startedAt: now - 60_000,
      checkpointAt: null,
      endsAt: now + minutes * 60_000,
      preemptible: true,
      stopping: null,
    });
    const running = [runs('job_other', 't2', 10), runs('job_a', 't1', 41), runs('job_b', 't1', 72)];
    const accounts = [row('t1', { quotas: [quota('gpu', 2, 0)], limits: { runningJobs: 2 } })];
    const two = schedule({ ...fleetOf(mixed()), accounts, running }, [job('job_1', gpus(2))], policy(), now);
    expect(two.pending[0]).toMatchObject({ reason: 'quota_exhausted' });
    expect(two.pending[0]!.detail.message).toContain('Expected in about 72 min, when job_b ends.');
    const line = [job('job_1', gpus(2)), job('job_2', gpus(2), { submittedAt: now })];
    const [one, next] = schedule({ ...fleetOf(mixed()), accounts, running }, line, policy(), now).pending;
    expect(one!.detail).toEqual(two.pending[0]!.detail);
    expect(next).toMatchObject({ jobId: 'job_2', reason: 'quota_exhausted' });
    expect(next!.detail.message).toMatch(/or with a larger quota\. 1 like it goes before it\.$/);
    expect(next!.detail.expectedAt).toBeUndefined();
    // What both free is enough for two that want less.
    const small = Array.from({ length: 12 }, (_, i) =>
      job(`job_${String(i).padStart(2, '0')}`, gpus(1), { submittedAt: now - 100 + i }),
    );
    const told = schedule({ ...fleetOf(mixed()), accounts, running }, small, policy(), now).pending;
    expect(told[0]!.detail.message).toContain('Expected in about 41 min, when job_a ends.');
    expect(told[1]!.detail.message).toContain('1 like it goes before it. Expected in about 72 min, when job_b ends.');
    expect(told[2]!.detail.message).toMatch(/2 like it go before it\.$/);
    expect(told[11]!.detail.message).toMatch(/At least 10 like it go before it\.$/);
    const none = schedule({ ...fleetOf(mixed()), accounts, running }, [job('job_1')], policy(), now);
    expect(none.pending[0]).toMatchObject({ reason: 'limit_reached' });
    expect(none.pending[0]!.detail.message).toContain('Expected in about 41 min, when job_a ends.');
  });

  it('binds all accounts on the way up, for cores as for devices', () => {
    const accounts = [row('t1', { quotas: [quota('gpu', 0, 3)] }), row('t1/p1', { quotas: [quota('gpu', 2, 0)] })];
    const made = plan([...many(4, { project: 'p1' }), ...many(4, { project: 'p2' })], ...accounts);
    const placed = (part: string) => made.placements.filter(({ jobId }) => jobId.includes(part)).length;
    expect([placed('p1'), placed('p2')]).toEqual([2, 1]);
    expect(
      plan(many(8, {}, { resources: { cpu: 2 } } as never), row('t1', { quotas: [quota('cpu', 5, 0)] })).placements
        .length,
    ).toBe(2);
  });

  it('of one model counts who asks for it and who is given it', () => {
    const accounts = [row('t1', { quotas: [quota('gpu/h100', 1, 0)] })];
    expect(plan(many(3, {}, gpus(1, 'H100')), ...accounts).placements.length).toBe(1);
    // Any GPU: one H100 and all the A100.
    const made = plan(many(8), ...accounts);
    const given = made.placements.flatMap(({ ranks }) => ranks.map(({ nodeId }) => nodeId as string)).sort();
    expect(given).toEqual(['n1', 'n2', 'n2', 'n2', 'n2']);
    expect(reasons(made)).toEqual(['quota_exhausted']);
  });

  it('lets another alternative through that is not used up', () => {
    const either = { resources: { devices: { anyOf: [[{ model: 'H100' }], [{ model: 'A100' }]] } } } as never;
    const made = plan(many(3, {}, either), row('t1', { quotas: [quota('gpu/H100', 1, 0)] }));
    expect(made.placements.map(({ ranks }) => ranks[0]!.nodeId)).toEqual(['n1', 'n2', 'n2']);
  });

  it('puts who stays within a guarantee first, before higher priorities and lesser shares', () => {
    const accounts = [row('a', { weight: 0.01, quotas: [quota('gpu', 3)] })];
    const made = plan([...many(8, { tenant: 'b', priority: 5 }), ...many(8, { tenant: 'a' })], ...accounts);
    expect(made.placements.slice(0, 3).every(({ jobId }) => jobId.startsWith('job_a'))).toBe(true);
    expect(made.placements.slice(3).every(({ jobId }) => jobId.startsWith('job_b'))).toBe(true);
  });
});

describe('a limit', () => {
  it('of running jobs and of devices is kept', () => {
    const made = plan(many(8), row('t1', { limits: { runningJobs: 2 } }));
    expect([made.placements.length, reasons(made)]).toEqual([2, ['limit_reached']]);
    expect(plan(many(8), row('t1', { limits: { devices: 5000 } })).placements.length).toBe(5);
    expect(
      plan(many(3, {}, { resources: { cpu: 1 } } as never), row('t1', { limits: { devices: 0 } })).placements.length,
    ).toBe(3);
  });
});

describe('a budget', () => {
  const until = now + 5 * 3_600_000;
  const dollars = (limit: number, spent = 0, more: Partial<Budget> = {}) =>
    row('t1', { limits: { budgets: [{ kind: 'microUsd', period: 'day', limit, spent, until, ...more }] } });
  // A device costs $2, a core $0.01, memory $0.0005 an hour.
  const runTime = { likelySeconds: 3600, carefulSeconds: 7200 };
  const message = (made: ReturnType<typeof plan>) => made.pending[0]!.detail.message;
  const runs = (id: string, more: Partial<RunningJob> = {}): RunningJob => ({
    id,
    tenant: 't1',
    project: 'p1',
    priority: 0,
    ranks: [{ nodeId: 'n1', cpuMilli: 0, memoryBytes: 0, diskBytes: 0, devices: [{ deviceId: 'n1-d0', milli: 1000 }] }],
    startedAt: now - 3_600_000,
    checkpointAt: null,
    endsAt: now + 3_600_000,
    preemptible: true,
    stopping: null,
    ...more,
  });
  const beside = (running: RunningJob[], ...accounts: AccountRow[]) =>
    schedule({ ...fleetOf(mixed()), accounts, running }, many(4, { runTime }), policy(), now);

  it('of dollars counts what jobs are expected to cost, and stops all when it is spent, until the next period', () => {
    expect(plan(many(8, { runTime }), dollars(5_000_000)).placements.length).toBe(2);
    expect(plan(many(8, { runTime }), dollars(5_000_000, 2_500_000)).placements.length).toBe(1);
    expect(plan(many(8), dollars(5_000_000, 4_999_999)).placements.length).toBe(8);
    const over = plan(many(8), dollars(5_000_000, 5_000_000));
    expect([over.placements.length, reasons(over)]).toEqual([0, ['budget_exhausted']]);
    expect(message(over)).toBe(
      'Account t1 has spent $5.00 of the $5.00 that it may spend in a day. It goes on when the next begins, 2026-11-22T05:00:00.000Z, or with a larger budget.',
    );
    expect(message(plan(many(1, { runTime }), dollars(1_000_000)))).toContain('it never fits');
    expect(message(plan(many(1, { runTime }), dollars(3_000_000, 2_000_000)))).toContain('expected to take $2.01.');
  });

  it('counts what running work will still cost, so that rounds do not start more and more', () => {
    // Two dollars an hour for another hour each.
    expect(beside([], dollars(5_000_000)).placements.length).toBe(2);
    expect(beside([runs('job_a')], dollars(5_000_000)).placements.length).toBe(1);
    const full = beside([runs('job_a'), runs('job_b')], dollars(5_000_000));
    expect([full.placements.length, reasons(full)]).toEqual([0, ['budget_exhausted']]);
    expect(message(full)).toContain('and what runs is expected to take $4.00 more');
    // Of the next period's money nothing is counted, of others' work nothing, of what never ends nothing.
    expect(beside([runs('job_a', { endsAt: now + 1e9 })], dollars(15_000_000)).placements.length).toBe(2);
    expect(beside([runs('job_a', { tenant: 't2' })], dollars(5_000_000)).placements.length).toBe(2);
    expect(beside([runs('job_a', { endsAt: null })], dollars(5_000_000)).placements.length).toBe(2);
    expect(
      beside([runs('job_a', { ranks: [{ ...runs('x').ranks[0]!, nodeId: 'gone' }] })], dollars(5_000_000)).placements
        .length,
    ).toBe(2);
  });

  it('holds for the account, those below it, and no others; several must all agree', () => {
    expect(plan(many(2, { tenant: 't2' }), dollars(5, 5)).placements.length).toBe(2);
    const project = row('t1/p1', {
      limits: { budgets: [{ kind: 'wattHours', period: 'month', limit: 1, spent: 1, until }] },
    });
    expect(reasons(plan(many(2), dollars(5_000_000), project))).toEqual(['budget_exhausted']);
    expect(plan(many(2, { project: 'p2' }), dollars(5_000_000), project).placements.length).toBe(2);
    expect(plan(many(2, { project: 'p2' }), dollars(5, 5), project).placements.length).toBe(0);
  });

  it('ends running work only when it says so, and only of its account', () => {
    const running = [runs('job_a'), runs('job_b', { tenant: 't2' }), runs('job_c', { stopping: 'cancel' })];
    expect(beside(running, dollars(5, 5)).preemptions).toEqual([]);
    expect(beside(running, dollars(5, 4, { stop: true })).preemptions).toEqual([]);
    expect(beside(running, dollars(5, 5, { stop: true })).preemptions).toEqual([{ jobId: 'job_a', inFavourOf: null }]);
  });

  it.each(['wattHours', 'gramsCo2e'] as const)('of %s stops all when it is spent', (kind) => {
    expect(plan(many(2), dollars(10, 10, { kind })).placements.length).toBe(0);
    expect(plan(many(2), dollars(10, 9, { kind })).placements.length).toBe(2);
  });
});

describe('quotas over time', () => {
  it('hold in every round, and guarantees are reached under contention', () => {
    const accounts = [
      row('a', { quotas: [quota('gpu', 5, 1)] }),
      row('b', { quotas: [quota('gpu', 2)], limits: { runningJobs: 7 } }),
      row('c', { weight: 9 }),
    ];
    for (let seed = 1; seed <= 8; seed += 1) {
      let state = seed;
      const random = (below: number) => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        return (state >>> 8) % below;
      };
      const preemption = { ...defaultPreemption, minRunSeconds: 0 };
      const cluster = new Cluster(mixed(), accounts, { preemption, reserveAfterSeconds: 1e9 });
      let made = 0;
      for (let minute = 0; minute < 60; minute += 1) {
        for (let i = random(6); i >= 0; i -= 1) {
          made += 1;
          const tenant = ['a', 'b', 'c'][random(3)]!;
          const one = job(`job_${made}`, gpus(1 + random(2)), {
            tenant,
            priority: random(3),
            submittedAt: cluster.now,
          });
          cluster.submit({ job: one, seconds: 60 * (1 + random(9)) });
        }
        cluster.round();
        expect(cluster.devicesOf('a')).toBeLessThanOrEqual(6);
        expect([...cluster.running.values()].filter(({ tenant }) => tenant === 'b').length).toBeLessThanOrEqual(7);
        cluster.pass(60);
      }
      // From here on everybody wants everything: guarantees are reached as soon as what is borrowed may be ended.
      for (const tenant of ['a', 'b', 'c']) {
        const more = many(12, { tenant, submittedAt: cluster.now }).map((one) => ({ ...one, id: `${one.id}_late` }));
        cluster.submit(...more.map((one) => ({ job: one, seconds: 36_000 })));
      }
      for (let minute = 0; minute < 12; minute += 1) {
        cluster.pass(60);
        cluster.round();
      }
      expect(cluster.devicesOf('a')).toBeGreaterThanOrEqual(5);
      expect(cluster.devicesOf('b')).toBeGreaterThanOrEqual(2);
    }
  }, 30_000);
});
