/**
 * Log lines as they travel and are kept: JSON lines `{n, t, s, d, p?}`, numbered from 0 without gaps.
 *
 * A frame is taken only where the stream stands: what overlaps was taken before and is cut off, what begins later is
 * refused whole and the agent told where to begin again. So no line is lost or doubled, however often it reconnects.
 */

/** One record of a log. */
export interface LogLine {
  /** Number of the line, from 0. */
  readonly n: number;
  /** Node's wall clock, milliseconds since 1970. */
  readonly t: number;
  readonly s: 'out' | 'err';
  readonly d: string;
  /** The line goes on in the next record of the same stream. */
  readonly p?: true;
}

export interface LogFrame {
  readonly firstLine: number;
  readonly lineCount: number;
  readonly lines: string;
  readonly complete: boolean;
}

export type FittedFrame =
  /** Nothing new, or a gap: the stream stays where it is. */
  | { readonly kind: 'nothing'; readonly nextLine: number; readonly complete: boolean }
  | {
      readonly kind: 'chunk';
      readonly firstLine: number;
      readonly lineCount: number;
      readonly lines: string;
      readonly nextLine: number;
      readonly complete: boolean;
    }
  /** Not what it claims to be. */
  | { readonly kind: 'garbled' };

/** What of a frame a stream that stands at `nextLine` takes. */
export function fitFrame(frame: LogFrame, nextLine: number): FittedFrame {
  const lines = frame.lines === '' ? [] : frame.lines.replace(/\n$/, '').split('\n');
  if (lines.length !== frame.lineCount) return { kind: 'garbled' };
  if (!lines.every((line, index) => parseLogLine(line)?.n === frame.firstLine + index)) return { kind: 'garbled' };
  const end = frame.firstLine + frame.lineCount;
  if (frame.firstLine > nextLine) return { kind: 'nothing', nextLine, complete: false };
  if (end <= nextLine) return { kind: 'nothing', nextLine, complete: frame.complete && end === nextLine };
  const fresh = lines.slice(nextLine - frame.firstLine);
  return {
    kind: 'chunk',
    firstLine: nextLine,
    lineCount: fresh.length,
    lines: `${fresh.join('\n')}\n`,
    nextLine: end,
    complete: frame.complete,
  };
}

/** Reads one record, or undefined when it is none. */
export function parseLogLine(text: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { n, t, s, d, p } = value as Record<string, unknown>;
    if (!Number.isSafeInteger(n) || !Number.isSafeInteger(t) || typeof d !== 'string') return undefined;
    if (s !== 'out' && s !== 'err') return undefined;
    return { n: n as number, t: t as number, s, d, ...(p === true && { p }) };
  } catch {
    return undefined;
  }
}
