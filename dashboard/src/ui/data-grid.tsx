// biome-ignore-all lint/a11y/useSemanticElements: rows that lie where they are scrolled to cannot be those of a <table>
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid is one tab stop, only the active cell can be reached by Tab
/**
 * The wide form of a DataTable: an ARIA grid with one tab stop, whose cells the arrow keys walk, rows drawn only where they
 * are seen. Focus lies on what a cell holds (a link, a checkbox) or on the cell itself.
 */
import { Checkbox } from '@mantine/core';
import './inputs.css';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, type MouseEvent, memo, useEffect, useLayoutEffect, useRef, useState } from 'react';
import classes from './data-table.module.css';
import type { Column, DataTableProps, GridTable } from './data-table.tsx';
import { type CellPlace, moveBy } from './grid-keys.ts';

export interface GridPart<Row> extends DataTableProps<Row> {
  readonly table: GridTable<Row>;
  readonly shown: readonly Column<Row>[];
}

/** Height of a row, px. */
const heights = { comfortable: 40, compact: 32 } as const;
const headerHeight = 36;
/** So many rows before the end the next page is asked for. */
const ahead = 20;
const focusable = 'a, button, input';

export function DataGrid<Row>(props: GridPart<Row>) {
  const { label, table, shown, selection, rowId, hasMore = false, loadingMore = false, onMore, onVisible } = props;
  const { density = 'comfortable', maxHeight } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const { rows } = table.getRowModel();
  const height = heights[density];
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    getItemKey: (index) => rows[index]?.id ?? index,
    overscan: 8,
    paddingStart: 0,
    scrollPaddingStart: headerHeight,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new height makes every measure void
  useEffect(() => virtual.measure(), [height]);
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? -1;
  useEffect(() => {
    if (hasMore && !loadingMore && last >= rows.length - ahead) onMore?.();
  }, [hasMore, loadingMore, last, rows.length, onMore]);
  const seen = items.map(({ index }) => rows[index]?.id ?? '').join(' ');
  useEffect(() => onVisible?.(seen === '' ? [] : seen.split(' ')), [seen, onVisible]);

  const offset = selection ? 1 : 0;
  const size = { rows: rows.length, columns: shown.length + offset, page: 10 };
  const { active, wanted, setActive, go } = useActiveCell(scroller, (row) => virtual.scrollToIndex(row));
  const onKeyDown = (event: KeyboardEvent) => {
    const next = moveBy(event.key, event.ctrlKey || event.metaKey, active, size);
    if (next === null || event.altKey) return;
    // A row that has no checkbox in its header or no header to stand on keeps the focus where it is.
    event.preventDefault();
    go(next.row < 0 && !selection ? { ...next, row: 0 } : next);
  };
  const onFocus = (event: { target: EventTarget }) => {
    const place = placeOf(event.target as HTMLElement);
    if (place && (place.row !== active.row || place.column !== active.column)) setActive(place);
  };
  useFocusWhenDrawn(scroller, wanted, seen);

  const columns = [...(selection ? ['40px'] : []), ...shown.map(({ width }) => width ?? 'minmax(96px, 1fr)')].join(' ');
  return (
    <div
      ref={scroller}
      className={classes.grid}
      data-density={density}
      data-frame={props.frame ?? true}
      style={{ '--columns': columns, '--row': `${height}px`, maxHeight } as React.CSSProperties}
      role="grid"
      aria-label={label}
      aria-rowcount={hasMore ? -1 : rows.length + 1}
      aria-colcount={size.columns}
      aria-multiselectable={selection !== undefined}
      aria-busy={loadingMore}
      onKeyDown={onKeyDown}
      onFocus={onFocus}
      tabIndex={rows.length === 0 ? 0 : -1}
    >
      <div role="row" aria-rowindex={1} className={classes.header}>
        {selection && (
          <div role="columnheader" data-cell="-1:0" className={classes.check} tabIndex={-1}>
            <Checkbox
              size="xs"
              aria-label="Choose all that are loaded"
              checked={table.getIsAllRowsSelected()}
              indeterminate={table.getIsSomeRowsSelected() && !table.getIsAllRowsSelected()}
              onChange={(event) => table.toggleAllRowsSelected(event.currentTarget.checked)}
              tabIndex={active.row === -1 && active.column === 0 ? 0 : -1}
            />
          </div>
        )}
        {shown.map((column, index) => (
          <div
            key={column.id}
            role="columnheader"
            className={column.align === 'end' ? classes.end : undefined}
            data-cell={`-1:${index + offset}`}
            tabIndex={-1}
          >
            {column.header}
          </div>
        ))}
      </div>
      <div role="rowgroup" className={classes.body} style={{ height: virtual.getTotalSize() }}>
        {items.map((item) => {
          const row = rows[item.index]!;
          const original = row.original.row;
          return (
            <GridRow
              key={row.id}
              index={item.index}
              top={item.start}
              row={original}
              name={props.rowName?.(original) ?? rowId(original)}
              columns={shown}
              active={active.row === item.index ? active.column : -1}
              chosen={selection ? row.getIsSelected() : null}
              onChoose={(event) => row.getToggleSelectedHandler()(event)}
            />
          );
        })}
      </div>
      {loadingMore && <p className={classes.more}>Loading more …</p>}
    </div>
  );
}

