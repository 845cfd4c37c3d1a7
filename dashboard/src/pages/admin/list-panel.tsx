/** A tab of the admin page: a list with what makes a new one above it. */
import type { ReactNode } from 'react';
import { type Column, DataTable } from '../../ui/data-table.tsx';
import { type EmptyText, Panel } from '../../ui/panel.tsx';
import type { List } from './use-list.ts';

interface ListPanelProps<Row> {
  readonly title: string;
  readonly list: List<Row>;
  readonly columns: readonly Column<Row>[];
  readonly rowId: (row: Row) => string;
  readonly rowName: (row: Row) => string;
  readonly empty: EmptyText;
  readonly actions?: ReactNode;
  /** Above the table: what was made, or what the list is about. */
  readonly children?: ReactNode;
}

export function ListPanel<Row>(props: ListPanelProps<Row>) {
  const { title, list, columns, rowId, rowName, empty, actions, children } = props;
  return (
    <Panel title={title} query={list} isEmpty={(rows) => rows.length === 0} empty={empty} actions={actions}>
      {(rows) => (
        <>
          {children}
          <DataTable
            label={title}
            columns={columns}
            rows={rows}
            rowId={rowId}
            rowName={rowName}
            hasMore={list.hasMore}
            loadingMore={list.loadingMore}
            onMore={list.more}
            maxHeight={640}
          />
        </>
      )}
    </Panel>
  );
}
