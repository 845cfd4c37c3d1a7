/**
 * From what happened to what is to be told: rows of the outbox, written in the transaction that moves the cursor.
 *
 * Events are read by cursor (contracts §2), so none is skipped and none waited for. Killed before the commit, both are as before and
 * the events are read again; afterwards both are there. Should the cursor be lost all the same (a restore), what is told twice meets
 * the row that it has already (`dedupe`), and nothing is sent again.
 */
import type { Queryable, Transaction } from '../../../common/database/queryable.ts';
import { beyondHorizon, unseenBy } from '../../../common/events/cursor.ts';
import { newId } from '../../../common/ids.ts';
import { type NotifiedEvent, type Told, type ToldJobRow, toldColumns, toldOf } from './body.ts';

const cursorName = 'notifications';

/** Which event of a job is told as what. */
const kinds: Readonly<Record<string, NotifiedEvent>> = {
  'job.succeeded': 'finished',
  'job.failed': 'failed',
  'job.cancelled': 'cancelled',
};

export interface NewDelivery {
  readonly tenant: string;
  readonly channelId: string;
  /** The same for the same thing; a channel is told of it once. */
  readonly dedupe: string;
  readonly told: Told;
}

/** Begins to listen: from now on, when nobody has listened before. */
export async function ensureCursor(db: Queryable): Promise<void> {
  await db.query(
    'insert into monitoring_cursors (name, cursor) values ($1, pg_current_snapshot()::text) on conflict (name) do nothing',
    [cursorName],
  );
}

type EventRow = { cursor: string; reset: boolean; kind: string | null; at: Date; channel_id: string } & ToldJobRow;

/** Writes into the outbox what happened since the last time. @returns how many rows are new; `reset`: events were missed */
export async function fillOutbox(
  tx: Transaction,
  publicUrl: string | undefined,
): Promise<{ readonly added: number; readonly reset: boolean }> {
  // One reader at a time; another server is reading already when the row is locked.
  const locked = await tx.query<{ cursor: string }>(
    'select cursor from monitoring_cursors where name = $1 for update skip locked',
    [cursorName],
  );
  const cursor = locked.rows[0]?.cursor;
  if (cursor === undefined) return { added: 0, reset: false };
  const { rows } = await tx.query<EventRow>(
    `select state.cursor, state.reset, event.*
     from (select pg_current_snapshot()::text as cursor, ${beyondHorizon('$1', 'events')} as reset) as state
     left join lateral (
       select e.kind, e.at, c.id as channel_id, ${toldColumns}
       from feed_events e
       join cmo_jobs j on j.tenant = e.tenant and j.id = e.subject
       join cmo_projects p on p.tenant = j.tenant and p.id = j.project
       join monitoring_channels c on c.tenant = e.tenant and c.enabled and (c.project is null or c.project = j.project)
       where not state.reset and ${unseenBy('$1')} and e.kind = any($2::text[])
         and c.events @> array[($3::jsonb ->> e.kind)]
     ) as event on true`,
    [cursor, Object.keys(kinds), JSON.stringify(kinds)],
  );
  const { cursor: next, reset } = rows[0]!;
  const added = await insertDeliveries(
    tx,
    rows
      .filter((row) => row.kind !== null)
      .map((row): NewDelivery => {
        const event = kinds[row.kind!]!;
        const told = toldOf(row, { event, at: row.at.toISOString() }, publicUrl);
        return { tenant: row.tenant, channelId: row.channel_id, dedupe: `${row.id} ${event}`, told };
      }),
  );
  await tx.query('update monitoring_cursors set cursor = $2 where name = $1', [cursorName, next]);
  return { added, reset };
}

/** Adds rows; those that are there already stay as they are. @returns how many are new */
export async function insertDeliveries(tx: Queryable, deliveries: readonly NewDelivery[]): Promise<number> {
  if (deliveries.length === 0) return 0;
  const { rowCount } = await tx.query(
    `insert into monitoring_deliveries (id, tenant, channel_id, dedupe, event, subject, body)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
     on conflict (channel_id, dedupe) do nothing`,
    [
      deliveries.map(() => newId('delivery')),
      deliveries.map(({ tenant }) => tenant),
      deliveries.map(({ channelId }) => channelId),
      deliveries.map(({ dedupe }) => dedupe),
      deliveries.map(({ told }) => told.event),
      deliveries.map(({ told }) => told.job.id),
      deliveries.map(({ told }) => JSON.stringify(told)),
    ],
  );
  return rowCount ?? 0;
}
