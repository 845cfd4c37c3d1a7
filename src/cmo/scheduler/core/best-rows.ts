/**
 * The k rows with the lowest values seen, lower row first when equal: a bounded max-heap, offered rows in ascending order.
 */
export class BestRows {
  readonly #size: number;
  readonly #values: number[] = [];
  readonly #rows: number[] = [];
  /** Only values below this are of interest: the worst of the k, or Infinity while there are fewer. */
  threshold = Number.POSITIVE_INFINITY;

  /** @param size how many to keep, ≥ 0 */
  constructor(size: number) {
    this.#size = size;
    if (size === 0) this.threshold = Number.NEGATIVE_INFINITY;
  }

  /** Takes a value below `threshold`; rows come in ascending order, so that an equal value of a later row loses. */
  offer(value: number, row: number): void {
    if (this.#rows.length < this.#size) this.#push(value, row);
    else this.#replaceWorst(value, row);
    if (this.#rows.length === this.#size) this.threshold = this.#values[0]!;
  }

  get sum(): number {
    return this.#values.reduce((sum, value) => sum + value, 0);
  }

  get length(): number {
    return this.#rows.length;
  }

  /** Best first. */
  rows(): number[] {
    const order = this.#rows.map((row, i) => [this.#values[i]!, row] as const);
    return order.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, row]) => row);
  }

  #worse(a: number, b: number): boolean {
    return (
      this.#values[a]! > this.#values[b]! || (this.#values[a] === this.#values[b] && this.#rows[a]! > this.#rows[b]!)
    );
  }

  #push(value: number, row: number): void {
    let at = this.#rows.length;
    this.#values.push(value);
    this.#rows.push(row);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#worse(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #replaceWorst(value: number, row: number): void {
    this.#values[0] = value;
    this.#rows[0] = row;
    let at = 0;
    for (;;) {
      let worst = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#rows.length && this.#worse(child, worst)) worst = child;
      }
      if (worst === at) return;
      this.#swap(at, worst);
      at = worst;
    }
  }

  #swap(a: number, b: number): void {
    [this.#values[a], this.#values[b]] = [this.#values[b]!, this.#values[a]!];
    [this.#rows[a], this.#rows[b]] = [this.#rows[b]!, this.#rows[a]!];
  }
}
