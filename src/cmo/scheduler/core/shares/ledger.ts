/**
 * What each account holds during a round: what runs, what the round has placed, and what is remembered of the past.
 *
 * Past use makes fairness hold over days and not only at an instant: who used much lately waits a little behind who did not, and
 * that is forgotten by half every half-life. Its average over that memory is added to what is held now, at the policy's weight.
 */
import type { AccountRow, AccountTree } from './account.ts';
import { type Amounts, addAmounts, dominantShare, noAmounts } from './resources.ts';
import type { Use } from './use.ts';

export interface HistoryPolicy {
  /** After so long past use counts half, seconds > 0. */
  readonly historyHalfLifeSeconds: number;
  /** How much the average of the past counts against what is held now, ≥ 0; 0: it does not. */
  readonly historyWeight: number;
}

/** An account in a round. */
export class Account {
  readonly id: string;
  readonly parent: Account | null;
  readonly row: AccountRow | undefined;
  readonly weight: number;
  /** Held now, by what runs and what this round places. */
  readonly used: Amounts = noAmounts();
  readonly models = new Map<string, number>();
  jobs = 0;
  /** Of its quotas and limits kept for a job that has waited very long (`quota/keep-quota.ts`). */
  kept: Use | undefined;
  /** Spent by what this round places, by kind; beside what its row says. */
  readonly spending = new Map<string, number>();
  /** Average of the past, to be added to `used`; undefined without any. */
  readonly #past: Amounts | undefined;
  readonly #total: Amounts;
  #share: number | undefined;

  constructor(
    id: string,
    parent: Account | null,
    row: AccountRow | undefined,
    past: Amounts | undefined,
    total: Amounts,
  ) {
    this.id = id;
    this.parent = parent;
    this.row = row;
    this.weight = row?.weight ?? 1;
    this.#past = past;
    this.#total = total;
  }

  /** Its dominant share over its weight: the least goes first. */
  get share(): number {
    this.#share ??= dominantShare(this.#held(), this.#total) / this.weight;
    return this.#share;
  }

  /** The same of those resources only that a job wants. */
  shareOf({ amounts }: Use): number {
    return dominantShare(this.#held(), this.#total, amounts) / this.weight;
  }

  /** With its past. */
  #held(): Amounts {
    return this.#past === undefined ? this.used : this.used.map((amount, i) => amount + this.#past![i]!);
  }

  /** The account as it would be without that; what is asked of it are quotas. */
  without(use: Use): Pick<Account, 'row' | 'used' | 'models'> {
    const used = this.used.slice();
    addAmounts(used, use.amounts, -1);
    const models = new Map(this.models);
    for (const [model, milli] of use.models) models.set(model, (models.get(model) ?? 0) - milli);
    return { row: this.row, used, models };
  }

  /** `times` 1 takes, −1 gives back. @param jobs how many jobs it is the use of */
  take({ amounts, models }: Use, times: 1 | -1, jobs = 1): void {
    addAmounts(this.used, amounts, times);
    for (const [model, milli] of models) this.models.set(model, (this.models.get(model) ?? 0) + times * milli);
    this.jobs += times * jobs;
    this.#share = undefined;
  }
}

export class Ledger {
  /** What the fleet has. */
  readonly total: Amounts;
  readonly #tree: AccountTree;
  readonly #policy: HistoryPolicy;
  readonly #now: number;
  readonly #accounts = new Map<string, Account>();

  constructor(tree: AccountTree, total: Amounts, policy: HistoryPolicy, now: number) {
    this.#tree = tree;
    this.total = total;
    this.#policy = policy;
    this.#now = now;
  }

  /** The account of that id, with all above it. */
  account(id: string): Account {
    const known = this.#accounts.get(id);
    if (known !== undefined) return known;
    const above = this.#tree.parentOf(id);
    const row = this.#tree.row(id);
    const made = new Account(id, above === null ? null : this.account(above), row, this.#pastOf(row), this.total);
    this.#accounts.set(id, made);
    return made;
  }

  leafOf(owner: Parameters<AccountTree['leafOf']>[0]): Account {
    return this.account(this.#tree.leafOf(owner));
  }

  /** Counts what a job (or several) takes (or gives back) for its account and all above it. */
  charge(leaf: Account, use: Use, times: 1 | -1 = 1, jobs = 1): void {
    for (let account: Account | null = leaf; account !== null; account = account.parent) account.take(use, times, jobs);
  }

  #pastOf(row: AccountRow | undefined): Amounts | undefined {
    const { historyHalfLifeSeconds, historyWeight } = this.#policy;
    if (row?.past === undefined || historyWeight === 0) return undefined;
    const age = Math.max(0, this.#now - row.past.at) / 1000;
    // Use at a constant rate a, for ever, leaves a · half-life / ln 2 resource-seconds.
    const scale = (historyWeight * 0.5 ** (age / historyHalfLifeSeconds) * Math.LN2) / historyHalfLifeSeconds;
    return Float64Array.from(row.past.amounts, (amount) => amount * scale);
  }
}

/** An account's name for people: the last part of its id. */
export const accountName = ({ id }: Pick<Account, 'id'>): string => id.slice(id.lastIndexOf('/') + 1);
