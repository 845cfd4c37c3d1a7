/**
 * Waiting between tries: exponential from 50 ms up to a limit, and random in its upper half, so that those who failed together do not
 * return together.
 */
const firstMs = 50;
const defaultLongestMs = 1_000;

/** Milliseconds to wait after failure number `attempt` ≥ 1 in a row; at most `longestMs`, default one second. */
export function backoffMs(
  attempt: number,
  longestMs: number = defaultLongestMs,
  random: () => number = Math.random,
): number {
  const full = Math.min(longestMs, firstMs * 2 ** (attempt - 1));
  return full / 2 + (random() * full) / 2;
}

/** Waits for `backoffMs`. */
export async function backoff(attempt: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt)));
}
