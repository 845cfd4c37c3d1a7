/**
 * Turns one line of a job's output into spans of styled text.
 *
 * A log is hostile: it may try to move a terminal's cursor, set titles, write links, or reverse the reading order so that
 * a line shows what it does not say. Only colours and weights (SGR) have an effect here; every other escape sequence is
 * dropped, and what is invisible or turns text around is shown as its code. Nothing becomes markup: spans hold text.
 * One pass over the line, no regular expression that could backtrack.
 */

/** 0–15 of the palette, or a colour of its own. */
export type AnsiColour = number | { readonly r: number; readonly g: number; readonly b: number };

export interface AnsiStyle {
  readonly foreground?: AnsiColour;
  readonly background?: AnsiColour;
  readonly bold?: true;
  readonly dim?: true;
  readonly italic?: true;
  readonly underline?: true;
  readonly strike?: true;
  readonly inverse?: true;
}

export interface AnsiSpan {
  readonly text: string;
  readonly style: AnsiStyle;
  /** The text names a character that is not shown itself. */
  readonly code?: true;
}

export const plain: AnsiStyle = {};

const escapeCode = 0x1b;
const bell = 0x07;
const carriageReturn = 0x0d;

/** Parses a line from the style that the line before left. @returns spans without empty ones, and the style afterwards */
export function parseAnsi(text: string, start: AnsiStyle = plain): { spans: AnsiSpan[]; style: AnsiStyle } {
  const spans: AnsiSpan[] = [];
  let style = start;
  let from = 0;
  let at = 0;
  const flush = (end: number) => {
    if (end > from) spans.push({ text: text.slice(from, end), style });
  };
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === escapeCode || code === 0x9b || code === 0x9d || code === 0x90) {
      flush(at);
      const sequence = readSequence(text, at);
      if (sequence.graphics !== undefined) style = applyGraphics(style, sequence.graphics);
      at = sequence.end;
      from = at;
    } else if (code === carriageReturn) {
      // Progress bars return the carriage and write anew; a terminal shows what was written last.
      if (at === text.length - 1) flush(at);
      else spans.length = 0;
      at += 1;
      from = at;
    } else if (isHidden(code, text, at)) {
      flush(at);
      spans.push({ text: nameOf(code), style, code: true });
      at += 1;
      from = at;
    } else at += isPairAt(text, at) ? 2 : 1;
  }
  flush(at);
  return { spans, style };
}

/** The text of a line without sequences, hidden characters by their codes: what is searched. */
export function plainText(line: string): string {
  return parseAnsi(line)
    .spans.map(({ text }) => text)
    .join('');
}

interface Sequence {
  /** Index after it. */
  readonly end: number;
  /** Parameters of a `m` sequence. */
  readonly graphics?: string;
}

/** One escape sequence of any kind; one that is cut off ends with the line. */
function readSequence(text: string, start: number): Sequence {
  const first = text.charCodeAt(start);
  let at = start + 1;
  let kind = first;
  if (first === escapeCode) {
    if (at >= text.length) return { end: at };
    kind = text.charCodeAt(at) + 0x40; // ESC [ is 0x9b in eight bits, ESC ] 0x9d, ESC P 0x90
    at += 1;
  }
  if (kind === 0x9b) return readControl(text, at);
  // Titles, links and device strings run to a string terminator.
  if (kind === 0x9d || kind === 0x90 || kind === 0x98 || kind === 0x9e || kind === 0x9f) return readString(text, at);
  // A character set is named by one byte more.
  if (kind >= 0x60 && kind <= 0x6f) return { end: Math.min(at + 1, text.length) };
  return { end: at };
}

function readControl(text: string, from: number): Sequence {
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code >= 0x40 && code <= 0x7e) {
      return code === 0x6d ? { end: at + 1, graphics: text.slice(from, at) } : { end: at + 1 };
    }
    // What cannot be part of a sequence ends it, so that a stray ESC [ does not swallow the line.
    if (code < 0x20 || code > 0x3f) return { end: at };
    at += 1;
  }
  return { end: at };
}

