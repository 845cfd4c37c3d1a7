/**
 * Which tables a backup holds, in an order in which their foreign keys allow them to be filled.
 *
 * It is asked of the database and not listed, so that a table of tomorrow is in the backup of tomorrow. What is left out
 * is what means nothing elsewhere or later: unlogged tables (empty after a crash anyway), the feeds' positions,
 * sessions and leases of processes.
 */
import type { Queryable } from '../database/queryable.ts';

export interface Column {
  readonly name: string;
  readonly type: string;
}

export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
}

/** Tables whose rows are about running processes or positions in the feeds of this very server. */
const leftOut = [
  'schema_migrations',
  'feed_dirty',
  'feed_horizons',
  'metapod_sessions',
  'metapod_channels',
  'cmo_owners',
  'monitoring_cursors',
];

/** Tables to back up, those that others point to first. */
export async function tablesInOrder(tx: Queryable): Promise<Table[]> {
  const { rows } = await tx.query<Table>(
    `select c.relname as name,
            jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, null)) order by a.attnum) as columns
     from pg_class c
     join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and not c.relispartition
       and c.relpersistence = 'p' and c.relname <> all ($1)
     group by c.relname order by c.relname`,
    [leftOut],
  );
  const links = await tx.query<{ from: string; to: string }>(
    `select f.relname as from, t.relname as to
     from pg_constraint k join pg_class f on f.oid = k.conrelid join pg_class t on t.oid = k.confrelid
     where k.contype = 'f' and f.oid <> t.oid and f.relnamespace = 'public'::regnamespace`,
  );
  return inOrder(rows, links.rows);
}

/** @throws Error when foreign keys go round in a circle: then no order exists, and a migration must be changed */
export function inOrder(tables: readonly Table[], links: readonly { from: string; to: string }[]): Table[] {
  const left = new Map(tables.map((table) => [table.name, table]));
  const ordered: Table[] = [];
  while (left.size > 0) {
    const free = [...left.values()].filter(
      ({ name }) => !links.some((link) => link.from === name && left.has(link.to)),
    );
    if (free.length === 0) throw new Error(`foreign keys go round in a circle among ${[...left.keys()].join(', ')}`);
    for (const table of free) left.delete(table.name);
    ordered.push(...free);
  }
  return ordered;
}

/** A name as SQL takes it. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Transaction numbers belong to one server: 0 is one that every cursor has seen (contracts §2). */
export const selectOf = ({ name, columns }: Table): string =>
  `select ${columns.map((column) => (column.type === 'xid8' ? `'0'::xid8 as ${quoted(column.name)}` : quoted(column.name))).join(', ')} from ${quoted(name)}`;
