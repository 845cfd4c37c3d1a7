/**
 * Quota kept for a job that has waited very long for it.
 *
 * A quota refuses a job that wants four devices while smaller jobs of the account hold one of its four, and each that ends lets the next small
 * one in: without more, the large one waits for as long as they come. Nodes have the same trouble and the same cure (`round/reservations.ts`):
 * from F = `firmAfterOf(job)` after it was submitted, its account, and all above it, count what the job asks for as taken, for everybody
 * whose turn comes after it in the round. Only whether they may take more is asked so: shares, guarantees and what may be ended are as they were,
 * since the job holds nothing yet.
 *
 * Bound. Let the job fit its idle accounts and the idle fleet, let no budget of it be used up, and let it be the first of its account's overdue
 * jobs. What starts after its turn finds used + kept + its own ≤ most, so what of the account is started from F on never holds more than
 * most − kept; all else was there at F and has ended after T, the longest run. So it is let through by F + T; what is kept stays kept while it
 * waits for nodes, which it has T later (`round/reservations.ts`): it starts by F + 2T. Those overdue behind it follow, one in every 2T at least.
 *
 * No bound against those whose turn is before it, by what an operator or its owner has said: higher priorities of the account, jobs within a
 * guarantee that it is too large for, and, if the quota is that of an account above, siblings that hold less for their weight; nor against
 * budgets, which come back with their period. Cure: a higher priority, a guarantee or quota as large as the job, or a project of its own.
 */
import type { Account } from '../shares/ledger.ts';
import type { Use } from '../shares/use.ts';
import { budgetRefusal } from './budget.ts';
import { amountOf, devicesOf } from './check-quota.ts';

/**
 * Keeps what a job asks for of its account and all above it that have quotas or limits, for the rest of the round.
 * @returns false when it could never have it, or something is kept there already for another
 */
export function keepQuota(leaf: Account, use: Use): boolean {
  const path: Account[] = [];
  for (let account: Account | null = leaf; account !== null; account = account.parent) {
    if (account.row?.quotas === undefined && account.row?.limits === undefined) continue;
    if (account.kept !== undefined || !couldHold(account, use)) return false;
    path.push(account);
  }
  for (const account of path) account.kept = use;
  return path.length > 0;
}

/** Whether an account would let a job in if it held nothing. */
function couldHold(account: Account, use: Use): boolean {
  const { quotas = [], limits } = account.row!;
  if ((limits?.runningJobs ?? 1) < 1 || devicesOf(use) > (limits?.devices ?? Number.POSITIVE_INFINITY)) return false;
  if (budgetRefusal(account, {}, '') !== undefined) return false;
  return quotas.every(
    ({ resource, guaranteed, borrowLimit }) =>
      borrowLimit === null || amountOf(resource, use) <= guaranteed + borrowLimit,
  );
}
