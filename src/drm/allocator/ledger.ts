/**
 * The job side of a commit, as the allocator needs it.
 *
 * Capacity and attempts must change in one transaction, yet the allocator knows nothing of jobs. So whoever owns jobs
 * hands in this ledger; the simulator hands in one of its own. `T` is the transaction of the store it goes with.
 */
import type { Placement } from '../../common/contract/plan.ts';
import type { Transaction } from '../../common/database/queryable.ts';

export interface AttemptLedger<T = Transaction> {
  /** Locks those jobs that are still queued at that revision; the others are left out. */
  claim(
    tx: T,
    wants: readonly { readonly jobId: string; readonly revision: bigint }[],
  ): Promise<Map<string, { readonly tenant: string }>>;
  /**
   * Jobs that may not stand as planned because of what other jobs hold by now, with the reason in words; asked when capacity is locked. Left
   * out: nobody looks.
   */
  conflicts?(
    tx: T,
    items: readonly { readonly placement: Placement; readonly tenant: string }[],
  ): Promise<ReadonlyMap<string, string>>;
  /** Makes the attempts of claimed jobs, with their ranks, and moves the jobs from queued to starting. By job id. */
  create(
    tx: T,
    items: readonly { readonly placement: Placement; readonly tenant: string; readonly backend: string }[],
  ): Promise<Map<string, { readonly attemptId: string; readonly token: bigint }>>;
}
