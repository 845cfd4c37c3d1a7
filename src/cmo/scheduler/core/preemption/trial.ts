/**
 * Accounts and counters of the fleet on which jobs are ended on trial; what is being ended anyway has ended in it already.
 *
 * It works on the round's own ledger, since what is asked of accounts (whether they borrow, keep their guarantee, may take more) is asked
 * there. `close` puts everything back.
 */
import { type Future, fitsFree } from '../backfill/future.ts';
import type { Fleet } from '../fleet.ts';
import { type QuotaRefusal, quotaRefusal } from '../quota/check-quota.ts';
import type { NodeRequest } from '../request.ts';
import type { Holder } from '../running.ts';
import type { Account, Ledger } from '../shares/ledger.ts';
import { indexOfKind } from '../shares/resources.ts';
import type { Use } from '../shares/use.ts';
import type { Claims } from './claims.ts';

/** Work that ending a job now would waste, device-seconds or core-seconds ≥ 0. */
export function lostWork({ job, use }: Holder, now: number): number {
  const since = Math.max(job.startedAt, job.checkpointAt ?? Number.NEGATIVE_INFINITY);
  const devices = use.amounts.subarray(indexOfKind('gpu')).reduce((sum, milli) => sum + milli, 0);
  const seconds = (now - since) / 1000;
  return Math.max(seconds, 0) * ((devices > 0 ? devices : use.amounts[0]!) / 1000);
}

/** For whom, and by what rule. */
export interface TrialOptions {
  readonly fleet: Fleet;
  readonly ledger: Ledger;
  /** What comes back anyway, since it is being ended. */
  readonly claims: Claims;
  /** Of the job that wants room, and what it takes. */
  readonly account: Account;
  readonly use: Use;
  readonly request: NodeRequest;
  /** Whether one more may be ended, by what accounts hold at that moment. */
  readonly may: (holder: Holder) => boolean;
}

export class Trial {
  readonly #options: TrialOptions;
  readonly #future: Future;
  /** In the order in which they were ended. */
  readonly #ended = new Set<Holder>();

  constructor(options: TrialOptions) {
    this.#options = options;
    this.#future = options.claims.future();
    for (const { account, use } of options.claims.leaving) options.ledger.charge(account, use, -1);
  }

  /** Puts back everything. */
  close(): void {
    for (const holder of [...this.#ended]) this.restore(holder);
    const { claims, ledger } = this.#options;
    for (const { account, use } of claims.leaving) ledger.charge(account, use);
  }

  /** What was ended on trial, in that order. */
  get ended(): ReadonlySet<Holder> {
    return this.#ended;
  }

  /** Ends a job if that is allowed at this moment, and says whether. */
  end(holder: Holder): boolean {
    if (this.#ended.has(holder) || !this.#options.may(holder)) return false;
    this.#remove(holder);
    return true;
  }

  #remove(holder: Holder): void {
    this.#ended.add(holder);
    this.#future.release(holder);
    this.#options.ledger.charge(holder.account, holder.use, -1);
  }

  restore(holder: Holder): void {
    this.#ended.delete(holder);
    this.#future.release(holder, -1);
    this.#options.ledger.charge(holder.account, holder.use);
  }

  /** Why the account may still not take the job; undefined when it may. */
  refusal(): QuotaRefusal | undefined {
    return quotaRefusal(this.#options.account, this.#options.use);
  }

  /** Whether a rank fits what would be free of a node. */
  fits(row: number): boolean {
    return fitsFree(this.#options.fleet.snapshot, this.#future, this.#options.request, row);
  }

  /** Spares of what was ended whatever is not needed, in the order given, unless what is left would then not have been allowed. */
  spare(dearestFirst: readonly Holder[], isEnough: () => boolean): void {
    const order = [...this.#ended];
    const left = () => order.filter((holder) => this.#ended.has(holder));
    for (const holder of dearestFirst) {
      this.restore(holder);
      if (!isEnough() || (this.#isOwn(holder) && !this.#isAllowed(left()))) this.#remove(holder);
    }
    const rest = left();
    this.#ended.clear();
    for (const holder of rest) this.#ended.add(holder);
  }

  /** Whether it counts for an account that the job counts for, too: with it that may not be within its guarantee any more. */
  #isOwn({ account }: Holder): boolean {
    return rootOf(account) === rootOf(this.#options.account);
  }

  /** Whether all that is ended would be allowed one after the other. */
  #isAllowed(order: readonly Holder[]): boolean {
    for (const holder of order) this.restore(holder);
    const isAllowed = order.every((holder) => this.end(holder));
    for (const holder of order) if (!this.#ended.has(holder)) this.#remove(holder);
    return isAllowed;
  }
}

function rootOf(leaf: Account): Account {
  let account = leaf;
  while (account.parent !== null) account = account.parent;
  return account;
}
