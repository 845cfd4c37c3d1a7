/** What exists: sites, nodes, devices. Everybody may see the fleet, the operator manages it. */
import { z } from 'zod';
import { deviceKinds } from '../job-spec.ts';
import { isolationLevels, nodeHealths, nodePresences, nodeSchedulings } from '../states/node.ts';
import { id, instant, list, name, page, usd, usdInput } from './parts.ts';
import { defineRoute } from './route.ts';

const siteFields = {
  latitude: z.number().min(-90).max(90).nullable().describe('Degrees north.'),
  longitude: z.number().min(-180).max(180).nullable().describe('Degrees east.'),
  gridZone: z
    .string()
    .regex(/^[A-Za-z0-9_.:-]{1,64}$/)
    .nullable()
    .describe('Grid zone, like `DE` or `US-CAL-CISO`.'),
  pue: z.number().min(1).max(10).describe('Power usage effectiveness: facility power over IT power.'),
  labels: z
    .record(
      z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,57}$/, 'expected 1–58 letters, digits, ".", "_" or "-"'),
      z
        .string()
        .max(256)
        .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), 'must not contain control characters'),
    )
    .refine((labels) => Object.keys(labels).length <= 32, 'at most 32 labels')
    .describe('Labels that jobs ask for as `site/…` in `placement`, beside `site/name` and `site/zone`; all of them.'),
};

const site = z
  .object({
    id: id('site'),
    name: z.string(),
    ...siteFields,
    gridZone: z.string().nullable(),
    labels: z.record(z.string(), z.string()).describe('Labels that jobs ask for as `site/…` in `placement`.'),
    deviceUsdPerHour: usd.describe('List price of a whole device.'),
    cpuUsdPerHour: usd.describe('List price of a CPU core.'),
    memoryUsdPerHour: usd.describe('List price of a GiB of memory.'),
    backend: z.string(),
    createdAt: instant,
    updatedAt: instant,
    revision: z.string(),
  })
  .meta({ id: 'Site' });

const prices = {
  deviceUsdPerHour: usdInput.optional(),
  cpuUsdPerHour: usdInput.optional(),
  memoryUsdPerHour: usdInput.optional(),
};

const siteChange = z.strictObject({
  latitude: siteFields.latitude.optional(),
  longitude: siteFields.longitude.optional(),
  gridZone: siteFields.gridZone.optional(),
  pue: siteFields.pue.optional(),
  labels: siteFields.labels.optional(),
  ...prices,
});

const sample = z
  .object({ at: instant, data: z.record(z.string(), z.number()) })
  .nullable()
  .describe('Latest sample; null when none is known.');

const device = z
  .object({
    id: id('device'),
    nodeId: id('node'),
    parentId: id('device').nullable().describe('The device that this one is a slice of.'),
    kind: z.enum(deviceKinds),
    vendor: z.string(),
    model: z.string(),
    index: z.int(),
    uuid: z.string(),
    memoryBytes: z.number().min(0),
    driver: z.string().nullable(),
    health: z.enum(nodeHealths),
    milli: z.int().min(0).describe('Capacity in thousandths.'),
    usedMilli: z.int().min(0),
    facts: z.record(z.string(), z.unknown()).describe('For the operator; empty for others.'),
    sample,
  })
  .meta({ id: 'Device' });

const capacity = z.object({
  cpuMilli: z.number().min(0),
  memoryBytes: z.number().min(0),
  diskBytes: z.number().min(0),
});

