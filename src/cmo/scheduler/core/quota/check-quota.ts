/**
 * Whether an account may take more: its quotas and limits, and those of all accounts above it.
 *
 * Within a round use only grows, so what is refused once is refused for the rest of the round: it ends a group at the cost of one look.
 */
import type { PendingReason } from '../../../../common/contract/states/job.ts';
import { type Account, accountName } from '../shares/ledger.ts';
import { indexOfKind, resourceNames } from '../shares/resources.ts';
import type { Use } from '../shares/use.ts';
import { budgetRefusal, type Spending } from './budget.ts';
import type { QuotaRow } from './quota.ts';

export { type Spending, spend } from './budget.ts';

export interface QuotaRefusal {
  readonly reason: Extract<PendingReason, 'quota_exhausted' | 'limit_reached' | 'budget_exhausted'>;
  readonly message: string;
  /** The account that refuses: the job's, or one above it. */
  readonly account: Account;
  /** Whether it would refuse no more if that had ended, of so many jobs; left out: no end helps. */
  readonly isEnough?: (freed: Use, jobs: number) => boolean;
  /** Whether the end of a job of the account that holds that would help; left out: no end helps. */
  readonly counts?: (held: Use) => boolean;
}

const nothing: Spending = {};

/** Why an account, or one above it, may not take that; undefined when all may. The lowest account that refuses decides. */
export function quotaRefusal(leaf: Account, use: Use, spending: Spending = nothing): QuotaRefusal | undefined {
  for (let account: Account | null = leaf; account !== null; account = account.parent) {
    const { row } = account;
    if (row === undefined) continue;
    for (const quota of row.quotas ?? []) {
      const wanted = amountOf(quota.resource, use);
      if (wanted === 0 || quota.borrowLimit === null) continue;
      const most = quota.guaranteed + quota.borrowLimit;
      const kept = account.kept === undefined ? 0 : amountOf(quota.resource, account.kept);
      const used = usedOf(account, quota.resource) + kept;
      if (used + wanted <= most) continue;
      const message = quotaMessage(account, quota, used - kept, kept, wanted);
      const isEnough = (freed: Use) => used - amountOf(quota.resource, freed) + wanted <= most;
      // What wants more than there ever is waits for no end.
      const counts = (held: Use) => wanted <= most && amountOf(quota.resource, held) > 0;
      return { reason: 'quota_exhausted', message, account, isEnough, counts };
    }
    const refusal = limitRefusal(account, use);
    if (refusal !== undefined) return { reason: 'limit_reached', account, ...refusal };
    const broke = budgetRefusal(account, spending, accountName(account));
    if (broke !== undefined) return { reason: 'budget_exhausted', account, message: broke };
  }
  return undefined;
}

/** What an account holds. */
type Held = Pick<Account, 'row' | 'used' | 'models'>;

/** Whether the account stays within what it is guaranteed, of everything that it has a guarantee for and the job takes. */
export function isWithinGuarantee(account: Held, use: Use): boolean {
  let isCovered = false;
  for (const quota of account.row?.quotas ?? []) {
    const wanted = amountOf(quota.resource, use);
    if (wanted === 0) continue;
    if (usedOf(account, quota.resource) + wanted > quota.guaranteed) return false;
    isCovered = true;
  }
  return isCovered;
}

/** Whether it holds more than it is guaranteed of something that the use is of. */
export function isBorrowing(account: Account, use: Use): boolean {
  const quotas = account.row?.quotas ?? [];
  const own = quotas.filter(({ resource }) => amountOf(resource, use) > 0);
  // An account without a guarantee has borrowed all it holds.
  if (own.length === 0) return true;
  return own.some(({ resource, guaranteed }) => usedOf(account, resource) > guaranteed);
}

/** Whether the account would still hold all that it is guaranteed if it gave that back. */
export function keepsGuarantee(account: Account, use: Use): boolean {
  return (account.row?.quotas ?? []).every(({ resource, guaranteed }) => {
    const given = amountOf(resource, use);
    return given === 0 || usedOf(account, resource) - given >= guaranteed;
  });
}

/** How much of a quota's class a use takes, thousandths. */
export function amountOf(resource: string, { amounts, models }: Use): number {
  if (resource.includes('/')) return models.get(resource.toLowerCase()) ?? 0;
  return amounts[resourceNames.indexOf(resource as (typeof resourceNames)[number])] ?? 0;
}

function usedOf(account: Held, resource: string): number {
  return amountOf(resource, { amounts: account.used, models: account.models });
}

function quotaMessage(account: Account, quota: QuotaRow, used: number, kept: number, wanted: number): string {
  const most = quota.guaranteed + quota.borrowLimit!;
  const name = quota.resource === 'cpu' ? 'cores' : quota.resource.replace('/', ' ');
  const keeps = kept === 0 ? '' : `, keeps ${of(kept)} for a job that has waited longer`;
  const numbers = `uses ${of(used)} of the ${of(most)} ${name} that it may have${keeps}, and this needs ${of(wanted)}`;
  if (wanted > most)
    return `Account ${accountName(account)} ${numbers}: it never fits. Raise the quota or ask for less.`;
  if (kept > 0 && kept + wanted > most)
    return `Account ${accountName(account)} ${numbers}. It goes on when that job has ended, or with a larger quota.`;
  return `Account ${accountName(account)} ${numbers}. It goes on when ${of(used + kept + wanted - most)} of them end, or with a larger quota.`;
}

function limitRefusal(account: Account, use: Use): Pick<QuotaRefusal, 'message' | 'isEnough' | 'counts'> | undefined {
  const limits = account.row?.limits;
  if (limits === undefined) return undefined;
  const name = accountName(account);
  const { runningJobs: mostJobs, devices: mostDevices } = limits;
  const keptFor = account.kept === undefined ? '' : ', with what is kept for a job that has waited longer';
  const jobs = account.jobs + (account.kept === undefined ? 0 : 1);
  if (mostJobs !== undefined && jobs + 1 > mostJobs) {
    const message = `Account ${name} may run ${mostJobs} jobs at a time and runs ${jobs}${keptFor}. It goes on when one ends.`;
    return { message, isEnough: (_, ended) => jobs - ended + 1 <= mostJobs, counts: () => mostJobs >= 1 };
  }
  if (mostDevices !== undefined) {
    const wanted = devicesOf(use);
    const held = devicesOf({ amounts: account.used }) + (account.kept === undefined ? 0 : devicesOf(account.kept));
    if (wanted > 0 && held + wanted > mostDevices) {
      const numbers = `may hold ${of(mostDevices)} devices and holds ${of(held)}${keptFor}; this needs ${of(wanted)}`;
      const unblocks =
        wanted > mostDevices ? 'It never fits: raise the limit or ask for less' : 'It goes on when others of it end';
      return {
        message: `Account ${name} ${numbers}. ${unblocks}.`,
        isEnough: (freed) => held - devicesOf(freed) + wanted <= mostDevices,
        counts: (other) => wanted <= mostDevices && devicesOf(other) > 0,
      };
    }
  }
  return undefined;
}

const firstDevice = indexOfKind('gpu');
/** Devices of any kind, thousandths. */
export const devicesOf = ({ amounts }: Pick<Use, 'amounts'>): number =>
  amounts.subarray(firstDevice).reduce((sum, milli) => sum + milli, 0);

const of = (milli: number): string => String(Math.round(milli) / 1000);