interface RowProps<Row> {
  readonly index: number;
  readonly top: number;
  readonly row: Row;
  readonly name: string;
  readonly columns: readonly Column<Row>[];
  /** Column of the active cell, −1 when it is in another row. */
  readonly active: number;
  readonly chosen: boolean | null;
  readonly onChoose: (event: MouseEvent) => void;
}

const GridRow = memo(
  function GridRow<Row>({ index, top, row, name, columns, active, chosen, onChoose }: RowProps<Row>) {
    const element = useRef<HTMLDivElement>(null);
    const offset = chosen === null ? 0 : 1;
    // The grid is one tab stop: of all that its cells hold, only what is in the active cell can be reached by Tab.
    useLayoutEffect(() => {
      for (const cell of element.current?.children ?? []) {
        const isActive = placeOf(cell as HTMLElement)?.column === active;
        const inside = cell.querySelectorAll<HTMLElement>(focusable);
        (cell as HTMLElement).tabIndex = isActive && inside.length === 0 ? 0 : -1;
        for (const one of inside) one.tabIndex = isActive ? 0 : -1;
      }
    });
    return (
      <div
        ref={element}
        role="row"
        aria-rowindex={index + 2}
        aria-selected={chosen ?? undefined}
        className={classes.row}
        style={{ transform: `translateY(${top}px)` }}
      >
        {chosen !== null && (
          <div role="gridcell" data-cell={`${index}:0`} className={classes.check}>
            {/* The click, not the change, knows whether Shift is held (a range). */}
            <Checkbox size="xs" aria-label={`Choose ${name}`} checked={chosen} onChange={() => {}} onClick={onChoose} />
          </div>
        )}
        {columns.map((column, at) => (
          <div
            key={column.id}
            role={column.primary ? 'rowheader' : 'gridcell'}
            data-cell={`${index}:${at + offset}`}
            className={column.align === 'end' ? classes.end : undefined}
          >
            {column.cell(row)}
          </div>
        ))}
      </div>
    );
  },
  (before, after) =>
    before.row === after.row &&
    before.columns === after.columns &&
    before.index === after.index &&
    before.top === after.top &&
    before.active === after.active &&
    before.chosen === after.chosen,
) as <Row>(props: RowProps<Row>) => React.ReactNode;

function placeOf(element: HTMLElement): CellPlace | null {
  const cell = element.closest<HTMLElement>('[data-cell]')?.dataset.cell;
  if (cell === undefined) return null;
  const [row, column] = cell.split(':').map(Number);
  return { row: row!, column: column! };
}

/** The active cell, and the one that shall get the focus as soon as it is drawn. */
function useActiveCell(scroller: React.RefObject<HTMLElement | null>, scrollTo: (row: number) => void) {
  const [active, setActive] = useState<CellPlace>({ row: 0, column: 0 });
  const wanted = useRef<CellPlace | null>(null);
  const go = (place: CellPlace) => {
    wanted.current = place;
    setActive(place);
    if (place.row >= 0) scrollTo(place.row);
    if (focusCell(scroller.current, place)) wanted.current = null;
  };
  return { active, wanted, setActive, go };
}

function useFocusWhenDrawn(
  scroller: React.RefObject<HTMLElement | null>,
  wanted: React.RefObject<CellPlace | null>,
  drawn: string,
): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: tried whenever other rows are drawn
  useLayoutEffect(() => {
    if (wanted.current && focusCell(scroller.current, wanted.current)) wanted.current = null;
  }, [drawn]);
}

function focusCell(scroller: HTMLElement | null, { row, column }: CellPlace): boolean {
  const cell = scroller?.querySelector<HTMLElement>(`[data-cell="${row}:${column}"]`);
  if (!cell) return false;
  (cell.querySelector<HTMLElement>(focusable) ?? cell).focus({ preventScroll: row >= 0 });
  return true;
}
