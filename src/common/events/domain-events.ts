/**
 * Domain events: what happened, tenant by tenant, for the UI, webhooks and audit.
 *
 * Written in the transaction that changes the row, with that row's `revision`; whoever keeps a copy applies an event only if its
 * revision is newer than the copy's. Read by cursor like dirty keys (`cursor.ts`), in any number of places.
 */
import { type Database, type Queryable, withSystem, withTenant } from '../database/index.ts';
import { beyondHorizon, type Cursor, unseenBy } from './cursor.ts';

export interface NewEvent {
  readonly tenant: string;
  /** What happened, noun first: `job.changed`, `attempt.ended`. */
  readonly kind: string;
  /** Id of what it happened to. */
  readonly subject: string;
  /** Revision of the subject's row after the change. */
  readonly revision: bigint;
  /** Anything JSON, small; never secrets. */
  readonly data?: unknown;
}

export interface DomainEvent {
  /** Grows with the time of writing, not of commit: for paging within what is settled, never as a cursor. */
  readonly id: bigint;
  readonly tenant: string;
  readonly kind: string;
  readonly subject: string;
  readonly revision: bigint;
  readonly at: Date;
  readonly data: unknown;
}

export type EventBatch =
  | { readonly kind: 'events'; readonly events: readonly DomainEvent[]; readonly cursor: Cursor }
  | { readonly kind: 'reset'; readonly cursor: Cursor };

/** Writes events in the caller's transaction, in one statement. */
export async function appendEvents(tx: Queryable, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  await tx.query(
    `insert into feed_events (tenant, kind, subject, revision, data)
     select tenant, kind, subject, revision, data
     from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::jsonb[])
       with ordinality as event (tenant, kind, subject, revision, data, position)
     order by position`,
    [
      events.map((event) => event.tenant),
      events.map((event) => event.kind),
      events.map((event) => event.subject),
      events.map((event) => event.revision),
      events.map((event) => JSON.stringify(event.data ?? {})),
    ],
  );
}

// One row at least, so that the cursor comes also when nothing happened; lateral, so that the snapshot is the rows' own.
const readStatement = `
  select state.cursor, state.reset, event.*
  from (select pg_current_snapshot()::text as cursor, ${beyondHorizon('$1', 'events')} as reset) as state
  left join lateral (
    select id, tenant, kind, subject, revision, at, data from feed_events
    where not state.reset and ${unseenBy('$1')}
  ) as event on true
  order by event.id`;

type ReadRow = { cursor: Cursor; reset: boolean; id: bigint | null } & Omit<DomainEvent, 'id'>;

/**
 * Reads what happened since the cursor, whole, ordered by id.
 *
 * @param tenant whose events; null for all (system loops only)
 */
export async function readEvents(db: Database, tenant: string | null, cursor: Cursor): Promise<EventBatch> {
  const read = async (queryable: Queryable) => (await queryable.query<ReadRow>(readStatement, [cursor])).rows;
  const rows = tenant === null ? await read(db.system) : await withTenant(db, tenant, read, { readOnly: true });
  const first = rows[0]!;
  if (first.reset) return { kind: 'reset', cursor: first.cursor };
  const events = rows.flatMap(({ id, tenant, kind, subject, revision, at, data }) =>
    id === null ? [] : [{ id, tenant, kind, subject, revision, at, data }],
  );
  return { kind: 'events', events, cursor: first.cursor };
}

/**
 * Throws away events older than `keptDays`, at most `limit` a call (oldest first), and records how far. Readers that stood before that
 * get a reset.
 *
 * @returns how many were deleted
 */
export async function pruneEvents(db: Database, keptDays: number, limit = 10_000): Promise<number> {
  return withSystem(db, async (tx) => {
    await tx.query(`select from feed_horizons where feed = 'events' for update`);
    const { rows } = await tx.query<{ n: number }>(
      `with gone as (
         delete from feed_events where id in (
           select id from feed_events where id in (select id from feed_events order by id limit $2)
             and at < now() - make_interval(days => $1) for update skip locked
         ) returning xid
       ), horizon as (
         update feed_horizons set xid = greatest(xid, (select max(xid) from gone)), snapshot = pg_current_snapshot()
         where feed = 'events' and exists (select from gone)
       )
       select count(*)::int as n from gone`,
      [keptDays, limit],
    );
    return rows[0]!.n;
  });
}
