/** Reservations as people and rounds see them. */
import type { Queryable } from '../../../common/database/queryable.ts';
import type { Reservation } from './reservation.ts';

const columns = `
  r.id, r.tenant, r.project, r.name, r.wanted, r.node_count as "nodeCount", r.starts_at as "startsAt", r.ends_at as "endsAt",
  r.state, r.created_by as "createdBy", r.created_at as "createdAt", r.ended_at as "endedAt",
  (select coalesce(jsonb_agg(jsonb_build_object('id', n.id, 'name', n.name,
             'ready', n.presence = 'ready' and n.scheduling = 'open') order by n.name, n.id), '[]')
   from drm_calendar c join drm_nodes n on n.id = c.node_id where c.reservation = r.id) as nodes`;

/** Most in an answer; those to come first, then the latest that are over. */
const mostListed = 1_000;

/** Those of a tenant, or (null) of all. @param all also those that are over */
export async function listReservations(tx: Queryable, tenant: string | null, all = false): Promise<Reservation[]> {
  const { rows } = await tx.query<Reservation>(
    `select ${columns} from drm_reservations r
     where ($1::text is null or r.tenant = $1) and ($2 or r.state = 'booked')
     order by r.state <> 'booked', case when r.state = 'booked' then r.starts_at end, r.id desc limit $3`,
    [tenant, all, mostListed],
  );
  return rows;
}

/** One of a tenant, or (null) of any. */
export async function getReservation(
  tx: Queryable,
  id: string,
  tenant: string | null,
): Promise<Reservation | undefined> {
  const { rows } = await tx.query<Reservation>(
    `select ${columns} from drm_reservations r where r.id = $1 and ($2::text is null or r.tenant = $2)`,
    [id, tenant],
  );
  return rows[0];
}

export interface BookingRow {
  readonly id: string;
  readonly tenant: string;
  readonly project: string | null;
  /** Epoch milliseconds. */
  readonly startsAt: number;
  readonly endsAt: number;
  readonly nodes: readonly string[];
}

/** How far rounds look ahead: work that runs longer than that may meet a reservation, seconds. */
const horizonSeconds = 60 * 86_400;

/** What rounds need of the calendar, in order of id. */
export async function readBookings(db: Queryable): Promise<BookingRow[]> {
  const { rows } = await db.query<BookingRow>(
    `select r.id, r.tenant, r.project, (extract(epoch from r.starts_at) * 1000)::float8 as "startsAt",
            (extract(epoch from r.ends_at) * 1000)::float8 as "endsAt",
            (select coalesce(array_agg(node_id order by node_id), '{}') from drm_calendar where reservation = r.id) as nodes
     from drm_reservations r
     where r.state = 'booked' and r.ends_at > now() and r.starts_at < now() + make_interval(secs => $1)
     order by r.id`,
    [horizonSeconds],
  );
  return rows;
}
