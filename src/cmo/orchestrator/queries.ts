/**
 * The orchestrator's hot statements.
 *
 * A claim is `owner` on an attempt's row, held while it is looked at, and good as long as the owner's lease (`cmo_owners`) runs by
 * the database's clock: it keeps replicas from doing the same work. A claim moves `due_at` to infinity; whatever happens meanwhile pulls it
 * back (`least`), so that nothing that comes between the look and the release of the claim is missed. What makes steps right are the
 * locks of their transaction, so who has news of an attempt steps it without a claim.
 */
import type { Database, Queryable } from '../../common/database/index.ts';
import type { AttemptToRun } from './backends/backend.ts';
import type { NodeContact } from './reconcile.ts';

/** Seconds for which a silent owner keeps its claims; while it holds any it renews at a third of it. */
export const ownerLeaseSeconds = 15;

/** Renews the lease of an orchestrator process. */
export async function renewLease(db: Database, owner: string): Promise<void> {
  await db.system.query(
    `insert into cmo_owners (id, component, lease_until) values ($1, 'orchestrator', now() + make_interval(secs => $2))
     on conflict (id) do update set lease_until = excluded.lease_until`,
    [owner, ownerLeaseSeconds],
  );
}

/** Gives an owner's claims back, on a graceful stop. */
export async function dropLease(db: Database, owner: string): Promise<void> {
  await db.system.query('delete from cmo_owners where id = $1', [owner]);
}

/** Forgets owners that were silent for an hour. */
export async function dropDeadOwners(db: Database): Promise<void> {
  await db.system.query(`delete from cmo_owners where lease_until < now() - interval '1 hour'`);
}

export interface Claim {
  readonly id: string;
  readonly backend: string;
}

/**
 * Attempts that were placed and are to be handed to their backend. Nobody claims them: nothing outside the database is asked before their
 * first step, so its locks are enough, and a claim would be one more version of the row.
 */
export async function placedDue(db: Database, backends: readonly string[], limit: number): Promise<Claim[]> {
  const { rows } = await db.system.query<Claim>(
    `select id, backend from cmo_attempts
     where state <> 'ended' and owner is null and due_at <= now() and state = 'placed' and backend = any($1::text[])
     order by due_at limit $2`,
    [[...backends], limit],
  );
  return rows;
}

/**
 * Claims attempts that are due (those that were only placed apart), and those that a dead owner, or an earlier round of this one, left
 * behind.
 * @param backends only attempts of these: another process may have the others
 * @param limit most attempts of either kind, > 0
 */
export async function claimDue(
  db: Database,
  owner: string,
  backends: readonly string[],
  limit: number,
): Promise<Claim[]> {
  const { rows } = await db.system.query<Claim>(
    `with due as (
       select id from cmo_attempts
       where state <> 'ended' and owner is null and due_at <= now() and state <> 'placed' and backend = any($3::text[])
       order by due_at limit $4 for no key update skip locked
     ), abandoned as (
       select id from cmo_attempts a
       where state <> 'ended' and owner is not null and backend = any($3::text[])
         and (owner = $1 or not exists (select from cmo_owners o where o.id = a.owner and o.lease_until > now()))
       limit $4 for no key update skip locked
     ), claimed as (
       update cmo_attempts set owner = $1, due_at = 'infinity'
       where id in (select id from due union all select id from abandoned)
       returning id, backend
     ), lease as (
       insert into cmo_owners (id, component, lease_until)
       select $1, 'orchestrator', now() + make_interval(secs => $2) where exists (select from claimed)
       on conflict (id) do update set lease_until = excluded.lease_until
     )
     select id, backend from claimed`,
    [owner, ownerLeaseSeconds, [...backends], limit],
  );
  return rows;
}

/** After a failure: gives a claim back if there is one, and has the attempt looked at again after a pause in seconds. */
export async function postpone(db: Database, attemptId: string, owner: string, pause: number): Promise<void> {
  await db.system.query(
    `update cmo_attempts
     set owner = null,
         due_at = case when owner is null and due_at <= now() then now() else least(due_at, now()) end + make_interval(secs => $3)
     where id = $1 and state <> 'ended' and (owner = $2 or owner is null)`,
    [attemptId, owner, pause],
  );
}

/** These attempts are due now: something around them changed. */
export async function markDue(db: Database, attemptIds: readonly string[]): Promise<void> {
  if (attemptIds.length === 0) return;
  await db.system.query(
    `with locked as (
       select id from cmo_attempts where id = any($1::text[]) and state <> 'ended' and due_at > now()
       order by id for no key update
     )
     update cmo_attempts a set due_at = now() from locked where a.id = locked.id`,
    [[...attemptIds]],
  );
}

/** Backends still speak of these attempts: those that have ended are to be forgotten again. */
export async function forgetAgain(db: Database, attemptIds: readonly string[]): Promise<void> {
  if (attemptIds.length === 0) return;
  await db.system.query(
    `with locked as (
       select id from cmo_attempts where id = any($1::text[]) and state = 'ended' and forgotten_at is not null
       order by id for no key update
     )
     update cmo_attempts a set forgotten_at = null from locked where a.id = locked.id`,
    [[...attemptIds]],
  );
}

