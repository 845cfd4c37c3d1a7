/**
 * Paired statistics: ours against a peer's on identical input, seed by seed.
 *
 * Differences between seeds are often larger than the difference between two policies, so comparing two means says
 * little; the mean of the differences with its confidence interval says whether one is ahead on the same input.
 */

/** Two-sided 95 % quantiles of Student's t for 1..30 degrees of freedom. */
const T_95 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

function quantile95(degreesOfFreedom: number): number {
  const tabled = T_95[degreesOfFreedom - 1];
  if (tabled !== undefined) return tabled;
  // Cornish–Fisher around the normal quantile; off by less than 0.001 above 30 degrees of freedom.
  const z = 1.959964;
  return z + (z ** 3 + z) / (4 * degreesOfFreedom);
}

export function mean(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('the mean of nothing is not a number');
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The value below which a share of the values lies, by the nearest rank. @param share 0..1 */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('a percentile of nothing is not a number');
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

export interface PairedDifference {
  /** Mean of ours − peer. */
  mean: number;
  /** 95 % confidence interval of that mean. */
  low: number;
  high: number;
  pairs: number;
  /** True when the interval excludes zero on our side. */
  ahead: boolean;
}

/**
 * @param better whether a higher or a lower number is better
 * @throws RangeError for fewer than two pairs, which have no interval, or unequal lengths
 */
export function pairedDifference(
  ours: readonly number[],
  peer: readonly number[],
  better: 'higher' | 'lower',
): PairedDifference {
  if (ours.length !== peer.length) throw new RangeError(`${ours.length} values of ours but ${peer.length} of the peer`);
  if (ours.length < 2) throw new RangeError('a confidence interval needs at least two pairs');
  const differences = ours.map((value, index) => value - peer[index]!);
  const centre = mean(differences);
  const variance = differences.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (differences.length - 1);
  const half = quantile95(differences.length - 1) * Math.sqrt(variance / differences.length);
  const [low, high] = [centre - half, centre + half];
  return { mean: centre, low, high, pairs: differences.length, ahead: better === 'higher' ? low > 0 : high < 0 };
}
