/**
 * Waiting between tries: exponential from 50 ms to 1 s, and random in its upper half, so that those who failed together do not
 * return together.
 */
const firstMs = 50;
const longestMs = 1_000;

/** Milliseconds to wait before try `attempt + 1`; `attempt` ≥ 1. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const full = Math.min(longestMs, firstMs * 2 ** (attempt - 1));
  return full / 2 + (random() * full) / 2;
}

/** Waits for `backoffMs`. */
export async function backoff(attempt: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt)));
}