/** Milliseconds until the next attempt or queue deadline is due, or another's claims may be orphaned; null: never. */
export async function untilNextDue(db: Database, owner: string): Promise<number | null> {
  const { rows } = await db.system.query<{ ms: number | null }>(
    `select extract(epoch from min(due) - now())::float8 * 1000 as ms from (
       (select due_at as due from cmo_attempts where state <> 'ended' and owner is null and due_at < 'infinity'
        order by due_at limit 1)
       union all
       (select queue_deadline from cmo_jobs
        where state = 'queued' and queue_deadline is not null and started_at is null order by queue_deadline limit 1)
       union all
       (select min(o.lease_until) from cmo_attempts a join cmo_owners o on o.id = a.owner
        where a.state <> 'ended' and a.owner is not null and a.owner <> $1)
     ) as next`,
    [owner],
  );
  return rows[0]?.ms ?? null;
}

/**
 * Live attempts that hold nodes whose contact is not what the attempt's state says.
 * @param nodeIds nodes that changed, or null for all
 */
export async function attemptsOutOfTouch(db: Database, nodeIds: readonly string[] | null): Promise<string[]> {
  const { rows } = await db.system.query<{ id: string }>(
    `select r.attempt_id as id from drm_nodes n
     join cmo_attempt_ranks r on r.node_id = n.id and r.state <> 'ended'
     join cmo_attempts a on a.id = r.attempt_id
     where ($1::text[] is null or n.id = any($1))
       and (n.presence = 'removed' or (n.presence = 'lost' and a.state <> 'unknown')) and a.state <> 'ended'
     union
     select a.id from cmo_attempts a
     join cmo_attempt_ranks r on r.attempt_id = a.id and r.state <> 'ended'
     join drm_nodes n on n.id = r.node_id and n.presence = 'ready'
     where a.state = 'unknown' and ($1::text[] is null or n.id = any($1))`,
    [nodeIds === null ? null : [...nodeIds]],
  );
  return rows.map(({ id }) => id);
}

/** How the nodes of an attempt can be reached, and what time it is where their heartbeats are dated. */
export async function readContact(
  tx: Queryable,
  nodeIds: readonly string[],
): Promise<{ now: Date; contact: Map<string, NodeContact> }> {
  const { rows } = await tx.query<{
    now: Date;
    id: string | null;
    presence: NodeContact['presence'];
    last_acked_at: Date | null;
  }>(
    `select clock.now, n.id, n.presence, h.last_acked_at
     from (select clock_timestamp() as now) clock
     left join (unnest($1::text[]) as wanted (id) join drm_nodes n on n.id = wanted.id) on true
     left join drm_heartbeats h on h.node_id = n.id`,
    [[...new Set(nodeIds)]],
  );
  const contact = new Map<string, NodeContact>();
  for (const { id, presence, last_acked_at } of rows) {
    if (id !== null) contact.set(id, { presence, lastAckedAt: last_acked_at });
  }
  return { now: rows[0]!.now, contact };
}

/** Reads attempts with their allocations as a backend needs them, by id; without those that hold nothing any more. */
export async function readAttemptsToRun(
  db: Database,
  attemptIds: readonly string[],
): Promise<Map<string, AttemptToRun>> {
  if (attemptIds.length === 0) return new Map();
  // One statement, because a person waits for it.
  const { rows } = await db.system.query<AttemptToRun>(
    `select a.id as "attemptId", j.id as "jobId", j.tenant, a.number, a.token, j.spec, j.array_index as "arrayIndex",
            j.checkpoint_hash as "checkpointHash", placed.ranks
     from cmo_attempts a
     join cmo_jobs j on j.id = a.job_id
     join lateral (
       select json_agg(json_build_object(
                'rank', held.rank, 'nodeId', held.node_id, 'cpuMilli', held.cpu_milli, 'memoryBytes', held.memory_bytes,
                'diskBytes', held.disk_bytes,
                'devices', coalesce((select json_agg(json_build_object('deviceId', share.device_id, 'milli', share.milli)
                                                      order by share.device_id)
                                     from drm_allocation_devices share
                                     where share.allocation_id = held.allocation_id and share.rank = held.rank), '[]')
              ) order by held.rank) as ranks
       from drm_allocations allocation join drm_allocation_nodes held on held.allocation_id = allocation.id
       where allocation.attempt_id = a.id and allocation.state <> 'released'
     ) placed on placed.ranks is not null
     where a.id = any($1::text[]) and a.state <> 'ended'`,
    [[...attemptIds]],
  );
  return new Map(rows.map((attempt) => [attempt.attemptId, attempt]));
}

export interface EndedAttempt extends Claim {
  readonly token: bigint;
}

/** Ended attempts whose backend was not yet told to forget them. */
export async function attemptsToForget(
  db: Database,
  backends: readonly string[],
  limit: number,
): Promise<EndedAttempt[]> {
  const { rows } = await db.system.query<EndedAttempt>(
    `select id, token, backend from cmo_attempts
     where state = 'ended' and forgotten_at is null and backend = any($1::text[]) order by id limit $2`,
    [[...backends], limit],
  );
  return rows;
}

/** Records that a backend was told. */
export async function markForgotten(db: Database, attemptIds: readonly string[]): Promise<void> {
  await db.system.query('update cmo_attempts set forgotten_at = now() where id = any($1::text[])', [[...attemptIds]]);
}

/** Those of these attempts that have ended or never were. */
export async function notAlive(db: Database, attemptIds: readonly string[]): Promise<{ id: string; known: boolean }[]> {
  const { rows } = await db.system.query<{ id: string; known: boolean }>(
    `select want.id, a.id is not null as known from unnest($1::text[]) as want (id)
     left join cmo_attempts a on a.id = want.id where a.id is null or a.state = 'ended'`,
    [[...attemptIds]],
  );
  return rows;
}
