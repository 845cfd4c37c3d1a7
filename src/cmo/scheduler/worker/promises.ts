/**
 * Jobs for which work is being ended. They go before others until they start: what was ended for them, or a sibling within its guarantee, would
 * else take the room as it comes back piece by piece, and be ended for them again.
 *
 * Kept in memory only. A scheduler that starts anew knows of none, and work may then be ended once more, within the limits of an hour.
 */
import type { Preemption } from '../../../common/contract/plan.ts';

/** Longer than any grace; then the room went elsewhere, and the job waits like others. */
const lastsMs = 15 * 60_000;

export class Promises {
  /** By job, until when, epoch milliseconds; in order of these. */
  readonly #until = new Map<string, number>();

  has(id: string): boolean {
    return this.#until.has(id);
  }

  /** Work is being ended; for which jobs. Whatever has no job behind it (a reservation, a budget) is passed over by the caller's queue. */
  make(preemptions: readonly Preemption[], now: number): Set<string> {
    const ids = new Set<string>();
    for (const { inFavourOf } of preemptions) if (inFavourOf !== null) ids.add(inFavourOf);
    for (const id of ids) {
      this.#until.delete(id);
      this.#until.set(id, now + lastsMs);
    }
    return ids;
  }

  /** It has started, or waits no more. */
  drop(id: string): void {
    this.#until.delete(id);
  }

  /** Forgets those that are over, and says which. */
  expire(now: number): string[] {
    const over: string[] = [];
    for (const [id, until] of this.#until) {
      if (until > now) break;
      over.push(id);
      this.#until.delete(id);
    }
    return over;
  }
}
