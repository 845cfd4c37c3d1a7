/**
 * The best rows of a scoreboard, kept sorted from change to change: what nearly every decision and explanation asks for.
 *
 * It holds all rows up to a bound, so a change beyond the bound is none of its business and one within costs a shift of a few numbers. Rows
 * that leave make it shorter, those that come push the worst out and the bound down; when fewer are left than somebody asks for, it is
 * filled again from all rows. Lower scores are better, of equal ones the lower row.
 */
import type { BestRows } from './best-rows.ts';

/** How many rows are held at most; more than are asked for, so that it is filled seldom. */
export const mostTop = 64;

export class TopRows {
  /** Best first; `length` of them count. */
  readonly rows = new Int32Array(mostTop);
  readonly #scores = new Float64Array(mostTop);
  length = 0;
  /** The last row that is held, if it is there: nothing better is missing. */
  #boundScore = Number.NEGATIVE_INFINITY;
  #boundRow = -1;

  /** Forgets everything: what is there is not known. */
  clear(): void {
    this.length = 0;
    this.#boundScore = Number.NEGATIVE_INFINITY;
    this.#boundRow = -1;
  }

  /** @param best the best of all rows, `mostTop` of them or all that there are */
  fill(best: BestRows, scoreOf: (row: number) => number): void {
    const rows = best.rows();
    this.length = rows.length;
    for (let i = 0; i < rows.length; i += 1) {
      this.rows[i] = rows[i]!;
      this.#scores[i] = scoreOf(rows[i]!);
    }
    const isAll = rows.length < mostTop;
    this.#boundScore = isAll ? Number.POSITIVE_INFINITY : this.#scores[mostTop - 1]!;
    this.#boundRow = isAll ? 0 : this.rows[mostTop - 1]!;
  }

  #isWithin(score: number, row: number): boolean {
    return score < this.#boundScore || (score === this.#boundScore && row <= this.#boundRow);
  }

  /** A row has this score now, and had none. */
  enter(score: number, row: number): void {
    if (!this.#isWithin(score, row)) return;
    const rows = this.rows;
    const scores = this.#scores;
    let at = this.length;
    if (at === mostTop) at -= 1;
    else this.length += 1;
    while (at > 0 && (scores[at - 1]! > score || (scores[at - 1] === score && rows[at - 1]! > row))) {
      scores[at] = scores[at - 1]!;
      rows[at] = rows[at - 1]!;
      at -= 1;
    }
    scores[at] = score;
    rows[at] = row;
    if (this.length < mostTop) return;
    this.#boundScore = scores[mostTop - 1]!;
    this.#boundRow = rows[mostTop - 1]!;
  }

  /** A row has this score no more. */
  leave(score: number, row: number): void {
    if (!this.#isWithin(score, row)) return;
    const rows = this.rows;
    const scores = this.#scores;
    let at = 0;
    while (at < this.length && rows[at] !== row) at += 1;
    if (at === this.length) return;
    this.length -= 1;
    for (; at < this.length; at += 1) {
      scores[at] = scores[at + 1]!;
      rows[at] = rows[at + 1]!;
    }
  }
}
