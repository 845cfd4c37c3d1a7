/**
 * Advance reservations. An operator reserves for anybody; an admin for the own tenant, at any time no more than the tenant is guaranteed:
 * more would take from others what is theirs to use.
 */
import type { z } from 'zod';
import type { Routes } from '../../common/contract/routes/index.ts';
import { type Tx, withSystem } from '../../common/database/index.ts';
import { SolyxError } from '../../common/errors/index.ts';
import type { Handlers, Principal } from '../../common/http/index.ts';
import {
  bookedAmounts,
  bookNodes,
  cancelBooking,
  getReservation,
  listReservations,
  type Reservation,
  ReservationConflict,
} from '../../drm/allocator/index.ts';
import { readAccounts } from '../scheduler/index.ts';
import { recordAudit } from './audit/index.ts';
import type { ApiDeps } from './deps.ts';

type Wire = z.output<Routes['createReservation']['response']>;
type Wish = Parameters<Handlers<'createReservation'>['createReservation']>[0]['body'];

const longestMs = 366 * 86_400_000;
const furthestMs = 2 * longestMs;

export function reservationHandlers({
  db,
  wake,
  clock,
}: ApiDeps): Handlers<'listReservations' | 'createReservation' | 'cancelReservation'> {
  return {
    listReservations: ({ principal, query }) =>
      withSystem(
        db,
        async (tx) => {
          const tenant = whose(principal, query.tenant, query.everybody === true);
          return { items: await wireOf(tx, await listReservations(tx, tenant, query.all === true), clock.now()) };
        },
        { isolation: 'repeatable read', readOnly: true },
      ),

    createReservation: ({ principal, body, request }) =>
      withSystem(
        db,
        async (tx) => {
          const tenant = whose(principal, body.tenant, false)!;
          const project = await projectOf(tx, tenant, body.project);
          const [startsAt, endsAt] = timesOf(body, clock.now());
          const id = await book(tx, principal, { body, tenant, project, startsAt, endsAt });
          if (!principal.operator) await requireGuaranteed(tx, tenant, startsAt, endsAt);
          tx.afterCommit(() => wake.wake('scheduler'));
          await recordAudit(tx, {
            principal,
            request,
            tenant: principal.tenant.id,
            action: 'reservation.created',
            subject: id,
            data: { ...body, tenant },
          });
          return readWire(tx, id, clock.now());
        },
        { idempotent: true },
      ),

    cancelReservation: ({ principal, params, request }) =>
      withSystem(
        db,
        async (tx) => {
          const found = await getReservation(tx, params.id, principal.operator ? null : principal.tenant.id);
          if (found === undefined) throw new SolyxError('not_found', `No reservation ${params.id}.`);
          if (!(await cancelBooking(tx, found.id))) throw new SolyxError('conflict', `It is ${found.state} already.`);
          tx.afterCommit(() => wake.wake('scheduler'));
          await recordAudit(tx, {
            principal,
            request,
            tenant: principal.tenant.id,
            action: 'reservation.cancelled',
            subject: found.id,
            data: { tenant: found.tenant },
          });
          return readWire(tx, found.id, clock.now());
        },
        { idempotent: true },
      ),
  };
}

/** Whose reservations; null: everybody's. @throws forbidden */
function whose(principal: Principal, asked: string | undefined, everybody: boolean): string | null {
  if (!everybody && (asked === undefined || asked === principal.tenant.id)) return principal.tenant.id;
  if (!principal.operator) throw new SolyxError('forbidden', 'Only operators see and make reservations of others.');
  return asked ?? null;
}

/** Reservations of a tenant are made one after the other: two at once would each find what is guaranteed unused. @throws not_found */
async function projectOf(tx: Tx, tenant: string, name: string | undefined): Promise<string | null> {
  const { rows: tenants } = await tx.query('select from cmo_tenants where id = $1 for no key update', [tenant]);
  if (tenants.length === 0) throw new SolyxError('not_found', `No tenant ${tenant}.`);
  if (name === undefined) return null;
  const { rows } = await tx.query<{ id: string }>('select id from cmo_projects where tenant = $1 and name = $2', [
    tenant,
    name,
  ]);
  if (rows[0] === undefined) throw new SolyxError('not_found', `No project ${name}.`);
  return rows[0].id;
}

