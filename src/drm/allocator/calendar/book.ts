/**
 * Makes and cancels reservations.
 *
 * Nodes are chosen by a look without locks; then they are locked in the order that commits lock them in, so that from then on every commit sees
 * what is written here, and the exclusion constraint refuses what somebody else has reserved meanwhile.
 */
import type { Queryable, Transaction } from '../../../common/database/queryable.ts';
import { writeDirty } from '../../../common/events/index.ts';
import { newId } from '../../../common/ids.ts';
import { enough, matchingNodes } from './choose-nodes.ts';
import { type NewReservation, ReservationConflict, type ReservationWish, type ReservedAmounts } from './reservation.ts';

/**
 * Reserves nodes. To be run in a system transaction that may be run again.
 * @returns its id
 * @throws ReservationConflict when too few nodes are free for that time
 */
export async function bookNodes(tx: Transaction, wish: NewReservation): Promise<string> {
  const { tenant, project, name, wanted, startsAt, endsAt, by } = wish;
  const matching = await matchingNodes(tx, wanted, startsAt, endsAt);
  const nodes = enough(matching, wanted);
  if (nodes === undefined) {
    throw new ReservationConflict(matching.length, matching.filter(({ free }) => free).length, textOf(wanted));
  }
  const id = newId('reservation') as string;
  await tx.query(
    `insert into drm_reservations (id, tenant, project, name, wanted, node_count, starts_at, ends_at, created_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [id, tenant, project, name, JSON.stringify(wanted), nodes.length, startsAt, endsAt, by],
  );
  await writeCalendar(tx, id, tenant, nodes, startsAt, endsAt);
  return id;
}

/** Promises nodes to a reservation. @throws what the exclusion constraint says when one is promised already (23P01) */
export async function writeCalendar(
  tx: Transaction,
  reservation: string,
  tenant: string,
  nodes: readonly string[],
  startsAt: Date,
  endsAt: Date,
): Promise<void> {
  const ids = [...nodes];
  await tx.query('select from drm_nodes where id = any($1::text[]) order by id for no key update', [ids]);
  await tx.query(
    `update drm_nodes set promised_until = greatest(promised_until, $2::timestamptz) where id = any($1::text[])`,
    [ids, endsAt],
  );
  await tx.query(
    `insert into drm_calendar (reservation, tenant, node_id, span)
     select $1, $2, id, tstzrange($4, $5) from unnest($3::text[]) as id`,
    [reservation, tenant, ids, startsAt, endsAt],
  );
  await writeDirty(tx, 'reservation', [reservation]);
}

/** Gives the nodes of a reservation back. @returns whether it was booked still */
export async function cancelBooking(tx: Transaction, id: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update drm_reservations set state = 'cancelled', ended_at = now() where id = $1 and state = 'booked'`,
    [id],
  );
  await tx.query('delete from drm_calendar where reservation = $1', [id]);
  await writeDirty(tx, 'reservation', [id]);
  return rowCount === 1;
}

/** What a tenant has reserved that touches a time, in all: by the nodes as they are now. */
export async function bookedAmounts(
  tx: Queryable,
  tenant: string,
  startsAt: Date,
  endsAt: Date,
): Promise<ReservedAmounts> {
  const { rows } = await tx.query<ReservedAmounts>(
    `select coalesce(sum(n.cpu_milli), 0)::float8 as "cpuMilli", coalesce(sum(d.gpu), 0)::float8 as gpu,
            coalesce(sum(d.tpu), 0)::float8 as tpu, coalesce(sum(d.fpga), 0)::float8 as fpga
     from drm_calendar c
     join drm_nodes n on n.id = c.node_id
     cross join lateral (
       select count(*) filter (where kind = 'gpu') as gpu, count(*) filter (where kind = 'tpu') as tpu,
              count(*) filter (where kind = 'fpga') as fpga
       from drm_devices where node_id = n.id and observed_milli > 0
     ) d
     where c.tenant = $1 and c.span && tstzrange($2, $3)`,
    [tenant, startsAt, endsAt],
  );
  return rows[0]!;
}

const textOf = ({ nodes, devices }: ReservationWish): string =>
  devices === undefined ? `${nodes} nodes` : `${devices.count} × ${devices.model ?? devices.kind.toUpperCase()}`;
