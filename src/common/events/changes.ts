/**
 * What changed, without the details: which rows events were about. For readers that look at the rows anyhow and must keep up
 * with all tenants at once, such as the live connections.
 */
import type { Database, Queryable } from '../database/index.ts';
import { beyondHorizon, type Cursor, unseenBy } from './cursor.ts';

export interface Change {
  readonly tenant: string;
  /** Id of the row. */
  readonly subject: string;
  /** Greatest revision that an event spoke of. */
  readonly revision: bigint;
  /** When the oldest of the events was written, ms since 1970 by the database's clock. */
  readonly atMs: number;
}

export type ChangeBatch =
  | {
      readonly kind: 'changes';
      readonly changes: readonly Change[];
      /** Dirty keys of the kinds that were asked for, each once. */
      readonly dirty: ReadonlyMap<string, readonly string[]>;
      readonly cursor: Cursor;
    }
  | { readonly kind: 'reset'; readonly cursor: Cursor };

// One row at least, so that the cursor comes also when nothing happened; one statement, so that both feeds are of one moment.
const readStatement = `
  select state.cursor, state.reset, item.*
  from (
    select pg_current_snapshot()::text as cursor,
      ${beyondHorizon('$1', 'events')} or ${beyondHorizon('$1', 'dirty')} as reset
  ) as state
  left join lateral (
    select tenant, subject, revision, at_ms as "atMs", null as kind
    from feed_unseen_subjects($1::pg_snapshot, $3::text[]) where not state.reset
    union all
    select null, key, 0, 0, kind from feed_unseen_keys($1::pg_snapshot, $2::text[]) where not state.reset
  ) as item on true`;

interface ReadRow {
  cursor: Cursor;
  reset: boolean;
  tenant: string | null;
  subject: string | null;
  revision: bigint;
  atMs: number;
  kind: string | null;
}

/** Reads which rows of tenants changed since the cursor, whole. For system loops. */
export async function readChanges(
  db: Database,
  tenants: readonly string[],
  dirtyKinds: readonly string[],
  cursor: Cursor,
): Promise<ChangeBatch> {
  // Named, so that each connection plans it once: it runs many times a second while somebody looks on.
  const statement = { name: 'read changes', text: readStatement, values: [cursor, [...dirtyKinds], [...tenants]] };
  const { rows } = await db.system.query<ReadRow>(statement);
  const first = rows[0]!;
  if (first.reset) return { kind: 'reset', cursor: first.cursor };
  const changes: Change[] = [];
  const dirty = new Map<string, string[]>();
  for (const { tenant, subject, revision, atMs, kind } of rows) {
    if (subject === null) continue;
    if (tenant !== null) changes.push({ tenant, subject, revision, atMs });
    else if (kind !== null) {
      const keys = dirty.get(kind);
      if (keys) keys.push(subject);
      else dirty.set(kind, [subject]);
    }
  }
  return { kind: 'changes', changes, dirty, cursor: first.cursor };
}

/** Whether text from outside has the form of a cursor, so that the database can read it. */
export function isCursor(text: string): boolean {
  const match = /^(\d{1,19}):(\d{1,19}):((?:\d{1,19},)*\d{1,19})?$/.exec(text);
  if (match === null || text.length > 16_384) return false;
  const [least, next] = [BigInt(match[1]!), BigInt(match[2]!)];
  const open = (match[3] ?? '').split(',').filter(Boolean).map(BigInt);
  return (
    least > 0n &&
    least <= next &&
    open.every((xid, index) => xid >= least && xid < next && (index === 0 || open[index - 1]! < xid))
  );
}

/**
 * Ids with a prefix that events of one tenant were about since a cursor, at most `limit` of them.
 * @returns undefined when the cursor cannot be continued, or more than `limit` changed
 */
export async function changedSince(
  db: Queryable,
  tenant: string,
  cursor: Cursor,
  options: { readonly prefix: string; readonly limit: number },
): Promise<string[] | undefined> {
  const { rows } = await db.query<{ reset: boolean; subject: string | null }>(
    `select state.reset, item.subject
     from (select ${beyondHorizon('$1', 'events')} as reset) as state
     left join lateral (
       select distinct subject from feed_events
       where not state.reset and tenant = $2 and ${unseenBy('$1')} and starts_with(subject, $3) limit $4
     ) as item on true`,
    [cursor, tenant, options.prefix, options.limit + 1],
  );
  if (rows[0]!.reset || rows.length > options.limit) return undefined;
  return rows.flatMap(({ subject }) => (subject === null ? [] : [subject]));
}
