/** One row of a log: number, time, text. Text only ever becomes text. */
import { memo, type ReactNode } from 'react';
import type { AnsiSpan, AnsiStyle } from './ansi.ts';
import { drawnColours, type Scheme } from './ansi-colour.ts';
import classes from './log.module.css';
import type { LogRow } from './log-buffer.ts';
import { findWords } from './log-search.ts';
import { mostDrawn, styleLine } from './log-style.ts';

interface RowProps {
  readonly row: LogRow;
  /** The style that the lines before left. */
  readonly start: AnsiStyle;
  /** Pixels from the window's upper edge. */
  readonly top: number;
  readonly scheme: Scheme;
  /** Words that are searched, in lower case. */
  readonly words: string;
  readonly selected: boolean;
  readonly times: boolean;
}

export const Row = memo(function Row({ row, start, top, scheme, words, selected, times }: RowProps) {
  const style = { transform: `translateY(${top}px)` };
  if (row.kind === 'gap') {
    return (
      <div className={classes.row} style={style} data-kind="gap">
        <span className={classes.number} />
        <span className={classes.gap}>… {row.count.toLocaleString('en')} lines skipped</span>
      </div>
    );
  }
  const number = row.kind === 'line' ? row.line.line : row.number;
  return (
    <div
      className={classes.row}
      style={style}
      data-line={number}
      data-selected={selected}
      data-stream={row.kind === 'line' ? row.line.stream : undefined}
    >
      <span className={classes.number}>{number + 1}</span>
      {row.kind === 'line' ? (
        <>
          {times && <span className={classes.time}>{row.line.at.slice(11, 23)}</span>}
          <span className={classes.text}>
            {styleLine(row.line, start).spans.map((span, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: spans of a line never move
              <Span key={index} span={span} scheme={scheme} words={words} />
            ))}
            {row.line.partial && (
              <span className={classes.code} title="The line goes on in the next row">
                {' '}
                …
              </span>
            )}
            {row.line.text.length > mostDrawn && (
              <span className={classes.code}>
                {' '}
                … {(row.line.text.length - mostDrawn).toLocaleString('en')} more characters, in the download
              </span>
            )}
          </span>
        </>
      ) : (
        <span className={classes.missing}>…</span>
      )}
    </div>
  );
});

function Span({ span, scheme, words }: { readonly span: AnsiSpan; readonly scheme: Scheme; readonly words: string }) {
  if (span.code) return <span className={classes.code}>{span.text}</span>;
  const content = words === '' ? span.text : markWords(span.text, words);
  const { style } = span;
  if (Object.keys(style).length === 0) return <>{content}</>;
  const { colour, background } = drawnColours(style, scheme);
  return (
    <span
      style={{
        color: colour,
        backgroundColor: background,
        fontWeight: style.bold ? 600 : undefined,
        fontStyle: style.italic ? 'italic' : undefined,
        textDecoration:
          [style.underline && 'underline', style.strike && 'line-through'].filter(Boolean).join(' ') || undefined,
      }}
    >
      {content}
    </span>
  );
}

function markWords(text: string, words: string): ReactNode {
  const places = findWords(text, words);
  if (places.length === 0) return text;
  const parts: ReactNode[] = [];
  let at = 0;
  for (const [start, end] of places) {
    parts.push(text.slice(at, start), <mark key={start}>{text.slice(start, end)}</mark>);
    at = end;
  }
  parts.push(text.slice(at));
  return parts;
}
