/**
 * Token buckets in memory: how many requests a key, or an address that fails to authenticate, may make.
 *
 * This keeps one runaway script from starving the others of this process; it is no quota, so processes do not share it.
 * The limits are high on purpose. Buckets that have refilled are forgotten, so the map stays as small as what is active.
 */
export interface RateLimit {
  /** Requests a second, > 0. */
  readonly perSecond: number;
  /** Most requests at once, ≥ 1. */
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

const mostBuckets = 10_000;

export class TokenBuckets {
  readonly #limit: RateLimit;
  readonly #monotonicMs: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limit: RateLimit, monotonicMs: () => number) {
    this.#limit = limit;
    this.#monotonicMs = monotonicMs;
  }

  /** Takes a token. Returns 0, or the seconds (> 0) after which there will be one. */
  take(name: string): number {
    const bucket = this.#refilled(name);
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    return (1 - bucket.tokens) / this.#limit.perSecond;
  }

  /** Seconds until there is a token, 0 when there is one; takes none. */
  wait(name: string): number {
    if (!this.#buckets.has(name)) return 0;
    const { tokens } = this.#refilled(name);
    return tokens >= 1 ? 0 : (1 - tokens) / this.#limit.perSecond;
  }

  #refilled(name: string): Bucket {
    const now = this.#monotonicMs();
    let bucket = this.#buckets.get(name);
    if (!bucket) {
      if (this.#buckets.size >= mostBuckets) this.#forgetFull(now);
      bucket = { tokens: this.#limit.burst, at: now };
      this.#buckets.set(name, bucket);
    }
    const refill = ((now - bucket.at) / 1000) * this.#limit.perSecond;
    bucket.tokens = Math.min(this.#limit.burst, bucket.tokens + refill);
    bucket.at = now;
    return bucket;
  }

  /** Forgets buckets that are full again, and if all are in use the oldest tenth. */
  #forgetFull(now: number): void {
    for (const [name, bucket] of this.#buckets) {
      const refill = ((now - bucket.at) / 1000) * this.#limit.perSecond;
      if (bucket.tokens + refill >= this.#limit.burst) this.#buckets.delete(name);
    }
    if (this.#buckets.size < mostBuckets) return;
    for (const name of [...this.#buckets.keys()].slice(0, mostBuckets / 10)) this.#buckets.delete(name);
  }
}
