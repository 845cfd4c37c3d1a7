/**
 * Search in a log of any length: page after page is read and forgotten, only the numbers of matching lines stay.
 *
 * The words are searched as they are written, without regard to case, in the text as it is shown (colours do not part a
 * word). Matches are bounded; whoever searches for "e" in a million lines is told that there are more.
 */
import { plainText } from './ansi.ts';
import type { LogLine } from './log-buffer.ts';

/** Most matching lines that are remembered. */
export const mostMatches = 20_000;

export interface SearchState {
  readonly words: string;
  /** Numbers of the lines that match, ascending. */
  readonly matches: readonly number[];
  /** Lines before this one have been searched. */
  readonly searched: number;
  /** There are more matches than are remembered. */
  readonly cut: boolean;
}

/** A search that has seen nothing yet; undefined for no words. */
export function beginSearch(words: string): SearchState | undefined {
  const trimmed = words.trim().toLowerCase();
  return trimmed === '' ? undefined : { words: trimmed, matches: [], searched: 0, cut: false };
}

/**
 * Takes the next lines, in order.
 * @param nextLine where the page ends, ≥ the state's `searched`
 */
export function searchLines(state: SearchState, lines: readonly LogLine[], nextLine: number): SearchState {
  const room = mostMatches - state.matches.length;
  const found = lines
    .filter(
      ({ line }, index) =>
        line >= state.searched && line < nextLine && matchesWords(wholeText(lines, index), state.words),
    )
    .map(({ line }) => line);
  return {
    words: state.words,
    matches: found.length === 0 ? state.matches : [...state.matches, ...found.slice(0, room)],
    searched: Math.max(state.searched, nextLine),
    cut: state.cut || found.length > room,
  };
}

/** A line that goes on in the next record of its stream is searched with that, so that no word is cut in two. */
function wholeText(lines: readonly LogLine[], index: number): string {
  const { text, partial, stream } = lines[index]!;
  const next = partial ? lines.slice(index + 1, index + 3).find((line) => line.stream === stream) : undefined;
  return next === undefined ? text : text + next.text;
}

const matchesWords = (text: string, words: string): boolean => plainText(text).toLowerCase().includes(words);

/** Index of the match to show next. @param direction 1 forwards, -1 backwards; wraps around */
export function nextMatch(matches: readonly number[], fromLine: number, direction: 1 | -1): number {
  if (matches.length === 0) return -1;
  if (direction === 1) {
    const index = matches.findIndex((line) => line > fromLine);
    return Math.max(index, 0);
  }
  const index = matches.findLastIndex((line) => line < fromLine);
  return index < 0 ? matches.length - 1 : index;
}

/** Where words stand in a shown text: `[start, end)` pairs that do not overlap. */
export function findWords(text: string, words: string): [number, number][] {
  const found: [number, number][] = [];
  const lower = text.toLowerCase();
  // A letter may become longer in lower case; then places would not agree and nothing is marked.
  if (words === '' || lower.length !== text.length) return found;
  for (let at = lower.indexOf(words); at >= 0; at = lower.indexOf(words, at + words.length)) {
    found.push([at, at + words.length]);
  }
  return found;
}
