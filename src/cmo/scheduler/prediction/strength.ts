/**
 * How much a level of the hierarchy trusts its own counts over its parent's, learned from what came true.
 *
 * With strength α a node's hazard counts its parent's as α imagined observations. Which α is right depends on how much
 * users (names, sizes…) really differ, so nothing is set by hand: each candidate is scored by the log-likelihood of every
 * observation *before* it is counted, old scores fade, and the best candidate is used (follow the leader).
 */
const CANDIDATES = [0.5, 2, 8, 32, 128] as const;
/** Scores remember about the last 1,000 observations of a level. */
const SCORE_FADE = 0.999;
const AT_FIRST = 2;

export class LevelStrength {
  /** The strength in use, imagined observations. */
  value = AT_FIRST;
  readonly #scores = new Float64Array(CANDIDATES.length);

  /**
   * Learns from one observation of a node of this level.
   * @param reached,ended the node's counts in that bin before the observation, in observations
   * @param parent the parent's hazard, strictly between 0 and 1
   */
  learn(reached: number, ended: number, parent: number, hasEnded: boolean): void {
    if (reached <= 0) return;
    let best = 0;
    for (let i = 0; i < CANDIDATES.length; i++) {
      const hazard = (ended + CANDIDATES[i]! * parent) / (reached + CANDIDATES[i]!);
      this.#scores[i] = this.#scores[i]! * SCORE_FADE + Math.log(hasEnded ? hazard : 1 - hazard);
      if (this.#scores[i]! > this.#scores[best]!) best = i;
    }
    this.value = CANDIDATES[best]!;
  }
}
