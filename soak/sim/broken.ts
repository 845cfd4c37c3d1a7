/** Collects invariants that did not hold: the first of each kind with what was seen, and how often. */
export class Broken {
  readonly #seen = new Map<string, { first: string; times: number }>();

  /** @param what the invariant, the same words each time; @param seen this case */
  add(what: string, seen: string): void {
    const known = this.#seen.get(what);
    if (known === undefined) this.#seen.set(what, { first: seen, times: 1 });
    else known.times += 1;
  }

  get any(): boolean {
    return this.#seen.size > 0;
  }

  list(): string[] {
    return [...this.#seen].map(
      ([what, { first, times }]) => `${what}: ${first}${times > 1 ? ` (${times} times)` : ''}`,
    );
  }
}
