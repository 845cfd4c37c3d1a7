/**
 * How the scheduler makes room while requests come.
 *
 * A plan of a thousand placements writes megabytes to the database's log, and as long as the queue is not empty one plan follows the
 * other: on a small machine every submit waited behind them. So while anybody asks for something, plans are committed in small
 * pieces, one at a time, each followed by a rest as long as it took: half of the time is theirs, and a thousand placements
 * still take less than two seconds. Without requests nothing rests, and pieces are committed side by side.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Traffic } from '../../../common/traffic.ts';
import { chunkSize, type Pace } from '../../../drm/allocator/index.ts';

/** Requests a second from which on it makes room. A console that looks at a page now and then needs none. */
const busyFrom = 20;
/** Shortest time over which they are counted, ms. */
const windowMs = 100;
/** For so long after requests room is kept for the next ones, ms: who asked a moment ago often asks again. */
const keptMs = 1_000;
const placementsWhenBusy = 50;
const longestRestMs = 500;

export class Courtesy implements Pace {
  readonly #traffic: Traffic;
  readonly #nowMs: () => number;
  #sinceMs: number;
  #since: number;
  #busyUntilMs = Number.NEGATIVE_INFINITY;
  /** When the piece before, and its rest, is over. */
  #before: Promise<void> = Promise.resolve();

  /** @param nowMs monotonic */
  constructor(traffic: Traffic, nowMs: () => number = () => performance.now()) {
    this.#traffic = traffic;
    this.#nowMs = nowMs;
    this.#sinceMs = nowMs();
    this.#since = traffic.total;
  }

  placements(): number {
    return this.#isAsked() ? placementsWhenBusy : chunkSize;
  }

  /** @param tookMs what the piece of work took @returns how long to rest now, ms; 0 when nobody waits */
  restMs(tookMs: number): number {
    return this.#isAsked() ? Math.min(tookMs, longestRestMs) : 0;
  }

  async run<R>(piece: () => Promise<R>): Promise<R> {
    if (!this.#isAsked()) return piece();
    const before = this.#before;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#before = promise;
    await before;
    const began = this.#nowMs();
    try {
      return await piece();
    } finally {
      const ms = this.restMs(this.#nowMs() - began);
      if (ms > 0) await pause(ms);
      resolve();
    }
  }

  /** Whether requests come, or came just now. */
  #isAsked(): boolean {
    const now = this.#nowMs();
    const passedMs = now - this.#sinceMs;
    if (passedMs >= windowMs) {
      const total = this.#traffic.total;
      // The count begins anew after 2³².
      if (((total - this.#since) >>> 0) * 1000 >= busyFrom * passedMs) this.#busyUntilMs = now + keptMs;
      this.#sinceMs = now;
      this.#since = total;
    }
    return now < this.#busyUntilMs;
  }
}
