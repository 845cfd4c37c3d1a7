/**
 * When what is expected has changed so much that all nodes should be scored again by it.
 *
 * With every arrival the learned workload is a little another. Scoring by each new one would cost more than all decisions, and mean nothing: two
 * samples of one workload differ too, by an amount that is known (`sampleError`). So a new expectation is used when it differs from the
 * last by more than samples do, and not before so many arrivals that few verdicts are worked out for each (a large fleet changes
 * slowly); or when what is known of twice as many arrivals is better by so much that it shows.
 */
import type { ExpectedShape } from './snapshot.ts';

/** What is expected, and how many arrivals it was learned from. */
export interface Expectation {
  readonly shapes: readonly ExpectedShape[];
  readonly arrivals: number;
}

/** Share of the weight that must have moved, 0..1, and how many times the error of the sample. */
const leastDrift = 0.02;
const errorsOfDrift = 2;
/** Share of the weight by which the error must have become smaller. */
const leastGain = 0.05;
/** Verdicts an arrival. */
const mostVerdicts = 128;
/** Arrivals that count as one sample: the learned workload forgets half in 4096, and 2 ÷ ln 2 times as many weigh like a sample of all. */
const mostRemembered = 11_818;

export class ExpectationPace {
  #shapes: readonly ExpectedShape[] = [];
  #usedAt = 0;
  #seenAt = 0;

  /** How many arrived since this was asked last. */
  arrived({ arrivals }: Expectation): number {
    const since = Math.max(0, arrivals - this.#seenAt);
    this.#seenAt = arrivals;
    return since;
  }

  used({ shapes, arrivals }: Expectation): void {
    this.#shapes = shapes;
    this.#usedAt = arrivals;
  }

  /** Whether to use a new expectation. @param verdicts how many must be worked out for it */
  isDue({ shapes, arrivals }: Expectation, verdicts: number): boolean {
    if (arrivals < this.#usedAt) return drift(this.#shapes, shapes) > leastDrift;
    const error = sampleError(shapes, this.#usedAt);
    if (arrivals >= 2 * this.#usedAt && error - sampleError(shapes, arrivals) > leastGain) return true;
    const isTime = arrivals - this.#usedAt >= verdicts / mostVerdicts;
    return isTime && drift(this.#shapes, shapes) > Math.max(leastDrift, errorsOfDrift * error);
  }
}

/** Share of the weight by which a sample of so many arrivals is expected to differ from the workload that it is of, 0..1. */
export function sampleError(shapes: readonly ExpectedShape[], arrivals: number): number {
  const size = Math.min(arrivals, mostRemembered);
  if (size <= 0) return 1;
  const total = shapes.reduce((sum, { weight }) => sum + weight, 0);
  let error = 0;
  for (const { weight } of shapes) {
    const share = weight / total;
    // The mean distance of a binomial share from its expectation; half of all moves is gained, half lost.
    error += Math.sqrt((2 * share * (1 - share)) / (Math.PI * size)) / 2;
  }
  return Math.min(1, error);
}

/** Share of the weight by which two expectations differ, 0..1 (total variation). */
export function drift(a: readonly ExpectedShape[], b: readonly ExpectedShape[]): number {
  const shareOf = (list: readonly ExpectedShape[]) => {
    const total = list.reduce((sum, { weight }) => sum + weight, 0);
    return new Map(list.map(({ kind, weight }) => [kind.key, weight / total]));
  };
  const [before, after] = [shareOf(a), shareOf(b)];
  let gained = 0;
  for (const [key, share] of after) gained += Math.max(0, share - (before.get(key) ?? 0));
  return gained;
}
