/**
 * Makes predicted quantiles cover what they promise.
 *
 * A model's 80 % quantile covers 80 % only if the model is right. Adaptive conformal inference (Gibbs & Candès 2021)
 * does not ask for that: the level used in place of 80 % moves up by η·0.8 whenever a run time lay above the quantile
 * and down by η·0.2 whenever it lay below. Over T jobs, in any order and under any drift, the share covered is then within
 * (1 + η)/(η·T) of what was promised; with η = 0.02 that is 2.6 points after 2,000 jobs, and usually far less. Two limits: a run
 * time of exactly nothing is within any quantile, and levels that cross for a while are handed out in order (Chernozhukov
 * et al. 2010), which can cost the lower of two a little of its coverage.
 */
/** The quantiles that are promised. */
export const PROMISED_SHARES = [0.1, 0.5, 0.8, 0.9] as const;
const STEP = 0.02;

export class Calibration {
  /** The model's level used for each promised share; may leave 0..1, which is what makes the bound hold. */
  readonly #levels: number[] = [...PROMISED_SHARES];
  #scored = 0;

  /** How many ends it has learned from. */
  get scored(): number {
    return this.#scored;
  }

  /** The level to ask the model for, 0..1; a larger share never gets a smaller level. @param index into PROMISED_SHARES */
  level(index: number): number {
    const ordered = [...this.#levels].sort((a, b) => a - b);
    return Math.min(1, Math.max(0, ordered[index]!));
  }

  /** Learns from one end. @param share what share of the predicted distribution lay within the real run time, 0..1 */
  learn(share: number): void {
    if (!(share >= 0 && share <= 1)) return;
    this.#scored += 1;
    for (let i = 0; i < PROMISED_SHARES.length; i++) {
      const covered = share <= this.#levels[i]!;
      this.#levels[i]! += STEP * (PROMISED_SHARES[i]! - (covered ? 1 : 0));
    }
  }
}
