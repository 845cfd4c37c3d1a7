/**
 * A run time's predicted distribution over the bins, and the few numbers that decisions need from it.
 */
import { BIN_COUNT, binOf, lowerSeconds, middleSeconds } from './time-bins.ts';

/** Probability of each bin; sums to 1. Conditional on the time already run: bins before it are 0. */
export type Distribution = Float64Array;

/** Expected run time in all, seconds > 0. */
export function meanSeconds(distribution: Distribution): number {
  let sum = 0;
  for (let bin = 0; bin < BIN_COUNT; bin++) sum += distribution[bin]! * middleSeconds[bin]!;
  return sum;
}

/**
 * The run time that a share of such jobs stays below, seconds; linear inside its bin, so that it is continuous and grows with the share.
 * @param share 0..1; outside it is taken as the nearer end
 */
export function quantileSeconds(distribution: Distribution, share: number): number {
  let below = 0;
  let last = 0;
  for (let bin = 0; bin < BIN_COUNT; bin++) {
    const mass = distribution[bin]!;
    if (mass <= 0) continue;
    last = bin;
    if (below + mass >= share) {
      const inside = Math.min(1, Math.max(0, (share - below) / mass));
      return lowerSeconds[bin]! + inside * (lowerSeconds[bin + 1]! - lowerSeconds[bin]!);
    }
    below += mass;
  }
  return lowerSeconds[last + 1]!;
}

/** The share of such jobs that end within a run time, 0..1: the inverse of `quantileSeconds`. */
export function shareWithin(distribution: Distribution, seconds: number): number {
  const bin = binOf(seconds);
  let below = 0;
  for (let i = 0; i < bin; i++) below += distribution[i]!;
  const width = lowerSeconds[bin + 1]! - lowerSeconds[bin]!;
  const inside = Math.min(1, Math.max(0, (seconds - lowerSeconds[bin]!) / width));
  return Math.min(1, below + distribution[bin]! * inside);
}
