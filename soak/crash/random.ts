/**
 * Numbers that a seed repeats. Each choice draws from a stream of its own, named by what it is for, so that timing (which
 * choice came first) cannot change what is chosen.
 */
export interface Random {
  /** [0, 1) */
  next(): number;
  /** A whole number from least to most, both included. */
  whole(least: number, most: number): number;
  pick<T>(items: readonly T[]): T;
  shuffle<T>(items: readonly T[]): T[];
}

/** The stream of `seed` for `purpose` (mulberry32 on a hash of both). */
export function randomOf(seed: number, purpose: string): Random {
  let state = seed >>> 0;
  for (const char of purpose) state = Math.imul(state ^ char.codePointAt(0)!, 0x01000193) >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const whole = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    whole,
    pick: (items) => items[whole(0, items.length - 1)]!,
    shuffle(items) {
      const result = [...items];
      for (let at = result.length - 1; at > 0; at -= 1) {
        const other = whole(0, at);
        [result[at], result[other]] = [result[other]!, result[at]!];
      }
      return result;
    },
  };
}
