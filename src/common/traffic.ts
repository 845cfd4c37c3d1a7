/**
 * How many requests came, where every thread of the process can read it: work in the background makes room for people, and on
 * a machine of few cores nobody else can tell it that they are there.
 */
export class Traffic {
  /** What another thread makes its own of. */
  readonly shared: SharedArrayBuffer;
  readonly #count: Uint32Array;

  /** @param shared of a `Traffic` in another thread */
  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(Uint32Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.#count = new Uint32Array(shared);
  }

  /** A request came. */
  count(): void {
    Atomics.add(this.#count, 0, 1);
  }

  /** Requests so far, from 0; begins anew after 2³². */
  get total(): number {
    return Atomics.load(this.#count, 0);
  }
}