const node = z
  .object({
    id: id('node'),
    name: z.string(),
    site: z.object({ id: id('site'), name: z.string() }),
    backend: z.string(),
    presence: z.enum(nodePresences),
    scheduling: z.enum(nodeSchedulings),
    health: z.enum(nodeHealths),
    healthReasons: z.array(z.object({ code: z.string(), message: z.string(), deviceId: z.string().nullable() })),
    isolation: z.array(z.enum(isolationLevels)),
    hostNetwork: z.boolean(),
    capacity,
    used: capacity,
    labels: z.record(z.string(), z.string()),
    facts: z.record(z.string(), z.unknown()).describe('For the operator; empty for others.'),
    lastHeartbeatAt: instant.nullable(),
    sample,
    deviceCount: z.int().min(0),
    joinedAt: instant,
    updatedAt: instant,
    revision: z.string(),
  })
  .meta({ id: 'Node' });

const nodeDetail = node.extend({ devices: z.array(device) }).meta({ id: 'NodeDetail' });
const nodeParams = z.strictObject({ id: id('node') });
const siteParams = z.strictObject({ id: id('site') });

const nodeAction = {
  access: { role: 'admin', operator: true },
  params: nodeParams,
  status: 200,
  answer: 'json',
} as const;

export const fleetRoutes = {
  createSite: defineRoute('createSite', {
    summary: 'Create a site',
    access: { role: 'admin', operator: true },
    body: siteChange.extend({ name }),
    status: 201,
    answer: 'json',
    response: site,
    errors: ['already_exists'],
  }),
  listSites: defineRoute('listSites', {
    summary: 'List sites with coordinates, grid zone, PUE and list prices',
    access: { role: 'viewer' },
    query: z.strictObject(page),
    status: 200,
    answer: 'json',
    response: list(site),
    errors: ['cursor_invalid'],
  }),
  getSite: defineRoute('getSite', {
    summary: 'Read a site',
    access: { role: 'viewer' },
    params: siteParams,
    status: 200,
    answer: 'json',
    response: site,
    errors: [],
  }),
  updateSite: defineRoute('updateSite', {
    summary: 'Change a site; fields that are left out stay',
    access: { role: 'admin', operator: true },
    params: siteParams,
    body: siteChange,
    status: 200,
    answer: 'json',
    response: site,
    errors: [],
  }),
  listNodes: defineRoute('listNodes', {
    summary: 'List nodes; removed ones only when asked for by presence',
    access: { role: 'viewer' },
    query: z.strictObject({ ...page, siteId: id('site').optional(), presence: z.enum(nodePresences).optional() }),
    status: 200,
    answer: 'json',
    response: list(node),
    errors: ['cursor_invalid'],
  }),
  getNode: defineRoute('getNode', {
    summary: 'Read a node with its devices and latest samples',
    access: { role: 'viewer' },
    params: nodeParams,
    status: 200,
    answer: 'json',
    response: nodeDetail,
    errors: [],
  }),
  cordonNode: defineRoute('cordonNode', {
    summary: 'Give the node no new work; what runs goes on',
    ...nodeAction,
    response: node,
    errors: ['conflict'],
  }),
  uncordonNode: defineRoute('uncordonNode', {
    summary: 'Give the node new work again',
    ...nodeAction,
    response: node,
    errors: ['conflict'],
  }),
  drainNode: defineRoute('drainNode', {
    summary: 'Give the node no new work until it is empty and can be removed; what runs goes on to its end',
    ...nodeAction,
    response: node,
    errors: ['conflict'],
  }),
  removeNode: defineRoute('removeNode', {
    summary: 'Remove a node that is empty, or one that is certainly powered off',
    ...nodeAction,
    body: z.strictObject({
      poweredOff: z
        .boolean()
        .default(false)
        .describe('The operator vouches that the machine is off: its attempts have ended for certain.'),
    }),
    response: node,
    errors: ['node_in_use', 'conflict'],
  }),
  listDevices: defineRoute('listDevices', {
    summary: 'List devices',
    access: { role: 'viewer' },
    query: z.strictObject({ ...page, nodeId: id('node').optional(), kind: z.enum(deviceKinds).optional() }),
    status: 200,
    answer: 'json',
    response: list(device),
    errors: ['cursor_invalid'],
  }),
};
