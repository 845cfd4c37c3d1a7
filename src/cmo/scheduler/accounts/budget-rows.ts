/**
 * Budgets as rows. What is spent of one is counted each minute and when it is set, and kept beside it, so that rounds and people read it for nothing.
 *
 * Periods are days and months of the calendar in UTC. In a period that nobody has counted yet nothing is spent.
 */
import { spentSince } from '../../../billing/index.ts';
import type { Queryable, Transaction } from '../../../common/database/queryable.ts';
import type { Budget, BudgetPeriod } from '../core/quota/budget.ts';

export type BudgetKind = 'usd' | 'kwh';

/** What somebody sets. */
export interface BudgetSetting {
  readonly kind: BudgetKind;
  readonly period: BudgetPeriod;
  /** Micro-dollars or watt-hours, ≥ 0. */
  readonly amount: number;
  readonly stops: boolean;
}

/** One with what is spent of it. */
export interface BudgetState extends BudgetSetting {
  readonly spent: number;
  /** When the next period begins, epoch milliseconds. */
  readonly until: number;
}

const start = `date_trunc(b.period, now() at time zone 'utc')`;

/** Budgets of `a.id` as JSON, for statements that read accounts. */
export const budgetsOfAccount = `
  (select coalesce(jsonb_agg(jsonb_build_object('kind', b.kind, 'period', b.period, 'amount', b.amount, 'stops', b.stops,
            'spent', case when b.since = ${start} at time zone 'utc' then b.spent else 0 end,
            'until', extract(epoch from (${start} + ('1 ' || b.period)::interval) at time zone 'utc') * 1000)
            order by b.kind, b.period), '[]')
   from cmo_budgets b where b.account = a.id)`;

const kindOf = { usd: 'microUsd', kwh: 'wattHours' } as const;

/** As rounds know it. */
export const budgetOf = ({ kind, period, amount, stops, spent, until }: BudgetState): Budget => ({
  kind: kindOf[kind],
  period,
  limit: amount,
  spent,
  until,
  ...(stops && { stop: true }),
});

/** Sets the budgets of an account in place of those it had, and counts what is spent of them. */
export async function setBudgets(
  tx: Transaction,
  account: string,
  tenant: string,
  budgets: readonly BudgetSetting[],
): Promise<void> {
  await tx.query('delete from cmo_budgets where account = $1', [account]);
  await tx.query(
    `insert into cmo_budgets (account, tenant, kind, period, amount, stops)
     select $1, $2, * from unnest($3::text[], $4::text[], $5::bigint[], $6::boolean[])`,
    [
      account,
      tenant,
      budgets.map(({ kind }) => kind),
      budgets.map(({ period }) => period),
      budgets.map(({ amount }) => amount),
      budgets.map(({ stops }) => stops),
    ],
  );
  if (budgets.length > 0) await countSpent(tx, account);
}

interface Counted {
  account: string;
  tenant: string;
  project: string | null;
  submitter: string | null;
  period: BudgetPeriod;
  since: Date;
}

/** Counts what is spent of all budgets, or of one account's. */
export async function countSpent(tx: Queryable, account: string | null = null): Promise<void> {
  const { rows } = await tx.query<Counted>(
    `select distinct b.account, b.tenant, a.project, a.user_id as submitter, b.period, ${start} at time zone 'utc' as since
     from cmo_budgets b join cmo_accounts a on a.id = b.account where $1::text is null or b.account = $1`,
    [account],
  );
  for (const { account: id, period, since, ...whose } of rows) {
    const { microUsd, wattHours } = await spentSince(tx, whose, since);
    await tx.query(
      `update cmo_budgets set spent = case kind when 'usd' then $3::float8 else $4::float8 end, since = $5
       where account = $1 and period = $2`,
      [id, period, microUsd, wattHours, since],
    );
  }
}
