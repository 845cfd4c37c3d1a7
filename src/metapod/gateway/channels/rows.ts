/**
 * Channels as rows: what is wanted of which node, who holds the client, until when.
 *
 * Ids are unguessable but open nothing: an agent takes a channel with its node's token, once, and a server that hands a channel on to the
 * holder shows a random text whose hash it wrote into the row, which only a server can.
 */
import type { Queryable, Transaction } from '../../../common/database/queryable.ts';
import { SolyxError } from '../../../common/errors/index.ts';

export const channelKinds = ['exec', 'forward', 'download', 'upload'] as const;
export type ChannelKind = (typeof channelKinds)[number];

export interface ChannelRow {
  readonly id: string;
  readonly tenant: string;
  readonly jobId: string;
  readonly attemptId: string;
  readonly rank: number;
  readonly token: bigint;
  readonly nodeId: string;
  readonly kind: ChannelKind;
  readonly keyId: string;
}

/** A channel whose holder did not renew it for so long is nobody's, seconds. */
export const channelLeaseSeconds = 20;
/** An agent that has not come by then never will, seconds. */
export const claimSeconds = 15;
/** Channels that a tenant may have open at once, over all servers. */
export const mostOfTenant = 64;

/**
 * Writes the intent down.
 * @param most channels of the tenant at once
 * @throws rate_limited when the tenant has that many
 */
export async function insertChannel(
  tx: Transaction,
  row: ChannelRow,
  holder: { readonly id: string; readonly url: string | undefined; readonly certificate: string | undefined },
  most: number = mostOfTenant,
): Promise<void> {
  // Two that count at once would both find room.
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('channels ' || $1, 0))`, [row.tenant]);
  const { rowCount } = await tx.query(
    `insert into metapod_channels (id, tenant, job_id, attempt_id, rank, token, node_id, kind, key_id, holder, holder_url, holder_certificate, lease_until)
     select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now() + make_interval(secs => $13)
     where (select count(*) from metapod_channels where tenant = $2 and lease_until > now()) < $14`,
    [
      row.id,
      row.tenant,
      row.jobId,
      row.attemptId,
      row.rank,
      row.token,
      row.nodeId,
      row.kind,
      row.keyId,
      holder.id,
      holder.url ?? null,
      holder.certificate ?? null,
      channelLeaseSeconds,
      most,
    ],
  );
  if (rowCount === 1) return;
  const detail = `${most} shells, forwardings and copies are open in this tenant; end one.`;
  throw new SolyxError('rate_limited', { detail, retryAfterSeconds: 5 });
}

/** Deletes a channel. @returns whether it was there */
export async function deleteChannel(tx: Transaction, id: string): Promise<boolean> {
  return (await tx.query('delete from metapod_channels where id = $1', [id])).rowCount === 1;
}

/** How the node of a channel would be reached now: protocol of its live session, or undefined. */
export async function sessionProtocol(db: Queryable, nodeId: string): Promise<number | undefined> {
  const { rows } = await db.query<{ protocol: number }>(
    'select protocol from metapod_sessions where node_id = $1 and lease_until > now()',
    [nodeId],
  );
  return rows[0]?.protocol;
}

export interface WantedChannel {
  readonly channelId: string;
  readonly nodeId: string;
  readonly attemptId: string;
  readonly rank: number;
  readonly token: string;
}

/** Channels that these nodes have not come for yet. */
export async function wantedChannels(db: Queryable, nodeIds: readonly string[]): Promise<WantedChannel[]> {
  const { rows } = await db.query<{ id: string; node_id: string; attempt_id: string; rank: number; token: bigint }>(
    `select id, node_id, attempt_id, rank, token from metapod_channels
     where node_id = any($1::text[]) and claimed_at is null and created_at > now() - make_interval(secs => $2)
     order by created_at limit 1000`,
    [[...nodeIds], claimSeconds],
  );
  return rows.map((row) => ({
    channelId: row.id,
    nodeId: row.node_id,
    attemptId: row.attempt_id,
    rank: row.rank,
    token: String(row.token),
  }));
}

/**
 * Takes a channel for its node, once.
 * @param relayHash of the text that proves us to the holder
 * @returns who holds the client; undefined when it is not this node's, was taken, or is too old
 */
export async function claimChannel(
  db: Queryable,
  channelId: string,
  nodeId: string,
  relayHash: Buffer,
): Promise<{ holder: string; holderUrl: string | null; certificate: string | null } | undefined> {
  const { rows } = await db.query<{ holder: string; holder_url: string | null; holder_certificate: string | null }>(
    `update metapod_channels set claimed_at = now(), relay_hash = $3
     where id = $1 and node_id = $2 and claimed_at is null and created_at > now() - make_interval(secs => $4)
     returning holder, holder_url, holder_certificate`,
    [channelId, nodeId, relayHash, claimSeconds],
  );
  const row = rows[0];
  return row && { holder: row.holder, holderUrl: row.holder_url, certificate: row.holder_certificate };
}

/** Whether a server may hand this channel to its holder; true once. */
export async function takeRelay(db: Queryable, channelId: string, holder: string, hash: Buffer): Promise<boolean> {
  const { rowCount } = await db.query(
    'update metapod_channels set relay_hash = null where id = $1 and holder = $2 and relay_hash = $3',
    [channelId, holder, hash],
  );
  return rowCount === 1;
}

export interface ChannelFate {
  readonly id: string;
  /** The rank has ended · a newer attempt exists · somebody else ended the row. */
  readonly fate: 'open' | 'ended' | 'stale' | 'gone';
}

/** Renews the leases of a holder's channels and says of each what became of its attempt. */
export async function renewChannels(db: Queryable, holder: string, ids: readonly string[]): Promise<ChannelFate[]> {
  const { rows } = await db.query<{ id: string; ended: boolean; newest: boolean }>(
    // Looked at several times a second; written only now and then.
    `with renewed as (
       update metapod_channels set lease_until = now() + make_interval(secs => $3)
       where holder = $1 and id = any($2::text[]) and lease_until < now() + make_interval(secs => $3 * 3.0 / 4)
     )
     select m.id, a.state = 'ended' or coalesce(r.state = 'ended', true) as ended, j.newest_token = m.token as newest
     from metapod_channels m join cmo_attempts a on a.id = m.attempt_id join cmo_jobs j on j.id = a.job_id
     left join cmo_attempt_ranks r on r.attempt_id = m.attempt_id and r.rank = m.rank
     where m.holder = $1 and m.id = any($2::text[])`,
    [holder, [...ids], channelLeaseSeconds],
  );
  const found = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => {
    const row = found.get(id);
    if (row === undefined) return { id, fate: 'gone' };
    return { id, fate: row.ended ? 'ended' : row.newest ? 'open' : 'stale' };
  });
}

/** Deletes channels whose holder died. @returns them, for the audit log */
export async function sweepChannels(
  tx: Transaction,
): Promise<{ id: string; tenant: string; jobId: string; kind: ChannelKind }[]> {
  const { rows } = await tx.query<{ id: string; tenant: string; job_id: string; kind: ChannelKind }>(
    `delete from metapod_channels where id in (
       select id from metapod_channels where lease_until < now() order by id limit 100 for update skip locked)
     returning id, tenant, job_id, kind`,
  );
  return rows.map(({ job_id, ...row }) => ({ ...row, jobId: job_id }));
}
