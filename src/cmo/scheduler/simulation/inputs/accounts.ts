/**
 * Who shares a simulated fleet, in the words of `solyx quotas`: weights, quotas and limits of the users that a trace names.
 *
 * ```yaml
 * accounts:
 *   - { user: alice, weight: 2, quotas: [{ resource: gpu, guaranteed: 16, borrowLimit: 8 }] }
 *   - { user: bob, limits: { runningJobs: 4 } }
 * ```
 *
 * Each user is an account of its own beside the others; who is not named has weight 1 and no quota.
 */
import { z } from 'zod';
import { accountFields } from '../../../../common/contract/routes/quotas.ts';
import type { AccountRow } from '../../core/shares/account.ts';
import { checkAccounts, InvalidAccountsError } from '../../core/shares/check-accounts.ts';
import { InputError, issueAt } from './input-error.ts';

export const accounts = z
  .array(
    z.strictObject({
      /** As the trace names it. */
      user: z.string().min(1).max(200),
      ...accountFields,
    }),
  )
  .max(10_000)
  .default([]);

const milli = (amount: number): number => Math.round(amount * 1000);

/** Rows as rounds take them. @throws InputError naming the account that makes no sense */
export function accountRowsOf(given: z.output<typeof accounts>): readonly AccountRow[] {
  const rows = given.map(
    ({ user, weight, quotas, limits }): AccountRow => ({
      id: user,
      parent: null,
      weight,
      quotas: quotas.map(({ resource, guaranteed, borrowLimit }) => ({
        resource,
        guaranteed: milli(guaranteed),
        borrowLimit: borrowLimit === null ? null : milli(borrowLimit),
      })),
      limits: {
        ...(limits.runningJobs === null ? {} : { runningJobs: limits.runningJobs }),
        ...(limits.devices === null ? {} : { devices: milli(limits.devices) }),
      },
    }),
  );
  try {
    checkAccounts(rows);
  } catch (error) {
    if (!(error instanceof InvalidAccountsError)) throw error;
    const index = rows.findLastIndex(({ id }) => id === error.account);
    throw new InputError([issueAt(['accounts', index], error.message)]);
  }
  return rows;
}
