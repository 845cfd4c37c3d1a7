/**
 * The styles of a log's lines: what a line leaves switched on goes on in the next one of the same stream, as in a terminal.
 *
 * Any line may be the first that is seen, so the lines before it are asked for what they left, as far back as they are held
 * and within bounds. Streams do not colour each other: they are two pipes, whose lines meet in any order.
 */
import { type AnsiSpan, type AnsiStyle, parseAnsi, plain } from './ansi.ts';
import type { LogLine } from './log-buffer.ts';

/** Characters of a line that are drawn; a longer one is whole in the download. */
export const mostDrawn = 4_000;
/** Lines back that may still colour a line. */
const mostBack = 500;

export interface StyledLine {
  readonly start: AnsiStyle;
  readonly spans: readonly AnsiSpan[];
  /** What it leaves to the next line. */
  readonly end: AnsiStyle;
}

/** Where lines are by their number; undefined where one is not held. */
export interface LineSource {
  line(number: number): LogLine | undefined;
}

/** What switches everything off. */
const resets = ['\x1b[0m', '\x1b[m', '\x9b0m', '\x9bm'];

const known = new WeakMap<LogLine, StyledLine>();

/** Spans of a line that begins in a style. The same line and style give the same object again. */
export function styleLine(line: LogLine, start: AnsiStyle): StyledLine {
  const before = known.get(line);
  if (before !== undefined && isSame(before.start, start)) return before;
  const drawn = parseAnsi(line.text.slice(0, mostDrawn), start);
  const whole = line.text.length > mostDrawn ? parseAnsi(line.text, start) : drawn;
  const styled = { start, spans: drawn.spans, end: Object.keys(whole.style).length === 0 ? plain : whole.style };
  known.set(line, styled);
  return styled;
}

/** The style that the lines before leave to a line. */
export function styleBefore(source: LineSource, line: LogLine): AnsiStyle {
  const colouring: LogLine[] = [];
  for (let at = line.line - 1; at >= Math.max(0, line.line - mostBack); at -= 1) {
    const before = source.line(at);
    if (before === undefined) break;
    if (before.stream !== line.stream || !(before.text.includes('\x1b') || before.text.includes('\x9b'))) continue;
    colouring.push(before);
    // What was on before a reset does not matter any more.
    if (resets.some((reset) => before.text.includes(reset))) break;
  }
  return colouring.reduceRight((style, before) => styleLine(before, style).end, plain);
}

function isSame(one: AnsiStyle, other: AnsiStyle): boolean {
  if (one === other) return true;
  const names = Object.keys(one) as (keyof AnsiStyle)[];
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => JSON.stringify(one[name]) === JSON.stringify(other[name]))
  );
}
