/**
 * Sends what is due in the outbox: at least once, and with bounded effort.
 *
 * A delivery is claimed by a lease and its try counted before anything is sent; whoever is killed in between leaves a row that is
 * sent again when the lease is over, under the same id, by which a receiver knows it. Failed tries come again after a growing,
 * jittered pause, eight times over about six hours; then the delivery has failed, and can be replayed. One channel has at most two
 * tries under way and one tenant six, so a receiver that hangs holds up only itself.
 */
import { type Database, withSystem } from '../../../common/database/index.ts';
import type { Transaction } from '../../../common/database/queryable.ts';
import type { Told } from './body.ts';
import type { Sent } from './webhook.ts';

export const mostAttempts = 8;
const leaseSeconds = 120;
/** Tries under way at once, of one channel and of one tenant. */
const perChannel = 2;
const perTenant = 6;
const mostLogged = 10;

export interface Claimed {
  readonly id: string;
  readonly tenant: string;
  readonly event: Told['event'];
  readonly body: string;
  /** Number of this try, from 1. */
  readonly attempts: number;
  readonly channel_id: string;
  readonly kind: 'webhook' | 'email';
  readonly url: string | null;
  readonly recipients: string[] | null;
  readonly secret: Buffer | null;
}

/** Claims at most `limit` deliveries that are due. */
export function claimDue(db: Database, limit: number): Promise<Claimed[]> {
  return withSystem(db, async (tx) => {
    const { rows } = await tx.query<Claimed>(
      `update monitoring_deliveries d set attempts = d.attempts + 1, lease_until = now() + make_interval(secs => $1)
       from (
         select id from (
           select d.id, d.next_at, busy.channel, busy.tenant, row_number() over (partition by d.channel_id order by d.next_at) as place,
                  row_number() over (partition by d.tenant order by d.next_at) as turn
           from monitoring_deliveries d join monitoring_channels c on c.id = d.channel_id and c.enabled
           left join lateral (
             select count(*) filter (where o.channel_id = d.channel_id) as channel, count(*) as tenant
             from monitoring_deliveries o where o.tenant = d.tenant and o.state = 'pending' and o.lease_until > now()
           ) as busy on true
           where d.state = 'pending' and d.next_at <= now() and (d.lease_until is null or d.lease_until < now())
             and busy.channel < $2 and busy.tenant < $4
         ) as waiting where place + channel <= $2 and turn + tenant <= $4 order by next_at limit $3
       ) as due, monitoring_channels c
       where d.id = due.id and c.id = d.channel_id and d.state = 'pending'
         and (d.lease_until is null or d.lease_until < now())
       returning d.id, d.tenant, d.event, d.body, d.attempts, d.channel_id, c.kind, c.url, c.recipients, c.secret`,
      [leaseSeconds, perChannel, limit, perTenant],
    );
    return rows;
  });
}

/** Pause before the next try, seconds: 30 s, growing threefold to two hours, with jitter of a half. */
export function pauseSeconds(attempts: number, baseSeconds = 30): number {
  const full = Math.min(7_200, baseSeconds * 3 ** (attempts - 1));
  return full * (0.5 + Math.random() / 2);
}

/** Writes down what became of a try, unless a later one has begun. */
export async function settle(
  db: Database,
  claimed: Claimed,
  sent: Sent,
  tookMs: number,
  baseSeconds?: number,
): Promise<void> {
  const state = sent.kind === 'sent' ? 'sent' : claimed.attempts >= mostAttempts ? 'failed' : 'pending';
  const entry = {
    at: new Date().toISOString(),
    status: sent.status,
    error: sent.kind === 'sent' ? null : sent.error,
    ms: Math.round(tookMs),
  };
  await withSystem(
    db,
    (tx) =>
      tx.query(
        `update monitoring_deliveries
         set state = $3, lease_until = null, next_at = now() + make_interval(secs => $4),
             settled_at = case when $3 = 'pending' then null else now() end,
             log = (select jsonb_agg(item order by place) from (
                      select item, place from jsonb_array_elements(log || $5::jsonb) with ordinality as l (item, place)
                      order by place desc limit $6) as last)
         where id = $1 and attempts = $2 and state = 'pending'`,
        [
          claimed.id,
          claimed.attempts,
          state,
          pauseSeconds(claimed.attempts, baseSeconds),
          JSON.stringify([entry]),
          mostLogged,
        ],
      ),
    { idempotent: true },
  );
}

/** Seconds until something is due, ≥ 0; null when nothing waits. */
export async function nextDueSeconds(db: Database): Promise<number | null> {
  const { rows } = await db.system.query<{ seconds: number | null }>(
    `select extract(epoch from min(greatest(d.next_at, coalesce(d.lease_until, d.next_at))) - now())::float8 as seconds
     from monitoring_deliveries d join monitoring_channels c on c.id = d.channel_id and c.enabled where d.state = 'pending'`,
  );
  const seconds = rows[0]?.seconds ?? null;
  return seconds === null ? null : Math.max(0, seconds);
}

/** Deletes the history of deliveries after so many days, at most `limit` rows. @returns how many */
export async function pruneDeliveries(tx: Transaction, keptDays: number, limit = 5_000): Promise<number> {
  const { rowCount } = await tx.query(
    `delete from monitoring_deliveries where id in (
       select id from monitoring_deliveries where created_at < now() - make_interval(days => $1) order by created_at limit $2)`,
    [keptDays, limit],
  );
  return rowCount ?? 0;
}
