/**
 * Where a reader stands in a feed: everything that was committed when a certain snapshot was taken.
 *
 * Positions by serial number or timestamp skip rows, because transactions commit in another order than they start. Waiting for the
 * oldest open transaction skips none, but one forgotten transaction anywhere on the server then stops every reader. So rows carry
 * their transaction (`xid`), and a cursor is the snapshot of the reading statement itself: the next read takes the rows of
 * transactions that this snapshot did not see as ended, whole and without LIMIT, and each row exactly once.
 *
 * A cursor that comes from elsewhere (a restored database has other numbers) or from before rows were thrown away cannot
 * be continued; its reader reads everything again.
 */

/** A `pg_snapshot` as text, such as `766:770:766,768`. */
export type Cursor = string;

/** SQL: whether the transaction `xid` was not yet seen by the cursor in `$parameter`. Uses the index on xid. */
export function unseenBy(parameter: string): string {
  return `(xid >= pg_snapshot_xmax(${parameter}::pg_snapshot) or xid = any(array(select pg_snapshot_xip(${parameter}::pg_snapshot))))`;
}

/**
 * SQL: whether rows that the cursor in `$parameter` had not seen may be gone, or the cursor is not of this database.
 *
 * Gone are rows of transactions up to the horizon. The cursor has seen those below its xmax that were not in progress; one in
 * progress can have lost rows only if it had ended when they were thrown away.
 */
export function beyondHorizon(parameter: string, feed: 'dirty' | 'events'): string {
  return `(
    pg_snapshot_xmax(${parameter}::pg_snapshot) > pg_snapshot_xmax(pg_current_snapshot())
    or exists (
      select from feed_horizons h where h.feed = '${feed}' and (
        h.xid >= pg_snapshot_xmax(${parameter}::pg_snapshot)
        or exists (
          select from pg_snapshot_xip(${parameter}::pg_snapshot) open
          where open <= h.xid and pg_visible_in_snapshot(open, h.snapshot)
        )
      )
    ))`;
}
