/**
 * What one key has seen: for each bin of run time, how many jobs reached it and how many ended in it.
 *
 * Counting only finished jobs would be wrong just when it matters: of a thousand jobs that a user started an hour ago,
 * those that have finished are the short ones. Hazards (ended ÷ reached, bin by bin) use the running ones too: each says
 * "longer than so far", and nothing more. This is the life table of survival analysis (Kaplan & Meier 1958).
 *
 * Old observations fade by a factor at each end. The counts are not multiplied, new ones weigh more instead, and all is
 * scaled back once in a while; so an observation costs one bin, not all.
 */
import { BIN_COUNT } from './time-bins.ts';

/** Above this weight a node is scaled back, long before single precision would notice. */
const RESCALE_AT = 1e6;

export class HazardNode {
  /** Both in units of `weight`. */
  readonly reached: Float32Array = new Float32Array(BIN_COUNT);
  readonly ended: Float32Array = new Float32Array(BIN_COUNT);
  /** What an observation made now counts. */
  weight = 1;
  /** Grows with every observation, so that a prediction can be kept until it is stale. */
  version = 0;
  /** Jobs of this key that run now, and that have ended by themselves. */
  runningCount = 0;
  endedCount = 0;
  /** For keys that are split into sessions: the last submission (epoch seconds) and the session's number. */
  lastSubmittedAt = Number.NEGATIVE_INFINITY;
  session = 0;

  /** A job reached the end of a bin (`hasEnded` false) or ended in it. */
  observe(bin: number, hasEnded: boolean): void {
    this.reached[bin]! += this.weight;
    if (hasEnded) this.ended[bin]! += this.weight;
    this.version += 1;
  }

  /** Lets everything seen so far count for less. @param factor 0 < factor ≤ 1 */
  fade(factor: number): void {
    this.endedCount += 1;
    this.weight /= factor;
    if (this.weight < RESCALE_AT) return;
    for (let bin = 0; bin < BIN_COUNT; bin++) {
      this.reached[bin]! /= this.weight;
      this.ended[bin]! /= this.weight;
    }
    this.weight = 1;
  }

  /** Probability of ending in a bin that was reached, drawn towards the parent's by `strength` imagined observations. */
  hazard(bin: number, parent: number, strength: number): number {
    const imagined = strength * this.weight;
    return (this.ended[bin]! + imagined * parent) / (this.reached[bin]! + imagined);
  }
}
