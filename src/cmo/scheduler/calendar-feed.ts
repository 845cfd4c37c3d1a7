/**
 * Brings reservations to the worker, and keeps them up: those that are over end, nodes that vanished are replaced.
 *
 * They are few and change rarely: all are read when somebody reserved or cancelled, and every half minute, and posted when they differ.
 */
import { type Database, withSystem } from '../../common/database/index.ts';
import { keepReservations, readBookings } from '../../drm/allocator/index.ts';
import type { RoundWorker } from './worker/round-worker.ts';

const readEveryMs = 30_000;
const keepEveryMs = 30_000;
const nothing = '[]';

export class CalendarFeed {
  readonly #db: Database;
  #readAt = Number.NEGATIVE_INFINITY;
  #keptAt = Number.NEGATIVE_INFINITY;
  /** What the worker has. */
  #posted = nothing;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Everything is posted again: for a worker that knows nothing. */
  reset(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
    this.#posted = nothing;
  }

  /** They are read at the next refresh, whenever that is. */
  expire(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  /** Keeps, reads and posts, when it is time. @param monotonicMs of the clock that never goes back */
  async refresh(worker: Pick<RoundWorker, 'apply'>, monotonicMs: number): Promise<void> {
    if (monotonicMs - this.#keptAt >= keepEveryMs) {
      this.#keptAt = monotonicMs;
      await withSystem(this.#db, (tx) => keepReservations(tx), { idempotent: true });
    }
    if (monotonicMs - this.#readAt < readEveryMs) return;
    this.#readAt = monotonicMs;
    const calendar = await readBookings(this.#db.system);
    const text = JSON.stringify(calendar);
    if (text === this.#posted) return;
    this.#posted = text;
    worker.apply({ calendar });
  }
}
