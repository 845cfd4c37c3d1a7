/**
 * What kinds of jobs come, learned from those that came: a weight per kind, halved with every `halfLife` arrivals.
 *
 * Placement must guess what comes next, and recent arrivals are the guess that needs no setting. Age counts in arrivals and not in
 * hours, so that a quiet night forgets nothing. Instead of lowering every old weight at each arrival, the new one counts more;
 * all are scaled down together before numbers grow large.
 */

export interface Share<T> {
  readonly kind: T;
  /** > 0; only the ratio to the others matters. */
  readonly weight: number;
}

const largest = 2 ** 40;

export class LearnedWorkload<T> {
  readonly #growth: number;
  readonly #mostKinds: number;
  readonly #kinds = new Map<string, { readonly kind: T; weight: number }>();
  #next = 1;
  #arrivals = 0;
  #shares: readonly Share<T>[] = [];
  #sharesAt = 0;

  /**
   * @param halfLife arrivals after which one counts half, > 0
   * @param mostKinds how many kinds are told apart, ≥ 1; the rarest are forgotten
   */
  constructor(halfLife = 4096, mostKinds = 512) {
    this.#growth = 2 ** (1 / halfLife);
    this.#mostKinds = mostKinds;
  }

  /** How many arrivals were counted. */
  get arrivals(): number {
    return this.#arrivals;
  }

  /** Counts an arrival. @param key equal for equal kinds */
  observe(key: string, kind: T): void {
    const known = this.#kinds.get(key);
    if (known !== undefined) known.weight += this.#next;
    else this.#kinds.set(key, { kind, weight: this.#next });
    this.#next *= this.#growth;
    this.#arrivals += 1;
    if (this.#next > largest) this.#scaleDown();
    if (this.#kinds.size > 2 * this.#mostKinds) this.#forgetRare();
  }

  /**
   * The kinds, most frequent first, at most `mostKinds`. The same list, and not a copy, until a sixteenth more has arrived than it counts
   * (at most 64 arrivals), so that what is worked out from it can be kept.
   */
  shares(): readonly Share<T>[] {
    const unseen = this.#arrivals - this.#sharesAt;
    if (unseen > Math.min(64, this.#sharesAt / 16)) {
      this.#sharesAt = this.#arrivals;
      this.#shares = this.#sorted()
        .slice(0, this.#mostKinds)
        .map(([, { kind, weight }]) => ({ kind, weight }));
    }
    return this.#shares;
  }

  #sorted() {
    return [...this.#kinds].sort((a, b) => b[1].weight - a[1].weight || (a[0] < b[0] ? -1 : 1));
  }

  #scaleDown(): void {
    for (const known of this.#kinds.values()) known.weight /= this.#next;
    this.#next = 1;
  }

  #forgetRare(): void {
    for (const [key] of this.#sorted().slice(this.#mostKinds)) this.#kinds.delete(key);
  }
}
