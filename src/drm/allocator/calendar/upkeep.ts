/**
 * Keeps reservations: ends those that are over, replaces nodes that vanished by others that are free, forgets old ones.
 *
 * Any scheduler may do it at any time; of several at once one does. A node that is lost or takes no work is replaced when there is another, and
 * kept when there is none, since it may come back; one that was removed is given up.
 */
import type { Transaction } from '../../../common/database/queryable.ts';
import { writeDirty } from '../../../common/events/index.ts';
import { writeCalendar } from './book.ts';
import { matchingNodes } from './choose-nodes.ts';
import type { ReservationWish } from './reservation.ts';

const upkeepLock = 7_302_215_241;
/** Reservations whose nodes are replaced in one go. */
const mostMended = 100;
/** Those that are over are told of for so long, seconds. */
const keptSeconds = 90 * 86_400;

interface Short {
  id: string;
  tenant: string;
  wanted: ReservationWish;
  startsAt: Date;
  endsAt: Date;
  nodeCount: number;
  nodes: string[];
  bad: string[];
}

const shortStatement = `
  select r.id, r.tenant, r.wanted, r.starts_at as "startsAt", r.ends_at as "endsAt", r.node_count as "nodeCount",
         coalesce(array_agg(c.node_id) filter (where c.node_id is not null), '{}') as nodes,
         coalesce(array_agg(c.node_id order by n.presence = 'removed' desc) filter (where n.presence <> 'ready' or n.scheduling <> 'open'), '{}') as bad
  from drm_reservations r
  left join drm_calendar c on c.reservation = r.id
  left join drm_nodes n on n.id = c.node_id
  where r.state = 'booked' and r.ends_at > now()
  group by r.id
  having count(c.node_id) filter (where n.presence = 'ready' and n.scheduling = 'open') < r.node_count
  order by r.starts_at limit $1`;

/** Does all of it. To be run in a system transaction that may be run again. */
export async function keepReservations(tx: Transaction): Promise<void> {
  const lock = await tx.query<{ locked: boolean }>('select pg_try_advisory_xact_lock($1) as locked', [upkeepLock]);
  if (!lock.rows[0]!.locked) return;
  const { rows: over } = await tx.query<{ id: string }>(
    `update drm_reservations set state = 'ended', ended_at = now() where state = 'booked' and ends_at <= now() returning id`,
  );
  const ended = over.map(({ id }) => id);
  if (ended.length > 0) {
    await tx.query('delete from drm_calendar where reservation = any($1::text[])', [ended]);
    await writeDirty(tx, 'reservation', ended);
  }
  const { rows: short } = await tx.query<Short>(shortStatement, [mostMended]);
  for (const one of short) await mend(tx, one);
  await tx.query(
    `delete from drm_reservations where state <> 'booked' and ended_at < now() - make_interval(secs => $1)`,
    [keptSeconds],
  );
}

async function mend(
  tx: Transaction,
  { id, tenant, wanted, startsAt, endsAt, nodeCount, nodes, bad }: Short,
): Promise<void> {
  const missing = nodeCount - (nodes.length - bad.length);
  const matching = await matchingNodes(tx, wanted, startsAt, endsAt, nodes);
  const others = matching.filter(({ free }) => free).slice(0, missing);
  const { rows: removed } = await tx.query<{ id: string }>(
    `select id from drm_nodes where id = any($1::text[]) and presence = 'removed'`,
    [bad],
  );
  // As many of the others as have a substitute, and beyond the number of nodes none stays.
  const spare = Math.max(0, nodes.length + others.length - nodeCount);
  const given = new Set([...removed.map((row) => row.id), ...bad.slice(0, spare)]);
  if (given.size > 0) {
    await tx.query('delete from drm_calendar where reservation = $1 and node_id = any($2::text[])', [id, [...given]]);
    await writeDirty(tx, 'reservation', [id]);
  }
  if (others.length > 0) {
    await writeCalendar(
      tx,
      id,
      tenant,
      others.map((node) => node.id),
      startsAt,
      endsAt,
    );
  }
}
