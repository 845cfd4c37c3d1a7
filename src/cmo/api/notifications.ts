/** Notification channels and deliveries over HTTP; monitoring owns and sends them. */
import type { z } from 'zod';
import type { Routes } from '../../common/contract/routes/index.ts';
import { withTenant } from '../../common/database/index.ts';
import { SolyxError } from '../../common/errors/index.ts';
import type { Handlers } from '../../common/http/index.ts';
import {
  type ChannelRow,
  createChannel,
  type DeliveryRow,
  getChannel,
  listChannels,
  listDeliveries,
  notificationsTopic,
  refusalOfUrl,
  removeChannel,
  replayDelivery,
  testChannel,
  updateChannel,
} from '../monitoring/index.ts';
import { findProject } from './access/tenants.ts';
import { recordAudit } from './audit/index.ts';
import type { ApiDeps } from './deps.ts';
import { cursorId, makePage } from './paging.ts';
import { iso } from './wire.ts';

type WireChannel = z.output<Routes['updateNotificationChannel']['response']>;
type WireDelivery = z.output<Routes['replayNotificationDelivery']['response']>;
type NotificationRoute =
  | 'createNotificationChannel'
  | 'listNotificationChannels'
  | 'updateNotificationChannel'
  | 'removeNotificationChannel'
  | 'testNotificationChannel'
  | 'listNotificationDeliveries'
  | 'replayNotificationDelivery';

/** Greater than every id. */
const beyondAll = '~';

export function notificationHandlers(deps: ApiDeps): Handlers<NotificationRoute> {
  const { db, wake, clock, secrets } = deps;
  const due = () => wake.wake(notificationsTopic);
  return {
    createNotificationChannel: async ({ principal, body, request }) => {
      const refusal = body.url === undefined ? null : refusalOfUrl(new URL(body.url), deps.webHookNetworks ?? []);
      if (refusal !== null) throw new SolyxError('invalid_body', { issues: [{ at: '/url', message: refusal }] });
      return withTenant(db, principal.tenant.id, async (tx) => {
        const project = body.project === undefined ? null : await findProject(tx, principal.tenant.id, body.project);
        if (project === undefined) {
          throw new SolyxError('invalid_body', { issues: [{ at: '/project', message: 'there is no such project' }] });
        }
        const { row, secret } = await createChannel(tx, secrets, {
          tenant: principal.tenant.id,
          project: project?.id ?? null,
          name: body.name,
          target:
            body.url === undefined
              ? { kind: 'email', recipients: body.recipients! }
              : { kind: 'webhook', url: body.url },
          events: [...new Set(body.events)],
          stuckAfterMinutes: body.stuckAfterMinutes,
          by: principal.keyId,
        });
        const data = { name: row.name, kind: row.kind, to: row.url ?? row.recipients, events: row.events };
        await recordAudit(tx, { principal, request, action: 'notification-channel.created', subject: row.id, data });
        return { ...toChannel(row), secret };
      });
    },

    listNotificationChannels: ({ principal, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const after = cursorId('notificationChannel', query.cursor) ?? '';
          const rows = await listChannels(tx, principal.tenant.id, { after, limit: query.limit + 1 });
          return makePage(rows, query.limit, toChannel);
        },
        { readOnly: true },
      ),

    updateNotificationChannel: ({ principal, params, body, request }) =>
      withTenant(db, principal.tenant.id, async (tx) => {
        const row = await updateChannel(tx, principal.tenant.id, params.id, body);
        tx.afterCommit(due);
        const what = { action: 'notification-channel.changed', subject: row.id, data: body };
        await recordAudit(tx, { principal, request, ...what });
        return toChannel(row);
      }),

    removeNotificationChannel: ({ principal, params, request }) =>
      withTenant(db, principal.tenant.id, async (tx) => {
        const row = await removeChannel(tx, principal.tenant.id, params.id);
        const what = { action: 'notification-channel.removed', subject: row.id, data: { name: row.name } };
        await recordAudit(tx, { principal, request, ...what });
        return undefined;
      }),

    testNotificationChannel: ({ principal, params }) =>
      withTenant(db, principal.tenant.id, async (tx) => {
        const channel = await getChannel(tx, principal.tenant.id, params.id);
        tx.afterCommit(due);
        return { deliveryId: await testChannel(tx, channel, clock.now()) };
      }),

    listNotificationDeliveries: ({ principal, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const { channelId, state, limit } = query;
          const before = cursorId('delivery', query.cursor) ?? beyondAll;
          const rows = await listDeliveries(tx, principal.tenant.id, { channelId, state, before, limit: limit + 1 });
          return makePage(rows, limit, toDelivery);
        },
        { readOnly: true },
      ),

    replayNotificationDelivery: ({ principal, params, request }) =>
      withTenant(db, principal.tenant.id, async (tx) => {
        const row = await replayDelivery(tx, principal.tenant.id, params.id);
        tx.afterCommit(due);
        const what = { action: 'notification.replayed', subject: row.id, data: { channel: row.channel_id } };
        await recordAudit(tx, { principal, request, ...what });
        return toDelivery(row);
      }),
  };
}

function toChannel(row: ChannelRow): WireChannel {
  return {
    id: row.id,
    name: row.name,
    kind: row.kind,
    url: row.url,
    recipients: row.recipients,
    project: row.project === null ? null : { id: row.project, name: row.project_name ?? row.project },
    events: [...row.events],
    stuckAfterMinutes: row.stuck_after_minutes,
    enabled: row.enabled,
    createdAt: iso(row.created_at),
  };
}

function toDelivery(row: DeliveryRow): WireDelivery {
  return {
    id: row.id,
    channelId: row.channel_id,
    event: row.event as WireDelivery['event'],
    subject: row.subject,
    state: row.state,
    attempts: row.attempts,
    nextAt: row.state === 'pending' ? iso(row.next_at) : null,
    log: row.log,
    createdAt: iso(row.created_at),
    settledAt: iso(row.settled_at),
  };
}
