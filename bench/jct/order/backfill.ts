/**
 * Backfill on predicted ends: when the first job in order does not fit, when and where will it, and what may run until then?
 *
 * Resources are counts by node (a pool is one node). The reservation is the earliest moment at which enough of what runs
 * has ended; `spare` is what will be free then beyond it. Another job may start now if it is predicted to end by then, or
 * fits into what is free now and into `spare` (EASY, Lifka 1995). Predictions may be wrong; `starvation.ts` bounds how
 * often that can hurt.
 */
export interface Held {
  readonly node: number;
  /** Devices or cores, ≥ 1. */
  readonly amount: number;
}

export interface RunningEnd {
  /** Predicted, epoch seconds. */
  readonly endsAt: number;
  readonly held: readonly Held[];
}

export interface Reservation {
  /** Epoch seconds. */
  readonly at: number;
  readonly held: readonly Held[];
  /** By node, what is free at `at` beside the reservation. The caller takes from it what it lets run past `at`. */
  readonly spare: Int32Array;
}

/**
 * @param free by node, now
 * @param running in order of their predicted ends
 * @param place where a job would stand on what is free, or undefined
 * @returns undefined when it does not even fit once everything has ended
 */
export function reserve(
  free: Int32Array,
  running: readonly RunningEnd[],
  place: (free: Int32Array) => readonly Held[] | undefined,
): Reservation | undefined {
  const spare = free.slice();
  for (let i = 0; i < running.length; ) {
    const at = running[i]!.endsAt;
    for (; i < running.length && running[i]!.endsAt <= at; i++) {
      for (const { node, amount } of running[i]!.held) spare[node]! += amount;
    }
    const held = place(spare);
    if (held === undefined) continue;
    for (const { node, amount } of held) spare[node]! -= amount;
    return { at, held, spare };
  }
  return undefined;
}
