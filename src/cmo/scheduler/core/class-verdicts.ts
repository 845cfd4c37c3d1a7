/**
 * What a board thinks of each class of nodes: nobody looked, refused and why, or how well its nodes would do.
 *
 * A fleet has as many boards as kinds of jobs, and each follows each change: together they do not fit the processor's caches. So what nearly
 * every change asks for, whether and why a class was refused, is a byte, and scores are read only by who compares nodes.
 */

/** Codes: nobody looked, it fits, and from here on the index of the rejection. */
export const unseen = 0;
export const fits = 1;
export const refused = 2;

export class ClassVerdicts {
  /** By class. */
  codes: Uint8Array;
  /** By class that fits: its score, ≥ 0. */
  scores: Float64Array;

  constructor(classes: number) {
    this.codes = new Uint8Array(classes);
    this.scores = new Float64Array(classes);
  }

  /** Makes room for so many classes. */
  grow(classes: number): void {
    if (classes <= this.codes.length) return;
    const size = classes + (classes >> 1);
    const codes = new Uint8Array(size);
    const scores = new Float64Array(size);
    codes.set(this.codes);
    scores.set(this.scores);
    this.codes = codes;
    this.scores = scores;
  }

  forget(): void {
    this.codes.fill(unseen);
  }

  /** Takes over what was refused elsewhere. */
  copyRefusals({ codes }: ClassVerdicts): void {
    for (let number = 0; number < codes.length; number += 1) {
      if (codes[number]! >= refused) this.codes[number] = codes[number]!;
    }
  }

  /** @param verdict score ≥ 0, or −1 − index of the rejection; returns its code */
  set(number: number, verdict: number): number {
    if (verdict >= 0) {
      this.scores[number] = verdict;
      this.codes[number] = fits;
      return fits;
    }
    const code = refused - 1 - verdict;
    this.codes[number] = code;
    return code;
  }

  /** Score of a class, Infinity where it does not fit. */
  scoreOf(number: number): number {
    return this.codes[number] === fits ? this.scores[number]! : Number.POSITIVE_INFINITY;
  }
}
