/** Channels: whom a tenant wants told of what. A web-hook has a secret that signs it, shown once and kept sealed. */
import { randomBytes } from 'node:crypto';
import type { Queryable, Transaction } from '../../../common/database/queryable.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { newId } from '../../../common/ids.ts';
import { seal, unseal } from '../../../common/secrets/envelope.ts';
import type { SecretStore } from '../../../common/secrets/index.ts';
import { type NotifiedEvent, testOf } from './body.ts';
import { insertDeliveries } from './outbox.ts';

/** Most channels of a tenant. */
const mostChannels = 50;

export interface ChannelRow {
  readonly id: string;
  readonly tenant: string;
  readonly project: string | null;
  readonly project_name: string | null;
  readonly name: string;
  readonly kind: 'webhook' | 'email';
  readonly url: string | null;
  readonly recipients: string[] | null;
  readonly events: NotifiedEvent[];
  readonly stuck_after_minutes: number;
  readonly enabled: boolean;
  readonly created_at: Date;
}

export interface NewChannel {
  readonly tenant: string;
  readonly project: string | null;
  readonly name: string;
  readonly target:
    | { readonly kind: 'webhook'; readonly url: string }
    | { readonly kind: 'email'; readonly recipients: readonly string[] };
  readonly events: readonly NotifiedEvent[];
  readonly stuckAfterMinutes: number;
  /** Id of the key that asks. */
  readonly by: string;
}

export interface DeliveryRow {
  readonly id: string;
  readonly channel_id: string;
  readonly event: string;
  readonly subject: string;
  readonly state: 'pending' | 'sent' | 'failed';
  readonly attempts: number;
  readonly next_at: Date;
  readonly log: { at: string; status: number | null; error: string | null; ms: number }[];
  readonly created_at: Date;
  readonly settled_at: Date | null;
}

const columns = `c.id, c.tenant, c.project, p.name as project_name, c.name, c.kind, c.url, c.recipients, c.events,
  c.stuck_after_minutes, c.enabled, c.created_at`;
const source = 'monitoring_channels c left join cmo_projects p on p.tenant = c.tenant and p.id = c.project';
const deliveryColumns = 'id, channel_id, event, subject, state, attempts, next_at, log, created_at, settled_at';

const placeOf = (tenant: string, id: string) => ['solyx-webhook-1', tenant, id];

/** Makes a channel. @returns its row, and for a web-hook the secret. @throws already_exists, conflict, secrets_key_missing */
export async function createChannel(
  tx: Transaction,
  store: SecretStore,
  channel: NewChannel,
): Promise<{ row: ChannelRow; secret: string | null }> {
  const { tenant, target } = channel;
  const id = newId('notificationChannel');
  const count = await tx.query<{ n: number }>('select count(*)::int as n from monitoring_channels where tenant = $1', [
    tenant,
  ]);
  if (count.rows[0]!.n >= mostChannels)
    throw new SolyxError('conflict', `A tenant has at most ${mostChannels} channels.`);
  const secret = target.kind === 'webhook' ? `whs_${randomBytes(24).toString('base64url')}` : null;
  let sealed: Buffer | null = null;
  if (secret !== null) {
    const { key } = await store.keys.ensure(tx, tenant);
    sealed = seal(key, Buffer.from(secret), placeOf(tenant, id));
  }
  const { rowCount } = await tx.query(
    `insert into monitoring_channels (id, tenant, project, name, kind, url, recipients, events, stuck_after_minutes, secret,
       created_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (tenant, name) do nothing`,
    [
      id,
      tenant,
      channel.project,
      channel.name,
      target.kind,
      target.kind === 'webhook' ? target.url : null,
      target.kind === 'email' ? [...target.recipients] : null,
      [...channel.events],
      channel.stuckAfterMinutes,
      sealed,
      channel.by,
    ],
  );
  if (rowCount !== 1) throw new SolyxError('already_exists', `A channel is called ${channel.name}.`);
  return { row: await getChannel(tx, tenant, id), secret };
}

/** The secret of a web-hook, to sign by. @throws secrets_key_missing */
export async function openChannelSecret(
  tx: Transaction,
  store: SecretStore,
  channel: { readonly tenant: string; readonly channel_id: string; readonly secret: Buffer },
): Promise<string> {
  const { key } = await store.keys.ensure(tx, channel.tenant);
  const secret = unseal(key, channel.secret, placeOf(channel.tenant, channel.channel_id));
  if (!secret)
    throw new SolyxError('secrets_key_missing', `The secret of channel ${channel.channel_id} does not open.`);
  return secret.toString();
}

