/**
 * What the browser holds of a log that may have millions of lines: pages of it, the least recently read thrown away.
 *
 * Lines have numbers from 0 and the server tells how many there are, so a view can show any place of a log without
 * having read what is before it. Numbers that never come (a reader that was too slow, a log that was cut) are gaps; a
 * gap is one row that says how many lines it stands for. All of it is plain data without a clock or a network.
 */

export interface LogLine {
  /** Number of the line, from 0. */
  readonly line: number;
  /** Instant by the node's clock, ISO 8601. */
  readonly at: string;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
  readonly partial: boolean;
}

/** Lines of a page. */
export const pageLines = 500;
/** Characters that are held before pages are thrown away; two bytes each. */
const mostCharacters = 24_000_000;

interface Page {
  /** By offset in the page; holes are lines not yet known. */
  readonly lines: (LogLine | undefined)[];
  count: number;
  characters: number;
  usedAt: number;
}

export type LogRow =
  | { readonly kind: 'line'; readonly line: LogLine }
  | { readonly kind: 'missing'; readonly number: number }
  | { readonly kind: 'gap'; readonly from: number; readonly count: number };

interface Gap {
  readonly from: number;
  readonly count: number;
}

/** Lines of one rank of one attempt. */
export class LogBuffer {
  readonly #pages = new Map<number, Page>();
  readonly #mostCharacters: number;
  #gaps: Gap[] = [];
  #lineCount = 0;
  #characters = 0;
  #tick = 0;
  #revision = 0;

  /** @param most characters that are held before pages are thrown away */
  constructor(most: number = mostCharacters) {
    this.#mostCharacters = most;
  }

  /** Lines known to exist, also those that are not held. */
  get lineCount(): number {
    return this.#lineCount;
  }

  /** Grows with every change, for a view to know that it is old. */
  get revision(): number {
    return this.#revision;
  }

  /** Characters of the lines that are held. */
  get characters(): number {
    return this.#characters;
  }

  /** The server knows of so many lines. */
  grow(lineCount: number): void {
    if (lineCount <= this.#lineCount) return;
    this.#lineCount = lineCount;
    this.#revision += 1;
  }

  /** Takes lines in ascending order; a line that is known already is left as it is. */
  add(lines: readonly LogLine[]): void {
    for (const line of lines) {
      if (!Number.isSafeInteger(line.line) || line.line < 0) continue;
      const index = Math.floor(line.line / pageLines);
      const page = this.#page(index);
      const offset = line.line - index * pageLines;
      if (page.lines[offset] !== undefined) continue;
      page.lines[offset] = line;
      page.count += 1;
      page.characters += line.text.length;
      this.#characters += line.text.length;
      if (line.line >= this.#lineCount) this.#lineCount = line.line + 1;
    }
    if (lines.length > 0) this.#revision += 1;
    this.#evict();
  }

  /** Lines that will never come. Touching gaps become one. */
  addGap(from: number, count: number): void {
    if (count <= 0) return;
    let start = from;
    let end = from + count;
    const kept: Gap[] = [];
    for (const gap of this.#gaps) {
      if (gap.from + gap.count < start || gap.from > end) kept.push(gap);
      else {
        start = Math.min(start, gap.from);
        end = Math.max(end, gap.from + gap.count);
      }
    }
    this.#gaps = [...kept, { from: start, count: end - start }].sort((a, b) => a.from - b.from);
    if (end > this.#lineCount) this.#lineCount = end;
    this.#revision += 1;
  }

  /** Rows of the view: each gap is one. */
  get rowCount(): number {
    return this.#gaps.reduce((sum, gap) => sum - gap.count + 1, this.#lineCount);
  }

  /** The row at a place of the view, 0..rowCount-1. */
  row(index: number): LogRow {
    let number = index;
    for (const gap of this.#gaps) {
      if (number < gap.from) break;
      if (number === gap.from) return { kind: 'gap', ...gap };
      number += gap.count - 1;
    }
    const line = this.line(number);
    return line === undefined ? { kind: 'missing', number } : { kind: 'line', line };
  }

  /** The row that shows a line. */
  rowOf(number: number): number {
    let row = number;
    for (const gap of this.#gaps) {
      if (number < gap.from) break;
      row -= Math.min(number - gap.from, gap.count - 1);
    }
    return row;
  }

  /** A line, if it is held. */
  line(number: number): LogLine | undefined {
    const page = this.#pages.get(Math.floor(number / pageLines));
    if (page === undefined) return undefined;
    page.usedAt = this.#tick;
    return page.lines[number % pageLines];
  }

  /** The first page with a line between two rows that is not held; undefined when all are. */
  firstMissing(fromRow: number, toRow: number): { readonly from: number; readonly limit: number } | undefined {
    for (let index = Math.max(0, fromRow); index < Math.min(toRow, this.rowCount); index += 1) {
      const row = this.row(index);
      if (row.kind !== 'missing') continue;
      const from = row.number - (row.number % pageLines);
      return { from, limit: pageLines };
    }
    return undefined;
  }

  #page(index: number): Page {
    this.#tick += 1;
    let page = this.#pages.get(index);
    if (page === undefined) {
      page = { lines: [], count: 0, characters: 0, usedAt: this.#tick };
      this.#pages.set(index, page);
    }
    page.usedAt = this.#tick;
    return page;
  }

  /** Throws away the pages read longest ago; never the newest, to which lines are added. */
  #evict(): void {
    if (this.#characters <= this.#mostCharacters) return;
    const newest = Math.floor((this.#lineCount - 1) / pageLines);
    const oldest = [...this.#pages].filter(([index]) => index !== newest).sort((a, b) => a[1].usedAt - b[1].usedAt);
    for (const [index, page] of oldest) {
      if (this.#characters <= this.#mostCharacters * 0.8) return;
      this.#pages.delete(index);
      this.#characters -= page.characters;
    }
  }
}
