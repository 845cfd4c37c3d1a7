/**
 * By what run time the first job of an unknown kind is ordered when several wait.
 *
 * One user submits a thousand jobs of a kind never seen. Their expected time is long, as is that of most unknown jobs, so
 * they would wait behind everything, though they may take ten seconds each. Starting one costs E[X]; with probability
 * P(X ≤ x) the others turn out to be short and are worth running at once at E[X | X ≤ x] each. Time per completion of
 * that wager is (E[X] + (n−1)·E[X; X ≤ x]) / (n·P(X ≤ x)), and the best x is taken; for n = 1 it is E[X]. It is
 * the Gittins index of a batch whose members are alike, restricted to stopping after the first.
 */
import { type Distribution, meanSeconds } from './distribution.ts';
import { BIN_COUNT, middleSeconds } from './time-bins.ts';

/** History cannot tell probabilities below this from nothing. */
const LEAST_CHANCE = 0.02;

/**
 * Expected run time per completed job when `waiting` equal jobs of an unknown kind wait and one is started to find out, seconds > 0.
 * @param waiting how many wait, ≥ 1, this one included
 */
export function wagerSeconds(distribution: Distribution, waiting: number): number {
  const expected = meanSeconds(distribution);
  let chance = 0;
  let partial = 0;
  let best = expected;
  for (let bin = 0; bin < BIN_COUNT; bin++) {
    chance += distribution[bin]!;
    partial += distribution[bin]! * middleSeconds[bin]!;
    if (chance < LEAST_CHANCE) continue;
    best = Math.min(best, (expected + (waiting - 1) * partial) / (waiting * chance));
  }
  return best;
}
