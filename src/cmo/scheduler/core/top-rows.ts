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
const endings = 255;

/** @typeParam T what is kept of a row as long as it is held with the same score */
export class TopRows<T> {
  /** Best first; `length` of them count. */
  readonly rows = new Int32Array(mostTop);
  readonly #scores = new Float64Array(mostTop);
  length = 0;
  /** By position; undefined where nothing was kept yet. */
  readonly kept: (T | undefined)[] = Array.from({ length: mostTop }, () => undefined);
  /** How many of the rows end in these bits: most that are not held are told by that. */
  readonly #ending = new Uint8Array(endings + 1);
  /** The last row that is held, if it is there: nothing better is missing. */
  #boundScore = Number.NEGATIVE_INFINITY;
  #boundRow = -1;

  /** Forgets everything: what is there is not known. */
  clear(): void {
    this.length = 0;
    this.kept.fill(undefined);
    this.#ending.fill(0);
    this.#boundScore = Number.NEGATIVE_INFINITY;
    this.#boundRow = -1;
  }

  /** @param best the best of all rows, `mostTop` of them or all that there are */
  fill(best: BestRows, scoreOf: (row: number) => number): void {
    const rows = best.rows();
    this.clear();
    this.length = rows.length;
    for (let i = 0; i < rows.length; i += 1) {
      this.rows[i] = rows[i]!;
      this.#count(rows[i]!, 1);
      this.#scores[i] = scoreOf(rows[i]!);
    }
    const isAll = rows.length < mostTop;
    this.#boundScore = isAll ? Number.POSITIVE_INFINITY : this.#scores[mostTop - 1]!;
    this.#boundRow = isAll ? 0 : this.rows[mostTop - 1]!;
  }

  #isWithin(score: number, row: number): boolean {
    return score < this.#boundScore || (score === this.#boundScore && row <= this.#boundRow);
  }

  #count(row: number, times: 1 | -1): void {
    this.#ending[row & endings]! += times;
  }

  /** A row has this score now, and had none. */
  enter(score: number, row: number): void {
    if (!this.#isWithin(score, row)) return;
    const { rows, kept } = this;
    const scores = this.#scores;
    let at = this.length;
    if (at < mostTop) this.length += 1;
    else {
      at -= 1;
      this.#count(rows[at]!, -1);
    }
    while (at > 0 && (scores[at - 1]! > score || (scores[at - 1] === score && rows[at - 1]! > row))) {
      scores[at] = scores[at - 1]!;
      rows[at] = rows[at - 1]!;
      kept[at] = kept[at - 1];
      at -= 1;
    }
    scores[at] = score;
    rows[at] = row;
    kept[at] = undefined;
    this.#count(row, 1);
    if (this.length < mostTop) return;
    this.#boundScore = scores[mostTop - 1]!;
    this.#boundRow = rows[mostTop - 1]!;
  }

  /** A row has its score no more. */
  leave(row: number): void {
    if (this.#ending[row & endings] === 0) return;
    const { rows, kept } = this;
    const scores = this.#scores;
    let at = 0;
    while (at < this.length && rows[at] !== row) at += 1;
    if (at === this.length) return;
    this.#count(row, -1);
    this.length -= 1;
    for (; at < this.length; at += 1) {
      scores[at] = scores[at + 1]!;
      rows[at] = rows[at + 1]!;
      kept[at] = kept[at + 1];
    }
    kept[at] = undefined;
  }
}
