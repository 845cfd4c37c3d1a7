/** Time that stands still until everything of its instant has happened. Events of one instant happen in the order in which they were planned. */
import { MinHeap } from '../../src/cmo/scheduler/core/min-heap.ts';

interface Event {
  readonly at: number;
  readonly seq: number;
  readonly happen: () => void | Promise<void>;
}

export class VirtualTime {
  /** Epoch milliseconds. */
  now: number;
  #seq = 0;
  readonly #events = new MinHeap<Event>((a, b) => a.at - b.at || a.seq - b.seq);

  constructor(start: number) {
    this.now = start;
  }

  /** Plans something; what lies in the past happens now. */
  at(at: number, happen: () => void | Promise<void>): void {
    this.#seq += 1;
    this.#events.push({ at: Math.max(at, this.now), seq: this.#seq, happen });
  }

  in(ms: number, happen: () => void | Promise<void>): void {
    this.at(this.now + ms, happen);
  }

  /** Lets the next event happen; false when there is none. */
  async step(): Promise<boolean> {
    const event = this.#events.pop();
    if (event === undefined) return false;
    this.now = event.at;
    await event.happen();
    return true;
  }
}
