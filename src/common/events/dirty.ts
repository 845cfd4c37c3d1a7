/**
 * Dirty keys: the feed by which loops learn which rows to look at again.
 *
 * Written in the transaction that changes the row, read by any number of processes, each with a cursor of its own. A key
 * carries no data: the reader looks at the row, so a key that comes twice or late costs a look and nothing else. Rows live in
 * six slots of ten minutes that are truncated in rotation; whoever was away longer reads all rows again (`reset`).
 */
import { type Database, type Queryable, type Tx, withSystem } from '../database/index.ts';
import { beyondHorizon, type Cursor } from './cursor.ts';

/** What readers get: keys by kind, each once; or the order to read everything again. The cursor is for the next read. */
export type DirtyBatch =
  | { readonly kind: 'keys'; readonly keys: ReadonlyMap<string, readonly string[]>; readonly cursor: Cursor }
  | { readonly kind: 'reset'; readonly cursor: Cursor };

/** Marks rows as changed, in the caller's transaction. `kind` names what the keys are ids of: job, node, attempt, site. */
export async function writeDirty(tx: Queryable, kind: string, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  await tx.query('insert into feed_dirty (kind, key) select $1, key from unnest($2::text[]) as key', [kind, [...keys]]);
}

/**
 * The cursor of a transaction's snapshot. Taken in the repeatable-read transaction that also reads the rows, it continues
 * exactly where that picture ends.
 */
export async function currentCursor(tx: Queryable): Promise<Cursor> {
  const { rows } = await tx.query<{ cursor: Cursor }>('select pg_current_snapshot()::text as cursor');
  return rows[0]!.cursor;
}

// One row at least, so that the cursor comes also when nothing is new. Keys as arrays of text: to gather ten thousand of them
// into one jsonb takes the database most of a second.
const readStatement = `
  select state.cursor, state.reset, unseen.kind, unseen.keys
  from (select pg_current_snapshot()::text as cursor, ${beyondHorizon('$1', 'dirty')} as reset) as state
  left join lateral (
    select kind, array_agg(key) as keys from feed_unseen_keys($1::pg_snapshot, $2::text[])
    where not state.reset group by kind
  ) as unseen on true`;

/**
 * Reads what became dirty since the cursor, whole, in one statement and never inside a caller's transaction: an older snapshot
 * could not see that a slot was truncated meanwhile.
 */
export async function readDirty(db: Database, kinds: readonly string[], cursor: Cursor): Promise<DirtyBatch> {
  const { rows } = await db.system.query<{ cursor: Cursor; reset: boolean; kind: string | null; keys: string[] }>(
    readStatement,
    [cursor, [...kinds]],
  );
  const first = rows[0]!;
  if (first.reset) return { kind: 'reset', cursor: first.cursor };
  const keys = new Map(rows.flatMap(({ kind, keys }) => (kind === null ? [] : [[kind, keys] as const])));
  return { kind: 'keys', keys, cursor: first.cursor };
}

/** A cursor with a memory: hands out batches and moves on only when a batch was dealt with. Starts with a reset. */
export class DirtyReader {
  readonly #db: Database;
  readonly #kinds: readonly string[];
  #cursor: Cursor | undefined;

  constructor(db: Database, kinds: readonly string[]) {
    this.#db = db;
    this.#kinds = kinds;
  }

  /** The next batch. The same again, and more, until `advance` is called with its cursor. */
  async read(): Promise<DirtyBatch> {
    if (this.#cursor === undefined) return { kind: 'reset', cursor: await currentCursor(this.#db.system) };
    return readDirty(this.#db, this.#kinds, this.#cursor);
  }

  /** Moves on: to the cursor of a batch, or of the repeatable-read transaction that read everything after a reset. */
  advance(cursor: Cursor): void {
    this.#cursor = cursor;
  }
}

/** Slots whose youngest row is older than this are thrown away; readers may be away for so long, seconds. */
export const dirtyKeptSeconds = 40 * 60;

const slots = [0, 1, 2, 3, 4, 5];
const lockPatienceMs = 200;

/**
 * Throws old slots away and records how far. Any process may do it, at any time; every few minutes is right.
 *
 * A slot is judged by its youngest row, not by the clock, so that a maintenance that comes late never takes fresh rows. A slot that
 * is in use is left for the next time rather than waited for: readers would queue behind the wait.
 *
 * @param keptSeconds as `dirtyKeptSeconds`; tests pass less
 * @returns the slots that were truncated
 */
export async function truncateOldDirty(db: Database, keptSeconds: number = dirtyKeptSeconds): Promise<number[]> {
  const truncated: number[] = [];
  for (const slot of slots) {
    try {
      const done = await withSystem(db, (tx) => truncateSlot(tx, `feed_dirty_${slot}`, keptSeconds), {
        lockTimeoutMs: lockPatienceMs,
      });
      if (done) truncated.push(slot);
    } catch (error) {
      if ((error as { code?: string }).code !== '55P03') throw error;
    }
  }
  return truncated;
}

async function truncateSlot(tx: Tx, table: string, keptSeconds: number): Promise<boolean> {
  // Asked this way a fresh slot answers with its first row; only one that is old is looked through, once.
  const isOld = `
    select exists (select from ${table}) and not exists (
      select from ${table} where at >= clock_timestamp() - make_interval(secs => $1)
    ) as old`;
  // First without a lock: most slots are fresh or empty most of the time.
  if (!(await tx.query<{ old: boolean }>(isOld, [keptSeconds])).rows[0]!.old) return false;
  // The horizon's row first and always: two maintainers meet here, and readers never lock it.
  await tx.query(`select from feed_horizons where feed = 'dirty' for update`);
  await tx.query(`lock table ${table} in access exclusive mode`);
  if (!(await tx.query<{ old: boolean }>(isOld, [keptSeconds])).rows[0]!.old) return false;
  await tx.query(`
    update feed_horizons
    set xid = greatest(xid, (select max(xid) from ${table})), snapshot = pg_current_snapshot()
    where feed = 'dirty'`);
  await tx.query(`truncate ${table}`);
  return true;
}
