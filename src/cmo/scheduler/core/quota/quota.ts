/**
 * Quotas and limits of an account, as rows say them.
 *
 * *Guaranteed* is what an account gets whoever else wants it: while it stays within, its jobs go before those of accounts that are beyond
 * theirs, and work of others beyond theirs is ended for it. What nobody uses may be borrowed, up to `borrowLimit` beyond the guarantee.
 */

import type { Budget } from './budget.ts';

/** A class of things that a quota is for: `cpu`, `gpu`, `tpu`, `fpga`, or one model of devices, `gpu/H100`. */
export type QuotaClass = string;

export interface QuotaRow {
  readonly resource: QuotaClass;
  /** Thousandths of cores or devices, ≥ 0. */
  readonly guaranteed: number;
  /** How much more it may use while others leave it; null: as much as there is. */
  readonly borrowLimit: number | null;
}

export interface SpendingLimits {
  /** Most jobs that hold something at a time. */
  readonly runningJobs?: number;
  /** Most devices of any kind at a time, thousandths. */
  readonly devices?: number;
  /** What it may spend; several of a kind must all agree. */
  readonly budgets?: readonly Budget[];
}
