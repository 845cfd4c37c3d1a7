/**
 * Sends what waits on all sockets, in rounds at most every 50 ms, so that a burst becomes one frame a subscription. A round
 * yields every few milliseconds.
 */
import { inSlices } from './slices.ts';

/** Least time between two rounds, ms. */
const roundMs = 50;

export interface Flushable {
  /** Sends what it may. @returns whether something still waits */
  flush(): boolean;
}

export class Flusher {
  readonly #dirty = new Set<Flushable>();
  #timer: NodeJS.Timeout | undefined;
  #lastRound = 0;
  #running = false;

  /** Has it flushed in the next round. */
  mark(item: Flushable): void {
    this.#dirty.add(item);
    this.#schedule();
  }

  forget(item: Flushable): void {
    this.#dirty.delete(item);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dirty.clear();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#running || this.#dirty.size === 0) return;
    const wait = Math.max(0, this.#lastRound + roundMs - performance.now());
    this.#timer = setTimeout(() => void this.#round(), wait);
  }

  async #round(): Promise<void> {
    this.#timer = undefined;
    this.#running = true;
    this.#lastRound = performance.now();
    const items = [...this.#dirty];
    this.#dirty.clear();
    await inSlices(items, (item) => {
      if (item.flush()) this.#dirty.add(item);
    });
    this.#running = false;
    this.#schedule();
  }
}