function readString(text: string, from: number): Sequence {
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === bell || code === 0x9c) return { end: at + 1 };
    if (code === escapeCode) return { end: text.charCodeAt(at + 1) === 0x5c ? at + 2 : at };
  }
  return { end: text.length };
}

/** Control characters, halves of pairs, and what is invisible or changes the direction of reading. */
function isHidden(code: number, text: string, at: number): boolean {
  if (code < 0x20) return code !== 0x09;
  if (code < 0x7f) return false;
  if (code <= 0x9f) return true;
  if (code >= 0xd800 && code <= 0xdfff) return !isPairAt(text, at);
  return (
    code === 0xad ||
    code === 0x061c ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x206f) ||
    code === 0xfeff ||
    (code >= 0xfff9 && code <= 0xfffb)
  );
}

function isPairAt(text: string, at: number): boolean {
  const high = text.charCodeAt(at);
  const low = text.charCodeAt(at + 1);
  return high >= 0xd800 && high <= 0xdbff && low >= 0xdc00 && low <= 0xdfff;
}

const nameOf = (code: number): string =>
  code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;

const flags: Readonly<Record<number, keyof AnsiStyle>> = {
  1: 'bold',
  2: 'dim',
  3: 'italic',
  4: 'underline',
  7: 'inverse',
  9: 'strike',
};
const ends: Readonly<Record<number, readonly (keyof AnsiStyle)[]>> = {
  22: ['bold', 'dim'],
  23: ['italic'],
  24: ['underline'],
  27: ['inverse'],
  29: ['strike'],
  39: ['foreground'],
  49: ['background'],
};

/** Most parameters of one sequence that are looked at. */
const mostParameters = 64;

function applyGraphics(style: AnsiStyle, text: string): AnsiStyle {
  // Private sequences (`ESC [ > … m`) set keyboard modes and no style.
  if (/[<-?]/.test(text)) return style;
  const numbers = text.split(/[;:]/, mostParameters).map((part) => Number(part === '' ? 0 : part));
  let next: Record<string, unknown> = { ...style };
  for (let index = 0; index < numbers.length; index += 1) {
    const code = numbers[index]!;
    if (code === 0) next = {};
    else if (flags[code] !== undefined) next[flags[code]] = true;
    else if (ends[code] !== undefined) for (const name of ends[code]) delete next[name];
    else if (code >= 30 && code <= 37) next.foreground = code - 30;
    else if (code >= 40 && code <= 47) next.background = code - 40;
    else if (code >= 90 && code <= 97) next.foreground = code - 82;
    else if (code >= 100 && code <= 107) next.background = code - 92;
    else if (code === 38 || code === 48) {
      const extended = readExtended(numbers, index + 1);
      if (extended.colour !== undefined) next[code === 38 ? 'foreground' : 'background'] = extended.colour;
      index = extended.last;
    }
  }
  return next as AnsiStyle;
}

/** `5;n` of 256 colours, or `2;r;g;b`. @returns the colour if it is one, and the index of its last parameter */
function readExtended(numbers: readonly number[], at: number): { colour?: AnsiColour; last: number } {
  const isByte = (value: number | undefined): value is number =>
    value !== undefined && Number.isInteger(value) && value >= 0 && value <= 255;
  if (numbers[at] === 5) {
    const index = numbers[at + 1];
    return isByte(index) ? { colour: colourOf(index), last: at + 1 } : { last: at + 1 };
  }
  if (numbers[at] === 2) {
    const [r, g, b] = [numbers[at + 1], numbers[at + 2], numbers[at + 3]];
    return isByte(r) && isByte(g) && isByte(b) ? { colour: { r, g, b }, last: at + 3 } : { last: at + 3 };
  }
  return { last: at };
}

/** The 256 colours of xterm: 16 of the palette, a cube of 6 × 6 × 6, and 24 greys. */
function colourOf(index: number): AnsiColour {
  if (index < 16) return index;
  if (index >= 232) {
    const level = 8 + (index - 232) * 10;
    return { r: level, g: level, b: level };
  }
  const level = (value: number) => (value === 0 ? 0 : 55 + value * 40);
  const cube = index - 16;
  return { r: level(Math.floor(cube / 36)), g: level(Math.floor(cube / 6) % 6), b: level(cube % 6) };
}
