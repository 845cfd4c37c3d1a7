/**
 * Budgets: what an account may spend in a period, in dollars, energy or carbon.
 *
 * Counted are what was spent so far, what running work is expected to spend until it ends or the period does, and what this round starts: else
 * each round would start as many jobs as the rest of the budget pays for, before the first of them has cost anything. What nobody can
 * foresee is let through until the budget is used up. Running work goes on all the same, unless the budget says `stop`.
 */
import type { Account } from '../shares/ledger.ts';
import { dollarsOf } from '../words.ts';

export const spendingKinds = ['microUsd', 'wattHours', 'gramsCo2e'] as const;
export type SpendingKind = (typeof spendingKinds)[number];
export const budgetPeriods = ['day', 'month'] as const;
export type BudgetPeriod = (typeof budgetPeriods)[number];

export interface Budget {
  readonly kind: SpendingKind;
  readonly period: BudgetPeriod;
  /** In the unit of the kind, ≥ 0. */
  readonly limit: number;
  /** Of the period that runs, ≥ 0. */
  readonly spent: number;
  /** When the next period begins, epoch milliseconds. */
  readonly until: number;
  /** Whether running work is ended when it is used up. */
  readonly stop?: boolean;
}

/** What a job is expected to spend in all, by kind; left out: not known. */
export type Spending = Readonly<Partial<Record<SpendingKind, number>>>;

/** Why the account's own budgets do not let it spend that; undefined when they do. */
export function budgetRefusal(
  { row, spending: expected }: Account,
  wanted: Spending,
  name: string,
): string | undefined {
  for (const budget of row?.limits?.budgets ?? []) {
    const { kind, limit, spent } = budget;
    const more = expected.get(kind) ?? 0;
    const cost = wanted[kind] ?? 0;
    if (spent + more < limit && !(spent + more + cost > limit)) continue;
    const amount = amountIn[kind];
    const begun = more > 0 ? `, and what runs is expected to take ${amount(more)} more` : '';
    const numbers = `Account ${name} has spent ${amount(spent)} of the ${amount(limit)} that it may spend ${inPeriod[budget.period]}${begun}`;
    if (spent + more >= limit)
      return `${numbers}. It goes on when the next begins, ${instantOf(budget.until)}, or with a larger budget.`;
    if (cost > limit)
      return `${numbers}; this is expected to take ${amount(cost)}: it never fits. Raise the budget or ask for less.`;
    return `${numbers}; this is expected to take ${amount(cost)}. It goes on when the next begins, ${instantOf(budget.until)}, when work that runs takes less, or with a larger budget.`;
  }
  return undefined;
}

/** Counts what a job is expected to spend for its account and all above. */
export function spend(leaf: Account, spending: Spending): void {
  for (let account: Account | null = leaf; account !== null; account = account.parent) {
    for (const kind of spendingKinds) {
      const amount = spending[kind];
      if (amount !== undefined) account.spending.set(kind, (account.spending.get(kind) ?? 0) + amount);
    }
  }
}

/** Whether a budget of the account, or of one above it, is used up and says that running work ends then. */
export function mustStop(leaf: Account): boolean {
  for (let account: Account | null = leaf; account !== null; account = account.parent) {
    if (account.row?.limits?.budgets?.some(({ stop, spent, limit }) => stop === true && spent >= limit)) return true;
  }
  return false;
}

const inPeriod: Readonly<Record<BudgetPeriod, string>> = { day: 'in a day', month: 'in a month' };
const amountIn: Readonly<Record<SpendingKind, (amount: number) => string>> = {
  // To the cent, where there is one.
  microUsd: (amount) => dollarsOf(amount >= 10_000 ? Math.round(amount / 10_000) * 10_000 : Math.round(amount)),
  wattHours: (amount) => `${Math.round(amount) / 1000} kWh`,
  gramsCo2e: (amount) => `${Math.round(amount) / 1000} kg CO2e`,
};

/** Beyond what a date can hold it is never. */
const instantOf = (at: number) => (Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : 'never');
