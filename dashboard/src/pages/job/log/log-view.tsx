/**
 * The window over a log: draws the rows on screen and no others, follows the end, moves by mouse, touch and keys.
 *
 * The place in the log is a row, not a pixel: rows hang in a layer that stays in sight, and the scroll bar only says where
 * they are (viewport.ts). So a log of a hundred million lines scrolls like one of a hundred.
 */
import { useComputedColorScheme } from '@mantine/core';
import {
  type KeyboardEvent,
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';
import { type AnsiStyle, plain } from './ansi.ts';
import classes from './log.module.css';
import type { LogFeed } from './log-feed.ts';
import { Row } from './log-row.tsx';
import { mostDrawn, styleBefore, styleLine } from './log-style.ts';
import {
  contentHeight,
  type Geometry,
  isAtEnd,
  lastTop,
  mostPixels,
  offsetOf,
  scrollOfTop,
  topAfterKey,
  topOfScroll,
  topToCentre,
  visibleRows,
} from './viewport.ts';

const rowHeight = 20;

interface LogViewProps {
  readonly feed: LogFeed;
  readonly label: string;
  readonly follow: boolean;
  readonly onFollow: (follow: boolean) => void;
  readonly words: string;
  readonly times: boolean;
  /** Line that is marked, from 0. */
  readonly selected: number | null;
  readonly onSelect: (line: number) => void;
  /** Line to bring into sight; a new object for each wish. */
  readonly goTo: { readonly line: number } | null;
}

export function LogView({ feed, label, follow, onFollow, words, times, selected, onSelect, goTo }: LogViewProps) {
  useSyncExternalStore(feed.subscribe, feed.version);
  const scheme = useComputedColorScheme('light');
  const scroller = useRef<HTMLDivElement>(null);
  const [height, setHeight] = useState(400);
  const [top, setTop] = useState(0);
  /** Place of the bar that we set ourselves: its event is no wish of the person. */
  const ownScroll = useRef(-1);
  const { buffer } = feed;
  const { rowCount } = buffer;
  const geometry: Geometry = { rowCount, rowHeight, height };
  const place = Math.min(follow ? lastTop(geometry) : top, lastTop(geometry));
  const range = visibleRows(geometry, place);

  const moveTo = useCallback(
    (next: number) => {
      setTop(next);
      onFollow(isAtEnd({ rowCount, rowHeight, height }, next));
    },
    [rowCount, height, onFollow],
  );

  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const wanted = Math.round(scrollOfTop(geometry, place));
    if (Math.abs(element.scrollTop - wanted) > 1) {
      element.scrollTop = wanted;
      ownScroll.current = element.scrollTop;
    }
  });

  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useEffect(() => feed.want(range.from, range.to));

  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each wish
  useEffect(() => {
    if (goTo === null) return;
    setTop(topToCentre(geometry, buffer.rowOf(goTo.line)));
    onFollow(false);
  }, [goTo]);

  // React listens passively to wheels; where a pixel stands for many rows, the wheel must move by rows instead.
  const isMap = contentHeight(geometry) >= mostPixels;
  useEffect(() => {
    const element = scroller.current;
    if (!element || !isMap) return;
    const onWheel = (event: WheelEvent) => {
      if (event.deltaY === 0 || event.ctrlKey) return;
      event.preventDefault();
      const rows = event.deltaMode === 1 ? event.deltaY : event.deltaY / rowHeight;
      moveTo(Math.min(Math.max(0, place + rows), lastTop({ rowCount, rowHeight, height })));
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  }, [isMap, moveTo, place, rowCount, height]);

  const onScroll = () => {
    const element = scroller.current;
    if (!element || element.scrollTop === ownScroll.current) return;
    ownScroll.current = -1;
    if (Math.abs(element.scrollTop - scrollOfTop(geometry, place)) <= 1) return;
    moveTo(topOfScroll(geometry, element.scrollTop));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const next = topAfterKey(geometry, place, event.key);
    if (next === undefined) return;
    event.preventDefault();
    moveTo(next);
  };
  const onClick = (event: React.MouseEvent) => {
    const line = (event.target as Element).closest('[data-line]')?.getAttribute('data-line');
    // Marking text is no click on a line.
    if (line && window.getSelection()?.isCollapsed !== false) onSelect(Number(line));
  };

  const rows = [];
  let columns = 0;
  /** What the last row of a stream left switched on. */
  const left = new Map<string, AnsiStyle>();
  for (let index = range.from; index < range.to; index += 1) {
    const row = buffer.row(index);
    const number = row.kind === 'line' ? row.line.line : row.kind === 'missing' ? row.number : -1;
    let start = plain;
    if (row.kind === 'line') {
      start = left.get(row.line.stream) ?? styleBefore(buffer, row.line);
      left.set(row.line.stream, styleLine(row.line, start).end);
    } else left.clear();
    if (row.kind === 'line') columns = Math.max(columns, Math.min(row.line.text.length, mostDrawn + 60));
    rows.push(
      <Row
        key={number < 0 ? `gap ${index}` : number}
        row={row}
        start={start}
        top={offsetOf(geometry, place, index)}
        scheme={scheme}
        words={words}
        selected={number === selected}
        times={times}
      />,
    );
  }
  return (
    <div
      ref={scroller}
      className={classes.scroller}
      role="log"
      aria-live="off"
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reached by keyboard
      tabIndex={0}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
      onClick={onClick}
      data-rows={rowCount}
    >
      <div
        className={classes.content}
        style={{
          height: contentHeight(geometry),
          minWidth: `calc(${columns + (times ? 14 : 0)}ch + 88px)`,
        }}
      >
        <div className={classes.layer} style={{ height: Math.min(height, contentHeight(geometry)) }}>
          {rows}
        </div>
      </div>
    </div>
  );
}
