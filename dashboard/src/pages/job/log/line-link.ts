/** The address of a line of a log, in the fragment of the page's address: `#log=2.0.1234` (attempt, rank, line from 1). */

export interface LinePlace {
  /** Number of the attempt, from 1. */
  readonly attempt: number;
  readonly rank: number;
  /** Number of the line, from 0. */
  readonly line: number;
}

/** Writes the fragment with its `#`; people count lines from 1. */
export function lineFragment({ attempt, rank, line }: LinePlace): string {
  return `#log=${attempt}.${rank}.${line + 1}`;
}

/** Reads a fragment; undefined when it names no line. */
export function parseLineFragment(fragment: string): LinePlace | undefined {
  const match = /^#?log=(\d{1,7})\.(\d{1,4})\.(\d{1,15})$/.exec(fragment);
  if (!match) return undefined;
  const [attempt, rank, line] = match.slice(1).map(Number) as [number, number, number];
  return attempt >= 1 && line >= 1 ? { attempt, rank, line: line - 1 } : undefined;
}
