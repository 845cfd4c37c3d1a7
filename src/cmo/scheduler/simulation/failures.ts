/**
 * When nodes fail and when they are back: exponential times, a stream of random numbers for each node.
 *
 * Streams of their own make two policies comparable: the same nodes fail at the same instants, whatever was placed on them meanwhile.
 */
import type { Failures } from './inputs/cluster-file.ts';

/** Mulberry32; each call gives the next number in [0, 1). */
export function randomStream(...seed: readonly number[]): () => number {
  let state = seed.reduce((mixed, part) => Math.imul(mixed ^ part, 0x01000193), 0x811c9dc5) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An exponential time with this mean. */
const exponential = (random: () => number, mean: number): number => -mean * Math.log(1 - random());

export class NodeFailures {
  readonly #failures: Failures;
  readonly #streams: (() => number)[];

  constructor(failures: Failures, seed: number, nodes: number) {
    this.#failures = failures;
    this.#streams = Array.from({ length: nodes }, (_, index) => randomStream(seed, index));
  }

  /** Seconds until a node that works fails, > 0. */
  untilLost(node: number): number {
    return 1 + exponential(this.#streams[node]!, this.#failures.meanSecondsBetween);
  }

  /** Seconds until a node that failed is back, > 0. */
  untilBack(node: number): number {
    return 1 + exponential(this.#streams[node]!, this.#failures.meanRepairSeconds);
  }
}
