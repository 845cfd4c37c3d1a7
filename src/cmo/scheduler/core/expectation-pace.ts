/**
 * When what is expected has changed so much that all nodes should be scored again by it.
 *
 * With every arrival the learned workload is a little another. Scoring by each new one would cost more than all decisions, and mean nothing: two
 * samples of one workload differ too. So a new expectation is used when it differs from the last by more than `leastDrift` of its weight, and
 * not before so many arrivals that few verdicts are worked out for each (a large fleet changes slowly); or when twice as many arrivals
 * are known as for the last one, since what was learned from few is poor.
 */
import type { ExpectedShape } from './snapshot.ts';

/** What is expected, and how many arrivals it was learned from. */
export interface Expectation {
  readonly shapes: readonly ExpectedShape[];
  readonly arrivals: number;
}

/** Share of the weight that must have moved, 0..1. */
const leastDrift = 0.02;
/** Verdicts an arrival. */
const mostVerdicts = 128;

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
    const isTime = arrivals - this.#usedAt >= verdicts / mostVerdicts || arrivals >= 2 * this.#usedAt;
    return (isTime || arrivals < this.#usedAt) && drift(this.#shapes, shapes) > leastDrift;
  }
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
