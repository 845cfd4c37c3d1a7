import { describe, expect, it } from 'vitest';
import type { Budget } from '../../../../../src/cmo/scheduler/core/quota/budget.ts';
import { type AccountRow, AccountTree, accountId } from '../../../../../src/cmo/scheduler/core/shares/account.ts';
import { checkAccounts, InvalidAccountsError } from '../../../../../src/cmo/scheduler/core/shares/check-accounts.ts';

const row = (id: string, more: Partial<AccountRow> = {}): AccountRow => ({ id, parent: null, weight: 1, ...more });

/** The code and the account that a check names; undefined when nothing is wrong. */
function faultOf(...rows: AccountRow[]): [string, string] | undefined {
  try {
    checkAccounts(rows);
    return undefined;
  } catch (error) {
    if (!(error instanceof InvalidAccountsError)) throw error;
    return [error.code, error.account];
  }
}

const budget = (more: Partial<Budget>): Budget => ({
  kind: 'microUsd',
  period: 'day',
  limit: 1,
  spent: 0,
  until: 0,
  ...more,
});

describe('a check of accounts', () => {
  it('lets trees of tenants, projects and users pass, also below accounts of another name', () => {
    const tree = [row('org'), row('t1', { parent: 'org' }), row('t1/p1', { parent: 't1', weight: 0.5 })];
    expect(faultOf(...tree, row('t1/p1/u1', { parent: 't1/p1' }), row('t2/p1', { parent: 't2' }))).toBeUndefined();
    expect(faultOf()).toBeUndefined();
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses a weight of %s', (weight) => {
    expect(faultOf(row('t1'), row('t2', { weight }))).toEqual(['weight', 't2']);
  });

  it('refuses cycles, unknown parents and rows given twice, and names the account', () => {
    expect(faultOf(row('a', { parent: 'b' }), row('b', { parent: 'c' }), row('c', { parent: 'a' }))).toEqual([
      'cycle',
      'a',
    ]);
    expect(faultOf(row('a', { parent: 'a' }))).toEqual(['cycle', 'a']);
    expect(faultOf(row('t1', { parent: 'nobody' }))).toEqual(['parent', 't1']);
    expect(faultOf(row('t1'), row('t1'))).toEqual(['twice', 't1']);
  });

  it.each([
    ['number', { past: { amounts: [1, 2], at: 0 } }],
    ['number', { past: { amounts: [0, 0, Number.NaN, 0, 0], at: 0 } }],
    ['number', { past: { amounts: [0, 0, 0, 0, 0], at: Number.NaN } }],
    ['number', { quotas: [{ resource: 'gpu', guaranteed: Number.NaN, borrowLimit: null }] }],
    ['number', { quotas: [{ resource: 'gpu', guaranteed: -1, borrowLimit: null }] }],
    ['number', { quotas: [{ resource: 'gpu', guaranteed: 1, borrowLimit: -1 }] }],
    ['class', { quotas: [{ resource: 'memory', guaranteed: 1, borrowLimit: null }] }],
    [
      'twice',
      {
        quotas: [1, 2].map((guaranteed) => ({
          resource: `gpu/${guaranteed > 1 ? 'h100' : 'H100'}`,
          guaranteed,
          borrowLimit: 0,
        })),
      },
    ],
    ['number', { limits: { runningJobs: -1 } }],
    ['number', { limits: { devices: Number.NaN } }],
    ['number', { limits: { budgets: [budget({ spent: Number.NaN })] } }],
    ['number', { limits: { budgets: [budget({ limit: -1 })] } }],
    ['number', { limits: { budgets: [budget({ until: Number.NaN })] } }],
    ['number', { limits: { budgets: [budget({ kind: 'joules' as never })] } }],
    ['number', { limits: { budgets: [budget({ period: 'year' as never })] } }],
  ] satisfies [string, Partial<AccountRow>][])('refuses %s in %j', (code, more) => {
    expect(faultOf(row('t1', more))).toEqual([code, 't1']);
  });
});

describe('the account of a job', () => {
  const owner = { tenant: 't1', project: 'p1', user: 'u1' };

  it('is its tenant unless projects or users of it share among themselves', () => {
    expect(new AccountTree([]).leafOf(owner)).toBe('t1');
    expect(new AccountTree([row('t1')]).leafOf(owner)).toBe('t1');
    expect(new AccountTree([row('t1/p2', { parent: 't1' })]).leafOf(owner)).toBe('t1/p1');
    expect(new AccountTree([row('t1/p1/u2', { parent: 't1/p1' })]).leafOf(owner)).toBe('t1/p1/u1');
    expect(new AccountTree([row('t2/p1', { parent: 't2' })]).leafOf(owner)).toBe('t1');
  });

  it('has a parent also when it has no row', () => {
    const tree = new AccountTree([row('org'), row('t1', { parent: 'org' })]);
    expect(tree.parentOf(accountId('t1', 'p1', 'u1'))).toBe('t1/p1');
    expect(tree.parentOf('t1/p1')).toBe('t1');
    expect(tree.parentOf('t1')).toBe('org');
    expect(tree.parentOf('t9')).toBeNull();
  });
});
