/**
 * Which nodes went from which class to which, in order: what scoreboards read to catch up.
 *
 * A board that looks seldom must not follow a node through every state it had meanwhile, only from the first to the last of its window. So an
 * entry knows the entry before it of the same node, and each node its last. Old entries are dropped between rounds; a board that needs
 * them is scored anew.
 */
export class ChangeLog {
  /** By entry, `base` being the position of the first. */
  rows = new Int32Array(1024);
  /** Class before (−1: the node is new) and after. */
  from = new Int32Array(1024);
  to = new Int32Array(1024);
  /** Site row of the class before, whose number may mean another by the time that somebody reads this. */
  fromSite = new Int32Array(1024);
  /** 1 where the number of the class after was given anew, so that what was known under it is void. */
  fresh = new Uint8Array(1024);
  /** Position of the entry before of the same node; −1 for none that is remembered. */
  before = new Float64Array(1024);
  base = 0;
  #length = 0;
  /** By node row: position of its last entry. */
  readonly #last: Float64Array;

  /** @param rows how many node rows there can be */
  constructor(rows: number) {
    this.#last = new Float64Array(rows).fill(-1);
  }

  /** Position after the last entry. */
  get end(): number {
    return this.base + this.#length;
  }

  /** Position of the last entry of a node; −1 for none. */
  lastOf(row: number): number {
    return this.#last[row]!;
  }

  append(row: number, from: number, fromSite: number, to: number, isFresh: boolean): void {
    const at = this.#length;
    if (at === this.rows.length) this.#grow();
    this.rows[at] = row;
    this.from[at] = from;
    this.fromSite[at] = fromSite;
    this.to[at] = to;
    this.fresh[at] = isFresh ? 1 : 0;
    this.before[at] = this.#last[row]!;
    this.#last[row] = this.base + at;
    this.#length += 1;
  }

  /** Drops the older half when there are more entries than `most`. */
  trim(most: number): void {
    if (this.#length <= most) return;
    const dropped = this.#length - (most >> 1);
    for (const column of [this.rows, this.from, this.fromSite, this.to, this.fresh, this.before]) {
      column.copyWithin(0, dropped, this.#length);
    }
    this.base += dropped;
    this.#length -= dropped;
  }

  #grow(): void {
    const size = 2 * this.rows.length;
    const grown = <T extends Int32Array | Uint8Array | Float64Array>(column: T, larger: T): T => {
      larger.set(column);
      return larger;
    };
    this.rows = grown(this.rows, new Int32Array(size));
    this.from = grown(this.from, new Int32Array(size));
    this.fromSite = grown(this.fromSite, new Int32Array(size));
    this.to = grown(this.to, new Int32Array(size));
    this.fresh = grown(this.fresh, new Uint8Array(size));
    this.before = grown(this.before, new Float64Array(size));
  }
}
