/**
 * Which rows of a very long list are on screen, and how the scroll bar stands.
 *
 * A browser's element ends at some 16–33 million pixels, which a log of two million lines passes. Up to a limit every row has its
 * own pixels; beyond it the bar is a map: dragging it moves by shares of the log, while wheel and keys move by rows,
 * because a row that cannot be reached is a line that cannot be read.
 */

/** Most pixels of the scrolled element. */
export const mostPixels = 8_000_000;

export interface Geometry {
  readonly rowCount: number;
  /** Pixels of a row, > 0. */
  readonly rowHeight: number;
  /** Pixels of the window, ≥ 0. */
  readonly height: number;
}

/** Pixels that the scrolled element has. */
export function contentHeight({ rowCount, rowHeight }: Geometry): number {
  return Math.min(mostPixels, rowCount * rowHeight);
}

/** Highest row that can stand on top; a fraction, so that the last row ends at the bottom. */
export function lastTop({ rowCount, rowHeight, height }: Geometry): number {
  return Math.max(0, rowCount - height / rowHeight);
}

/** The row on top, a fraction, for a place of the scroll bar. */
export function topOfScroll(geometry: Geometry, scrollTop: number): number {
  const range = contentHeight(geometry) - geometry.height;
  if (range <= 0) return 0;
  return clamp((scrollTop / range) * lastTop(geometry), 0, lastTop(geometry));
}

/** The place of the scroll bar for a row on top. */
export function scrollOfTop(geometry: Geometry, top: number): number {
  const last = lastTop(geometry);
  if (last <= 0) return 0;
  return (clamp(top, 0, last) / last) * (contentHeight(geometry) - geometry.height);
}

/** Rows to draw for a row on top, with some more on both sides. */
export function visibleRows(
  geometry: Geometry,
  top: number,
  more = 10,
): { readonly from: number; readonly to: number } {
  const first = Math.floor(top);
  const shown = Math.ceil(geometry.height / geometry.rowHeight) + 1;
  return { from: Math.max(0, first - more), to: Math.min(geometry.rowCount, first + shown + more) };
}

/** Pixels from the window's upper edge to a row. */
export function offsetOf(geometry: Geometry, top: number, row: number): number {
  return (row - top) * geometry.rowHeight;
}

/** Whether the end is in sight, within half a row. */
export function isAtEnd(geometry: Geometry, top: number): boolean {
  return top >= lastTop(geometry) - 0.5;
}

/** The row on top after a key; undefined when the key does not scroll. */
export function topAfterKey(geometry: Geometry, top: number, key: string): number | undefined {
  const page = Math.max(1, Math.floor(geometry.height / geometry.rowHeight) - 1);
  const moves: Readonly<Record<string, number>> = {
    ArrowDown: top + 1,
    ArrowUp: top - 1,
    PageDown: top + page,
    PageUp: top - page,
    Home: 0,
    End: Number.POSITIVE_INFINITY,
  };
  const next = moves[key];
  return next === undefined ? undefined : clamp(next, 0, lastTop(geometry));
}

/** The row on top that brings a row into the middle of the window. */
export function topToCentre(geometry: Geometry, row: number): number {
  return clamp(row - (geometry.height / geometry.rowHeight - 1) / 2, 0, lastTop(geometry));
}

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