/** @throws reservation_invalid */
function timesOf({ from, until }: Wish, now: Date): [Date, Date] {
  const asked = from === undefined ? now : new Date(from);
  // What has begun already begins now.
  const startsAt = asked.getTime() < now.getTime() ? now : asked;
  const endsAt = new Date(until);
  const fail = (what: string): never => {
    throw new SolyxError('reservation_invalid', what);
  };
  if (endsAt.getTime() <= now.getTime()) fail(`\`until\` is past: ${until}.`);
  if (endsAt.getTime() <= startsAt.getTime()) fail('`until` must be later than `from`.');
  if (endsAt.getTime() - startsAt.getTime() > longestMs) fail('It may last for 366 days at most.');
  if (endsAt.getTime() - now.getTime() > furthestMs) fail('It must end within two years.');
  return [startsAt, endsAt];
}

interface Booking {
  readonly body: Wish;
  readonly tenant: string;
  readonly project: string | null;
  readonly startsAt: Date;
  readonly endsAt: Date;
}

/** @throws reservation_conflict */
async function book(tx: Tx, principal: Principal, { body, ...whom }: Booking): Promise<string> {
  const { nodes, devices, labels, site, name } = body;
  try {
    return await bookNodes(tx, {
      ...whom,
      name,
      wanted: {
        labels,
        ...(nodes !== undefined && { nodes }),
        ...(site !== undefined && { site }),
        ...(devices !== undefined && {
          devices: { kind: devices.kind, count: devices.count, ...(devices.model && { model: devices.model }) },
        }),
      },
      by: principal.keyId,
    });
  } catch (error) {
    if (error instanceof ReservationConflict) throw new SolyxError('reservation_conflict', error.message);
    // The exclusion constraint: of two at the same time one is first.
    if ((error as { code?: string }).code === '23P01') {
      throw new SolyxError('reservation_conflict', 'Somebody reserved one of the nodes at the same moment.');
    }
    throw error;
  }
}

/** Looked at after the nodes were chosen, in the same transaction. @throws forbidden */
async function requireGuaranteed(tx: Tx, tenant: string, startsAt: Date, endsAt: Date): Promise<void> {
  const account = (await readAccounts(tx)).find(({ id }) => id === tenant);
  const guaranteed = (kind: string) =>
    (account?.quotas ?? [])
      .filter(({ resource }) => resource === kind || resource.startsWith(`${kind}/`))
      .reduce((sum, quota) => sum + quota.guaranteed, 0);
  const booked = await bookedAmounts(tx, tenant, startsAt, endsAt);
  const devices = booked.gpu + booked.tpu + booked.fpga;
  for (const kind of ['gpu', 'tpu', 'fpga'] as const) {
    if (booked[kind] * 1000 > guaranteed(kind)) fail(`${booked[kind]} × ${kind}`, `${guaranteed(kind) / 1000}`);
  }
  if (devices === 0 && booked.cpuMilli > guaranteed('cpu')) {
    fail(`${booked.cpuMilli / 1000} cores`, `${guaranteed('cpu') / 1000}`);
  }
  function fail(wanted: string, most: string): never {
    throw new SolyxError(
      'forbidden',
      `With it the tenant would have reserved ${wanted} in that time and is guaranteed ${most}. Ask an operator.`,
    );
  }
}

async function readWire(tx: Tx, id: string, now: Date): Promise<Wire> {
  const [wire] = await wireOf(tx, [(await getReservation(tx, id, null))!], now);
  return wire!;
}

async function wireOf(tx: Tx, reservations: readonly Reservation[], now: Date): Promise<Wire[]> {
  const ids = reservations.flatMap(({ tenant, project }) => [tenant, project ?? []].flat());
  const { rows } = await tx.query<{ id: string; name: string }>(
    `select id, name from cmo_tenants where id = any($1::text[])
     union all select id, name from cmo_projects where id = any($1::text[])`,
    [ids],
  );
  const names = new Map(rows.map(({ id, name }) => [id, name]));
  const named = (id: string) => ({ id, name: names.get(id) ?? id });
  return reservations.map(({ id, tenant, project, name, wanted, startsAt, endsAt, state, ...rest }) => ({
    id,
    tenant: named(tenant),
    project: project === null ? null : named(project),
    name,
    wanted: {
      nodes: wanted.nodes ?? null,
      devices: wanted.devices === undefined ? null : { model: null, ...wanted.devices },
      labels: Object.fromEntries(Object.entries(wanted.labels).map(([label, values]) => [label, [...values]])),
      site: wanted.site ?? null,
    },
    startsAt: startsAt.toISOString(),
    endsAt: endsAt.toISOString(),
    state: state === 'booked' && startsAt.getTime() <= now.getTime() ? ('open' as const) : state,
    nodeCount: rest.nodeCount,
    nodes: [...rest.nodes],
    createdAt: rest.createdAt.toISOString(),
  }));
}
