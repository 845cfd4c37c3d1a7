/** The narrow form of a DataTable: a list of cards, each with the row's name and its other columns beneath. */
import { Button, Checkbox } from '@mantine/core';
import './inputs.css';
import { useEffect } from 'react';
import type { GridPart } from './data-grid.tsx';
import classes from './data-table.module.css';

/** Most cards whose changes are asked for. */
const mostVisible = 100;

export function DataCards<Row>(props: GridPart<Row>) {
  const { label, table, shown, selection, rowId, hasMore = false, loadingMore = false, onMore, onVisible } = props;
  const { rows } = table.getRowModel();
  const seen = rows
    .slice(0, mostVisible)
    .map(({ id }) => id)
    .join(' ');
  useEffect(() => onVisible?.(seen === '' ? [] : seen.split(' ')), [seen, onVisible]);
  const title = shown.find(({ primary }) => primary) ?? shown[0];
  const others = shown.filter((column) => column !== title);
  return (
    <div className={classes.cards} data-frame={props.frame ?? true}>
      <ul aria-label={label}>
        {rows.map((row) => {
          const original = row.original.row;
          return (
            <li key={row.id} className={classes.card}>
              <div className={classes.title}>
                {selection && (
                  <Checkbox
                    size="sm"
                    aria-label={`Choose ${props.rowName?.(original) ?? rowId(original)}`}
                    checked={row.getIsSelected()}
                    onChange={(event) => row.toggleSelected(event.currentTarget.checked)}
                  />
                )}
                {title?.cell(original)}
              </div>
              <dl>
                {others.map((column) => (
                  <div key={column.id}>
                    <dt>{column.header}</dt>
                    <dd>{column.cell(original)}</dd>
                  </div>
                ))}
              </dl>
            </li>
          );
        })}
      </ul>
      {hasMore && (
        <Button variant="default" loading={loadingMore} onClick={onMore}>
          Load more
        </Button>
      )}
    </div>
  );
}
