/**
 * Decides, by what came true, whether a user's estimate is a better guess than history.
 *
 * Users overestimate by factors, so history usually wins after a handful of jobs; but where estimates are
 * exact, or history has nothing to say, the estimate must be used. Both are scored by the factor by which they were wrong
 * (absolute difference of logarithms), separately for classes of jobs that were seen before and new ones; old scores fade.
 */
/** Until so many ends were scored the estimate is used: ten observations bound a median within its quartiles (99.8 %). */
const LEAST_SCORED = 10;
const FADE = 0.995;

interface Score {
  scored: number;
  history: number;
  estimate: number;
}

export class EstimateTrust {
  readonly #known: Score = { scored: 0, history: 0, estimate: 0 };
  readonly #unknown: Score = { scored: 0, history: 0, estimate: 0 };

  /** @param isKnown whether jobs of the class have ended before */
  prefersEstimate(isKnown: boolean): boolean {
    const { scored, history, estimate } = isKnown ? this.#known : this.#unknown;
    return scored < LEAST_SCORED || estimate < history;
  }

  /** All in seconds. */
  learn(isKnown: boolean, predicted: number, estimate: number, actual: number): void {
    const score = isKnown ? this.#known : this.#unknown;
    score.scored += 1;
    score.history = score.history * FADE + factorOff(predicted, actual);
    score.estimate = score.estimate * FADE + factorOff(estimate, actual);
  }
}

const factorOff = (guess: number, actual: number) => Math.abs(Math.log(Math.max(1, guess) / Math.max(1, actual)));
