/** Advance reservations: whole nodes promised to a tenant, or to one of its projects, for a time. */
import { z } from 'zod';
import { deviceKinds } from '../job-spec.ts';
import { flag, id, instant, name } from './parts.ts';
import { defineRoute } from './route.ts';

const tenant = id('tenant').optional();
const label = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,62}$/, 'expected a label name');
const text = z
  .string()
  .max(256)
  .refine((value) => value.isWellFormed() && !/\p{Cc}/u.test(value), 'must not contain control characters');

const devices = z.strictObject({
  kind: z.enum(deviceKinds),
  model: text.min(1).optional().describe('Default: any.'),
  count: z.int().min(1).max(100_000).describe('As many nodes are reserved as hold so many.'),
});

const wanted = z.object({
  nodes: z.int().min(1).max(4096).optional().describe('So many nodes.'),
  devices: devices.optional().describe('Or as many nodes as hold these.'),
  labels: z
    .record(
      label,
      z.union([text, z.array(text).min(1).max(64)]).transform((given) => [given].flat()),
    )
    .refine((labels) => Object.keys(labels).length <= 16, 'at most 16 labels')
    .default({})
    .describe('Labels that a node must have, each with its value or a list of values of which any will do.'),
  site: name.optional().describe('Name of a site. Default: any.'),
});

const at = z.iso.datetime({ offset: true, message: 'expected an instant in ISO 8601, like "2026-11-22T02:00:00Z"' });

const reservation = z
  .object({
    id: id('reservation'),
    tenant: z.object({ id: id('tenant'), name: z.string() }),
    project: z
      .object({ id: id('project'), name: z.string() })
      .nullable()
      .describe('null: all projects of the tenant.'),
    name: z.string(),
    wanted: z.object({
      nodes: z.int().nullable(),
      devices: z.object({ kind: z.enum(deviceKinds), model: z.string().nullable(), count: z.int() }).nullable(),
      labels: z.record(z.string(), z.array(z.string())),
      site: z.string().nullable(),
    }),
    startsAt: instant,
    endsAt: instant,
    state: z.enum(['booked', 'open', 'cancelled', 'ended']).describe('`open`: it has begun and its nodes are its own.'),
    nodeCount: z.int().describe('How many nodes it is of.'),
    nodes: z
      .array(z.object({ id: id('node'), name: z.string(), ready: z.boolean() }))
      .describe('Those that it has; fewer, or some that are not ready, when nodes vanished and no others are free.'),
    createdAt: instant,
  })
  .meta({ id: 'Reservation' });

export const reservationRoutes = {
  listReservations: defineRoute('listReservations', {
    summary: 'Reservations of the tenant that are to come or open',
    access: { role: 'viewer' },
    query: z.strictObject({
      tenant: tenant.describe('For operators: whose. Default: the own tenant.'),
      everybody: flag.optional().describe('For operators: those of all tenants.'),
      all: flag.optional().describe('Also those that are over.'),
    }),
    status: 200,
    answer: 'json',
    response: z.object({ items: z.array(reservation) }),
    errors: ['forbidden'],
  }),
  createReservation: defineRoute('createReservation', {
    summary: 'Reserve nodes; who is no operator within what the tenant is guaranteed',
    access: { role: 'admin' },
    body: z
      .strictObject({
        ...wanted.shape,
        name: name.describe('What it is for.'),
        tenant: tenant.describe('For operators: for whom. Default: the own tenant.'),
        project: name.optional().describe('Name of the project. Default: all projects of the tenant.'),
        from: at.optional().describe('When it begins. Default: now.'),
        until: at.describe('When it ends, at most 366 days later.'),
      })
      .refine((body) => (body.nodes === undefined) !== (body.devices === undefined), {
        path: ['nodes'],
        message: 'name either `nodes` or `devices`',
      }),
    status: 201,
    answer: 'json',
    response: reservation,
    errors: ['forbidden', 'not_found', 'reservation_invalid', 'reservation_conflict'],
  }),
  cancelReservation: defineRoute('cancelReservation', {
    summary: 'Give reserved nodes back',
    access: { role: 'admin' },
    params: z.strictObject({ id: id('reservation') }),
    status: 200,
    answer: 'json',
    response: reservation,
    errors: ['not_found', 'conflict'],
  }),
};
