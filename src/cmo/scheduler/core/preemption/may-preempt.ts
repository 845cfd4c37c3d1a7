/**
 * Who may end whose work. Two jobs are compared where their accounts part, as siblings: `a` of the one that waits, `v` of the one that runs.
 *
 * 1. *Reclaim*: `a` stays within its guarantee with the job, and `v` holds more than it is guaranteed of what the job wants.
 * 2. *Priority*: the job's is higher, and `v`, and all within it that what is ended belongs to, keep all they are guaranteed without it. In one account it is the only rule, and it may
 *    cut into the guarantee: that is the account's, and which of its jobs has it is a matter of their priorities. What is ended would go before
 *    the job again, being within the guarantee, so who has room made for it goes first until it starts (`PendingJob.promised`).
 *
 * Stability: if A ends V, then V, queued again, may not end A. By 1, A is within a guarantee: a holds no more than that, so rule 1 does not
 * apply to A, and taking A away would cut into it, so rule 2 does not. By 2, V's priority is lower, so only rule 1 is left; but v still holds
 * its guarantee without V and all else that was ended, so with V it would be beyond. In one account there is only priority, which is
 * strict. (Tested as a property.) It is a rule of pairs: with `anyone` and guarantees within tenants, three accounts can displace each other in turn,
 * which then only the limits of a round and an hour and the least run time hold back. Equal priority in one account never ends anything.
 */
import { isBorrowing, isWithinGuarantee, keepsGuarantee } from '../quota/check-quota.ts';
import type { Holder } from '../running.ts';
import type { Account } from '../shares/ledger.ts';
import type { Use } from '../shares/use.ts';
import type { PreemptionPolicy } from './preemption-policy.ts';

/** The job that wants room. */
export interface Claimant {
  readonly account: Account;
  readonly tenant: string;
  readonly priority: number;
  readonly use: Use;
}

/** Whether it may end what runs, by what accounts hold at this moment of the search. */
export function mayPreempt(policy: PreemptionPolicy, claimant: Claimant, { job, account, use }: Holder): boolean {
  const outranks = claimant.priority > job.priority && isOpenToPriority(policy, claimant, job.tenant);
  const [a, v] = siblingsOf(claimant.account, account);
  if (a === undefined || v === undefined) return outranks;
  if (policy.reclaim && isWithinGuarantee(a, claimant.use) && isBorrowing(v, claimant.use)) return true;
  // Of all accounts on the way down to it: a guarantee within `v` would be reclaimed there, and what is ended for that come back here.
  return (
    outranks &&
    pathOf(account)
      .slice(pathOf(v).length - 1)
      .every((part) => keepsGuarantee(part, use))
  );
}

function isOpenToPriority({ byPriority }: PreemptionPolicy, { tenant }: Claimant, other: string): boolean {
  return byPriority === 'anyone' || (byPriority === 'same-tenant' && tenant === other);
}

/** The accounts at which two paths part; undefined when one is on the path of the other. */
function siblingsOf(a: Account, b: Account): readonly [Account | undefined, Account | undefined] {
  const left = pathOf(a);
  const right = pathOf(b);
  const at = left.findIndex((account, i) => account !== right[i]);
  return at < 0 ? [undefined, undefined] : [left[at], right[at]];
}

function pathOf(leaf: Account): Account[] {
  const path: Account[] = [];
  for (let account: Account | null = leaf; account !== null; account = account.parent) path.push(account);
  return path.reverse();
}
