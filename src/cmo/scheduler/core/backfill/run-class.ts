/**
 * How long jobs run, in classes: so that jobs that end about as soon are planned together.
 *
 * A class is its upper edge, a power of √2 minutes: what is promised of the class holds for each job of it.
 */
export interface ExpectedRunTime {
  /** As likely longer as shorter, seconds. */
  readonly likelySeconds: number;
  /** Hardly ever longer (P90), or never (its time limit), seconds. */
  readonly carefulSeconds: number;
  /** What all such jobs run on average, seconds; of long-tailed run times far more than the likely. Left out: the likely. */
  readonly meanSeconds?: number;
  /** By what its turn is reckoned instead, seconds; left out: the mean. */
  readonly turnSeconds?: number;
}

const firstSeconds = 60;
/** Longer is as good as unknown. */
const longestSeconds = 400 * 86_400;

/** The class of a careful expectation, seconds; Infinity for none and for nonsense (NaN, zero, negative, more than 400 days). */
export function runClassOf(carefulSeconds: number | undefined): number {
  if (carefulSeconds === undefined || !(carefulSeconds > 0) || carefulSeconds > longestSeconds) {
    return Number.POSITIVE_INFINITY;
  }
  const step = Math.max(0, Math.ceil(2 * Math.log2(carefulSeconds / firstSeconds) - 1e-9));
  return firstSeconds * 2 ** (step / 2);
}

/** A likely run time that can be reckoned with, seconds; undefined for nonsense. */
export function likelySecondsOf(runTime: ExpectedRunTime | undefined): number | undefined {
  const seconds = runTime?.likelySeconds;
  return seconds !== undefined && seconds > 0 && seconds <= longestSeconds ? seconds : undefined;
}

/** What it is ordered by where least work goes first, seconds; undefined for nonsense. */
export function orderSecondsOf(runTime: ExpectedRunTime | undefined): number | undefined {
  const seconds = runTime?.turnSeconds ?? runTime?.meanSeconds ?? runTime?.likelySeconds;
  return seconds !== undefined && seconds > 0 && seconds <= longestSeconds ? seconds : undefined;
}
