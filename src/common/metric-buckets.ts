/**
 * A series of training metrics in bounded room: steps side by side share a bucket that keeps how many values came,
 * the lowest, the highest, their mean, and how many were no numbers.
 *
 * Keeping every value would let one job fill the database, keeping the newest would lose the beginning of the curve,
 * and keeping every n-th would lose the spikes. Here a bucket covers `width` steps, a power of two that doubles
 * whenever there are too many buckets, so that a curve always has all of its length, all of its extremes and at least
 * half of its room used. It does not matter in which order or in how many parts the values come.
 */
export interface Bucket {
  /** Lowest step in it. */
  readonly step: number;
  /** Newest time in it, ms since 1970. */
  readonly at: number;
  /** Values in it, without gaps. */
  readonly count: number;
  /** Values that were not finite numbers. */
  readonly gaps: number;
  /** Null without a value. */
  readonly low: number | null;
  readonly high: number | null;
  readonly mean: number | null;
}

/** One value, or null for a gap. */
export function bucketOf(step: number, at: number, value: number | null): Bucket {
  if (value === null) return { step, at, count: 0, gaps: 1, low: null, high: null, mean: null };
  return { step, at, count: 1, gaps: 0, low: value, high: value, mean: value };
}

export function joinBuckets(a: Bucket, b: Bucket): Bucket {
  const count = a.count + b.count;
  return {
    step: Math.min(a.step, b.step),
    at: Math.max(a.at, b.at),
    count,
    gaps: a.gaps + b.gaps,
    low: extreme(Math.min, a.low, b.low),
    high: extreme(Math.max, a.high, b.high),
    mean: a.mean === null ? b.mean : b.mean === null ? a.mean : a.mean + (b.mean - a.mean) * (b.count / count),
  };
}

const extreme = (pick: (a: number, b: number) => number, a: number | null, b: number | null) =>
  a === null ? b : b === null ? a : pick(a, b);

/** Joins what falls into the same `width` steps. @returns ordered by step */
export function widen(buckets: Iterable<Bucket>, width: number): Bucket[] {
  const joined = new Map<number, Bucket>();
  for (const bucket of buckets) {
    const key = Math.floor(bucket.step / width);
    const known = joined.get(key);
    joined.set(key, known === undefined ? bucket : joinBuckets(known, bucket));
  }
  return [...joined.values()].sort((a, b) => a.step - b.step);
}

/**
 * Doubles the width until there are at most `most` buckets.
 * @param most ≥ 1
 */
export function fitBuckets(
  buckets: readonly Bucket[],
  width: number,
  most: number,
): { width: number; buckets: readonly Bucket[] } {
  let fitted: { width: number; buckets: readonly Bucket[] } = { width, buckets };
  while (fitted.buckets.length > most) {
    const next = fitted.width * 2;
    fitted = { width: next, buckets: widen(fitted.buckets, next) };
  }
  return fitted;
}