/** @throws not_found */
export async function getChannel(db: Queryable, tenant: string, id: string): Promise<ChannelRow> {
  const { rows } = await db.query<ChannelRow>(`select ${columns} from ${source} where c.tenant = $1 and c.id = $2`, [
    tenant,
    id,
  ]);
  if (!rows[0]) throw new SolyxError('not_found', `No channel ${id}.`);
  return rows[0];
}

export async function listChannels(
  db: Queryable,
  tenant: string,
  page: { readonly after: string; readonly limit: number },
): Promise<ChannelRow[]> {
  const { rows } = await db.query<ChannelRow>(
    `select ${columns} from ${source} where c.tenant = $1 and c.id > $2 order by c.id limit $3`,
    [tenant, page.after, page.limit],
  );
  return rows;
}

/** Changes a channel; what is undefined stays. @throws not_found */
export async function updateChannel(
  tx: Transaction,
  tenant: string,
  id: string,
  change: {
    readonly enabled?: boolean | undefined;
    readonly events?: readonly NotifiedEvent[] | undefined;
    readonly stuckAfterMinutes?: number | undefined;
  },
): Promise<ChannelRow> {
  await tx.query(
    `update monitoring_channels set enabled = coalesce($3, enabled), events = coalesce($4, events),
       stuck_after_minutes = coalesce($5, stuck_after_minutes) where tenant = $1 and id = $2`,
    [tenant, id, change.enabled ?? null, change.events ? [...change.events] : null, change.stuckAfterMinutes ?? null],
  );
  return getChannel(tx, tenant, id);
}

/** Deletes a channel with its history. @returns its row that was @throws not_found */
export async function removeChannel(tx: Transaction, tenant: string, id: string): Promise<ChannelRow> {
  const row = await getChannel(tx, tenant, id);
  await tx.query('delete from monitoring_channels where tenant = $1 and id = $2', [tenant, id]);
  return row;
}

/** Puts a test into the outbox. @returns its id */
export async function testChannel(tx: Transaction, channel: ChannelRow, now: Date): Promise<string> {
  const { tenant, id } = channel;
  const project = { id: channel.project ?? '', name: channel.project_name ?? 'all' };
  const dedupe = newId('delivery');
  await insertDeliveries(tx, [{ tenant, channelId: id, dedupe, told: testOf(tenant, project, now) }]);
  const { rows } = await tx.query<{ id: string }>(
    'select id from monitoring_deliveries where channel_id = $1 and dedupe = $2',
    [id, dedupe],
  );
  return rows[0]!.id;
}

/** Deliveries, newest first. */
export async function listDeliveries(
  db: Queryable,
  tenant: string,
  page: {
    readonly channelId?: string | undefined;
    readonly state?: string | undefined;
    readonly before: string;
    readonly limit: number;
  },
): Promise<DeliveryRow[]> {
  const { rows } = await db.query<DeliveryRow>(
    `select ${deliveryColumns} from monitoring_deliveries
     where tenant = $1 and id < $2 and ($3::text is null or channel_id = $3) and ($4::text is null or state = $4)
     order by id desc limit $5`,
    [tenant, page.before, page.channelId ?? null, page.state ?? null, page.limit],
  );
  return rows;
}

/** Sends a delivery again, whatever became of it: the same id and body, so that a receiver knows it. @throws not_found */
export async function replayDelivery(tx: Transaction, tenant: string, id: string): Promise<DeliveryRow> {
  const { rows } = await tx.query<DeliveryRow>(
    `update monitoring_deliveries set state = 'pending', attempts = 0, next_at = now(), settled_at = null
     where tenant = $1 and id = $2 and (lease_until is null or lease_until < now()) returning ${deliveryColumns}`,
    [tenant, id],
  );
  if (rows[0]) return rows[0];
  const busy = await tx.query('select from monitoring_deliveries where tenant = $1 and id = $2', [tenant, id]);
  if (busy.rows.length > 0) throw new SolyxError('conflict', `Delivery ${id} is being sent just now.`);
  throw new SolyxError('not_found', `No delivery ${id}.`);
}
