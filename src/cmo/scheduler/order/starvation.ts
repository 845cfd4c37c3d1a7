/**
 * Nobody waits for ever: the rule that bounds how long least-work-first may pass a job over.
 *
 * A job is *due* once it has waited thirty times its expected run time, but never before two days and always after thirty. Due jobs
 * come before all others, in order of submission. When the first job in order is due, does not fit, and has been first for a day, the
 * cluster *drains*: nothing else starts until it does. The numbers are promises to people, not fitted to any workload.
 *
 * Bound. Let R be the longest run time, G the longest time between rounds, W = `mostSeconds`, D = `drainAfterSeconds`, and a the number
 * of jobs submitted before job j that still wait W after j was submitted. If each fits an empty cluster, j waits at most W + G + (a + 1)·(D + R).
 * Proof. W after its submission j is due for good, whatever is predicted, and so are all that were submitted before it; the next round sees
 * it, at most G later. From then on only those a jobs come before j, and their order is fixed. Let h be first. h starts within D, or
 * from then on nothing but h starts; what runs ends within R, h fits, h starts, in the round that the last end causes. So one of the
 * a + 1 jobs starts in every D + R at the latest. ∎
 */
export interface StarvationRule {
  /** Times the expected run time that a job may wait before it is due, ≥ 0. */
  readonly dueAfterRunTimes: number;
  /** Never due before, and always due after, seconds. */
  readonly leastSeconds: number;
  readonly mostSeconds: number;
  /** A due job that is first in order makes the cluster drain after so long, seconds. */
  readonly drainAfterSeconds: number;
}

const DAY = 86_400;
export const defaultStarvationRule: StarvationRule = {
  dueAfterRunTimes: 30,
  leastSeconds: 2 * DAY,
  mostSeconds: 30 * DAY,
  drainAfterSeconds: DAY,
};

/** How long a job may wait before it is due, seconds. @param meanSeconds its expected run time; NaN counts as none */
export function dueAfterSeconds(rule: StarvationRule, meanSeconds: number): number {
  const wanted = rule.dueAfterRunTimes * meanSeconds;
  return Math.min(rule.mostSeconds, Math.max(rule.leastSeconds, Number.isNaN(wanted) ? 0 : wanted));
}

/** Decides when the cluster drains for a due job; keeps who is first and since when. */
export class Drain {
  readonly #rule: StarvationRule;
  #first: unknown;
  #since = 0;

  constructor(rule: StarvationRule) {
    this.#rule = rule;
  }

  /** @param first the first job in order that does not fit, by identity  @param now epoch seconds */
  isOn(first: unknown, isDue: boolean, now: number): boolean {
    if (!isDue) {
      this.#first = undefined;
      return false;
    }
    if (this.#first !== first) {
      this.#first = first;
      this.#since = now;
    }
    return now - this.#since >= this.#rule.drainAfterSeconds;
  }
}
