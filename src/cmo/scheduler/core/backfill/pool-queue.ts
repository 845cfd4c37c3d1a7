/**
 * When will the jobs of a queue start? A forecast by playing the queue forward on predicted run times.
 *
 * The nodes that could hold them count as one pool, jobs start in order, nobody passes and nobody new comes: fragmentation would make the
 * wait longer, backfill and small work shorter, and both are seldom as wrong as the run times. Costs (running + queue) · log.
 */
import { MinHeap } from '../min-heap.ts';

/** Work that holds a part of the pool for a time. */
export interface SpanOfWork {
  /** Devices, cores or thousandths of them, ≥ 0; the same unit as the capacity. */
  readonly size: number;
  /** Seconds that it still runs; what is no number ≥ 0 says that its end is not known. */
  readonly seconds: number;
}

export class PoolQueue {
  readonly #capacity: number;
  readonly #ends = new MinHeap<{ readonly at: number; readonly size: number }>((a, b) => a.at - b.at);
  #free: number;
  #now = 0;
  #isStuck = false;

  /** @param capacity of the pool, ≥ 0; what runs may hold more, as on a pool that shrank */
  constructor(capacity: number, running: Iterable<SpanOfWork>) {
    this.#capacity = capacity;
    this.#free = capacity;
    for (const work of running) this.#take(work);
  }

  /** Before when nobody starts that comes now, seconds from now; null when something before has no known end. */
  get soonest(): number | null {
    return this.#isStuck ? null : this.#now;
  }

  /**
   * Starts the next job of the queue.
   * @returns seconds from now; null when it never fits, or something before it has no known end
   */
  start(work: SpanOfWork): number | null {
    // What never fits waits for ever, but in nobody's way.
    if (!(work.size <= this.#capacity)) return null;
    while (this.#free < work.size && !this.#isStuck) {
      const end = this.#ends.pop();
      if (end === undefined || end.at === Number.POSITIVE_INFINITY) {
        this.#isStuck = true;
        break;
      }
      // All that ended before was taken out before.
      this.#now = end.at;
      this.#free += end.size;
    }
    if (this.#isStuck) return null;
    this.#take(work);
    return this.#now;
  }

  #take({ size, seconds }: SpanOfWork): void {
    this.#free -= size;
    this.#ends.push({ at: seconds >= 0 ? this.#now + seconds : Number.POSITIVE_INFINITY, size });
  }
}
