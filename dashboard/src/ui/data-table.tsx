/**
 * A table of any length: virtual rows, keyset paging at its end, a grid for the keyboard, cards on a narrow screen.
 *
 * The columns shown and the rows chosen are the page's own state, because addresses and local storage hold them. Rows are
 * patched by handing in new objects for those that changed; a row whose object is the same is not drawn again.
 */

import { useMediaQuery } from '@mantine/hooks';
import {
  columnVisibilityFeature,
  createColumnHelper,
  rowSelectionFeature,
  type Table,
  tableFeatures,
  useTable,
} from '@tanstack/react-table';
import { type ReactNode, useMemo } from 'react';
import { DataCards } from './data-cards.tsx';
import { DataGrid } from './data-grid.tsx';

export interface Column<Row> {
  readonly id: string;
  readonly header: string;
  readonly cell: (row: Row) => ReactNode;
  /** Track of the CSS grid, like `minmax(160px, 2fr)`; default `minmax(96px, 1fr)`. */
  readonly width?: string;
  /** `end` for numbers. */
  readonly align?: 'end';
  /** The name of the row: title of its card, header of its row. One column has it. */
  readonly primary?: true;
}

export type Density = 'comfortable' | 'compact';

export interface Selection {
  readonly chosen: ReadonlySet<string>;
  readonly onChange: (chosen: ReadonlySet<string>) => void;
}

export interface DataTableProps<Row> {
  /** What is listed, for those who cannot see it. */
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly rowId: (row: Row) => string;
  /** Words that name a row, for its checkbox. */
  readonly rowName?: (row: Row) => string;
  /** Ids of columns that are not shown. */
  readonly hidden?: ReadonlySet<string>;
  readonly density?: Density;
  readonly selection?: Selection;
  /** Whether there are rows after these. */
  readonly hasMore?: boolean;
  readonly loadingMore?: boolean;
  /** Asks for them; called when the end comes in sight. */
  readonly onMore?: () => void;
  /** Ids of the rows on the screen, whenever they change. */
  readonly onVisible?: (ids: readonly string[]) => void;
  /** Whether it draws a frame; not where a panel does. Default true. */
  readonly frame?: boolean;
  /** Tallest the grid may grow, px; default: the room that its parent gives. */
  readonly maxHeight?: number;
}

const features = tableFeatures({ columnVisibilityFeature, rowSelectionFeature });
export type GridTable<Row> = Table<typeof features, { row: Row }>;
/** TanStack wants records; a row may be any type. */
interface Wrapped<Row> {
  readonly row: Row;
}

const none: ReadonlySet<string> = new Set();

const marked = (ids: ReadonlySet<string>): Record<string, true> =>
  Object.fromEntries([...ids].map((id) => [id, true] as const));

export function DataTable<Row>(props: DataTableProps<Row>) {
  const { columns, rows, rowId, hidden = none, selection } = props;
  const narrow = useMediaQuery('(max-width: 719px)', false, { getInitialValueInEffect: false });
  const wrapped = useWrapped(rows, rowId);
  const definitions = useMemo(() => {
    const helper = createColumnHelper<typeof features, Wrapped<Row>>();
    return columns.map((column) => helper.display({ id: column.id, header: column.header, cell: () => null }));
  }, [columns]);
  const table = useTable({
    features,
    columns: definitions,
    data: wrapped,
    getRowId: ({ row }: Wrapped<Row>) => rowId(row),
    enableRowSelection: selection !== undefined,
    state: {
      columnVisibility: Object.fromEntries([...hidden].map((id) => [id, false])),
      rowSelection: marked(selection?.chosen ?? none),
    },
    onRowSelectionChange: (updater) => {
      if (!selection) return;
      const before = marked(selection.chosen);
      const after = typeof updater === 'function' ? updater(before) : updater;
      selection.onChange(new Set(Object.keys(after).filter((id) => after[id])));
    },
  });
  const shown = useMemo(() => columns.filter(({ id }) => !hidden.has(id)), [columns, hidden]);
  const part = { ...props, table: table as unknown as GridTable<Row>, shown };
  return narrow ? <DataCards {...part} /> : <DataGrid {...part} />;
}

/** Wraps rows so that a row that stayed the same keeps its wrapping. */
function useWrapped<Row>(rows: readonly Row[], rowId: (row: Row) => string): Wrapped<Row>[] {
  const known = useMemo(() => new Map<string, Wrapped<Row>>(), []);
  return useMemo(() => {
    const list = rows.map((row) => {
      const id = rowId(row);
      const before = known.get(id);
      const wrapped = before?.row === row ? before : { row };
      known.set(id, wrapped);
      return wrapped;
    });
    if (known.size > 2 * rows.length + 100) {
      const ids = new Set(rows.map(rowId));
      for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
    }
    return list;
  }, [rows, rowId, known]);
}
