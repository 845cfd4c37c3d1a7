/**
 * Run times on a logarithmic grid: four bins an octave, from one second to about a year.
 *
 * Run times of real jobs span seven orders of magnitude, and what matters for order and backfill is the factor by which
 * a guess is wrong, not the seconds. A fixed grid also makes a key's memory constant, whatever it has seen.
 */
const BINS_PER_OCTAVE = 4;

/** Number of bins; the last one takes everything above `lowerSeconds[BIN_COUNT - 1]`. */
export const BIN_COUNT = 100;

/** Lower edge of each bin, seconds; the first is 0, and one more closes the last bin. */
export const lowerSeconds: Float64Array = Float64Array.from({ length: BIN_COUNT + 1 }, (_, bin) =>
  bin === 0 ? 0 : 2 ** (bin / BINS_PER_OCTAVE),
);

/** Geometric middle of each bin, seconds. */
export const middleSeconds: Float64Array = Float64Array.from(
  { length: BIN_COUNT },
  (_, bin) => 2 ** ((bin + 0.5) / BINS_PER_OCTAVE),
);

/** The bin of a run time. @param seconds anything; what is not above 1 (NaN too) is in the first bin */
export function binOf(seconds: number): number {
  if (!(seconds > 1)) return 0;
  if (seconds === Number.POSITIVE_INFINITY) return BIN_COUNT - 1;
  const bin = Math.min(BIN_COUNT - 1, Math.floor(BINS_PER_OCTAVE * Math.log2(seconds)));
  // The logarithm may be off by its last bit at an edge; the edges themselves decide.
  if (seconds < lowerSeconds[bin]!) return bin - 1;
  return bin < BIN_COUNT - 1 && seconds >= lowerSeconds[bin + 1]! ? bin + 1 : bin;
}
