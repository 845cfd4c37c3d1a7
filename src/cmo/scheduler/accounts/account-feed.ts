/**
 * Brings accounts to the worker, and keeps their past use up.
 *
 * They change rarely and are few, so all are read every ten seconds, and when somebody set one, and posted when they differ. Accounts that make no sense (a row edited by
 * hand) are not posted: rounds go on with the last that did.
 */
import { type Database, withSystem } from '../../../common/database/index.ts';
import type { Logger } from '../../../common/logger.ts';
import { checkAccounts } from '../core/shares/check-accounts.ts';
import type { RoundWorker } from '../worker/round-worker.ts';
import { accrueUse, readAccounts } from './account-rows.ts';

const readEveryMs = 10_000;
const accrueEveryMs = 60_000;

export class AccountFeed {
  readonly #db: Database;
  readonly #logger: Logger;
  readonly #halfLifeSeconds: number;
  #readAt = Number.NEGATIVE_INFINITY;
  #accruedAt = Number.NEGATIVE_INFINITY;
  #posted = '';

  constructor(db: Database, logger: Logger, halfLifeSeconds: number) {
    this.#db = db;
    this.#logger = logger;
    this.#halfLifeSeconds = halfLifeSeconds;
  }

  /** Everything is posted again: for a worker that knows nothing. */
  reset(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
    this.#posted = '';
  }

  /** They are read at the next refresh, whenever that is. */
  expire(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  /** Reads and posts, when it is time. @param monotonicMs of the clock that never goes back */
  async refresh(worker: RoundWorker, monotonicMs: number): Promise<void> {
    if (monotonicMs - this.#accruedAt >= accrueEveryMs) {
      this.#accruedAt = monotonicMs;
      await withSystem(this.#db, (tx) => accrueUse(tx, this.#halfLifeSeconds));
    }
    if (monotonicMs - this.#readAt < readEveryMs) return;
    this.#readAt = monotonicMs;
    const accounts = await readAccounts(this.#db.system);
    const text = JSON.stringify(accounts);
    if (text === this.#posted) return;
    try {
      checkAccounts(accounts);
    } catch (error) {
      this.#logger.error({ err: error }, 'accounts make no sense; rounds go on with the last that did');
      return;
    }
    this.#posted = text;
    worker.apply({ accounts });
  }
}
