/**
 * Nobody waits for ever: the rule that bounds how long least-work-first may pass a job over.
 *
 * A job is *due* once it has waited thirty times its expected run time, but never before two days and always after thirty. The job that
 * is due and was submitted first, and only that one, goes before all others; when it starts, its expected work is charged, and
 * the next due job goes first only when a quarter of the cluster would have done that work. Without that limit an overload turns the
 * order into first-come-first-served just when order matters most (tried: up to ten times the completion time).
 * When the due job has been first for a day and still does not fit, resources are *kept* for it: the nodes where it is expected to
 * fit first are fixed, and what becomes free there goes to nobody else. The numbers are promises to people, not fitted to a workload.
 *
 * Bound. Let R be the longest run time, G the longest time between rounds, W = `mostSeconds`, D = `keepAfterSeconds`, q = `dueShare`, and a the
 * number of jobs submitted before job j that still wait W after j was submitted. If each fits an empty cluster, j waits at most
 * W + G + (a + 1)·(W/q + D + 2G + R).
 * Proof. W after its submission j is due for good, whatever is predicted, and so are all that were submitted before it; the next round
 * sees it. From then on the first is one of those a jobs or j, by submission, until j has started. A charge is at most
 * size·W/(q·capacity) ≤ W/q, so at most W/q + G after a due job started, or j was seen, some h of them goes first. h starts, or at most
 * D + G later nodes are kept for it that it fits into when empty; what runs there ends within R, nothing else starts there beside
 * what h leaves, so h starts, in the round that the last end causes. So one of the a + 1 jobs starts in every W/q + D + 2G + R at the latest. ∎
 */
export interface StarvationRule {
  /** Times the expected run time that a job may wait before it is due, ≥ 0. */
  readonly dueAfterRunTimes: number;
  /** Never due before, and always due after, seconds. */
  readonly leastSeconds: number;
  readonly mostSeconds: number;
  /** A due job that is first in order has nodes kept for it after so long, seconds. */
  readonly keepAfterSeconds: number;
  /** Share of the cluster that due jobs may take against the order, 0 < share ≤ 1. */
  readonly dueShare: number;
}

const DAY = 86_400;
export const defaultStarvationRule: StarvationRule = {
  dueAfterRunTimes: 30,
  leastSeconds: 2 * DAY,
  mostSeconds: 30 * DAY,
  keepAfterSeconds: DAY,
  dueShare: 0.25,
};

/** How long a job may wait before it is due, seconds. @param meanSeconds its expected run time; NaN counts as none */
export function dueAfterSeconds(rule: StarvationRule, meanSeconds: number): number {
  const wanted = rule.dueAfterRunTimes * meanSeconds;
  return Math.min(rule.mostSeconds, Math.max(rule.leastSeconds, Number.isNaN(wanted) ? 0 : wanted));
}

/** Decides when nodes are kept for a due job; remembers who is first and since when. */
export class FirstInLine {
  readonly #rule: StarvationRule;
  #first: unknown;
  #since = 0;

  constructor(rule: StarvationRule) {
    this.#rule = rule;
  }

  /** @param first the first job in order that does not fit, by identity  @param now epoch seconds */
  needsNodesKept(first: unknown, isDue: boolean, now: number): boolean {
    if (!isDue) {
      this.#first = undefined;
      return false;
    }
    if (this.#first !== first) {
      this.#first = first;
      this.#since = now;
    }
    return now - this.#since >= this.#rule.keepAfterSeconds;
  }
}
