/** The orchestrator's hot statements. */
import { type Database, type Queryable, withSystem } from '../../common/database/index.ts';
import type { AttemptToRun } from './backends/backend.ts';
import type { NodeContact } from './reconcile.ts';

/** Seconds for which a silent owner keeps its attempts; owners renew at a third of it. */
export const ownerLeaseSeconds = 30;

/** Renews the lease of an orchestrator process and forgets owners that were silent for an hour. */
export async function renewLease(db: Database, owner: string): Promise<void> {
  await db.system.query(
    `insert into cmo_owners (id, component, lease_until) values ($1, 'orchestrator', now() + make_interval(secs => $2))
     on conflict (id) do update set lease_until = excluded.lease_until`,
    [owner, ownerLeaseSeconds],
  );
  await db.system.query(`delete from cmo_owners where lease_until < now() - interval '1 hour'`);
}

/** Gives an owner's attempts back, on a graceful stop. */
export async function dropLease(db: Database, owner: string): Promise<void> {
  await db.system.query('delete from cmo_owners where id = $1', [owner]);
}

/**
 * Claims attempts that are due and that no living owner holds, and puts them off for the time of one step.
 * @param limit most attempts, > 0
 */
export async function claimDue(db: Database, owner: string, limit: number): Promise<string[]> {
  const { rows } = await db.system.query<{ id: string }>(
    `update cmo_attempts set owner = $1, due_at = now() + interval '10 seconds'
     where id in (
       select id from cmo_attempts a
       where state <> 'ended' and due_at <= now()
         and (owner is null or owner = $1
              or not exists (select from cmo_owners o where o.id = a.owner and o.lease_until > now()))
       order by due_at limit $2 for no key update skip locked)
     returning id`,
    [owner, limit],
  );
  return rows.map(({ id }) => id);
}

/** Milliseconds until the next attempt of this owner, or of nobody, is due; null when none is. */
export async function untilNextDue(db: Database, owner: string): Promise<number | null> {
  const { rows } = await db.system.query<{ ms: number | null }>(
    `select extract(epoch from min(due) - now())::float8 * 1000 as ms from (
       (select due_at as due from cmo_attempts where state <> 'ended' and (owner is null or owner = $1) and due_at < 'infinity'
        order by due_at limit 1)
       union all
       (select queue_deadline from cmo_jobs where state = 'queued' and queue_deadline is not null order by queue_deadline limit 1)
     ) as next`,
    [owner],
  );
  return rows[0]?.ms ?? null;
}

/** Sets when an attempt should be looked at again; null: only when something changes. */
export async function setDue(tx: Queryable, attemptId: string, until: Date | null): Promise<void> {
  await tx.query(`update cmo_attempts set due_at = coalesce($2, 'infinity'::timestamptz) where id = $1`, [
    attemptId,
    until,
  ]);
}

/**
 * Live attempts that hold nodes whose contact is not what the attempt's state says.
 * @param nodeIds nodes that changed, or null for all
 */
export async function attemptsOutOfTouch(db: Database, nodeIds: readonly string[] | null): Promise<string[]> {
  const { rows } = await db.system.query<{ id: string }>(
    `select distinct a.id
     from drm_nodes n
     join cmo_attempt_ranks r on r.node_id = n.id and r.state <> 'ended'
     join cmo_attempts a on a.id = r.attempt_id
     where ($1::text[] is null or n.id = any($1))
       and ((n.presence in ('lost', 'removed') and a.state not in ('unknown', 'ended'))
            or (n.presence = 'removed' and a.state = 'unknown')
            or (n.presence = 'ready' and a.state = 'unknown'))`,
    [nodeIds],
  );
  return rows.map(({ id }) => id);
}

/** How the nodes of an attempt can be reached. */
export async function readContact(tx: Queryable, nodeIds: readonly string[]): Promise<Map<string, NodeContact>> {
  const { rows } = await tx.query<{ id: string; presence: NodeContact['presence']; last_acked_at: Date | null }>(
    `select n.id, n.presence, h.last_acked_at from drm_nodes n left join drm_heartbeats h on h.node_id = n.id
     where n.id = any($1::text[])`,
    [[...nodeIds]],
  );
  return new Map(rows.map((row) => [row.id, { presence: row.presence, lastAckedAt: row.last_acked_at }]));
}

/** Reads an attempt with its allocation as a backend needs it; undefined when it holds nothing any more. */
export async function readAttemptToRun(db: Database, attemptId: string): Promise<AttemptToRun | undefined> {
  return withSystem(db, async (tx) => {
    const { rows } = await tx.query<Omit<AttemptToRun, 'ranks'>>(
      `select a.id as "attemptId", j.id as "jobId", j.tenant, a.number, a.token, j.spec, j.array_index as "arrayIndex",
              j.checkpoint_hash as "checkpointHash"
       from cmo_attempts a join cmo_jobs j on j.id = a.job_id where a.id = $1`,
      [attemptId],
    );
    const ranks = await tx.query<AttemptToRun['ranks'][number]>(
      `select held.rank, held.node_id as "nodeId", held.cpu_milli::float8 as "cpuMilli",
              held.memory_bytes::float8 as "memoryBytes", held.disk_bytes::float8 as "diskBytes",
              coalesce((select jsonb_agg(jsonb_build_object('deviceId', share.device_id, 'milli', share.milli) order by share.device_id)
                        from drm_allocation_devices share
                        where share.allocation_id = held.allocation_id and share.rank = held.rank), '[]') as devices
       from drm_allocations a join drm_allocation_nodes held on held.allocation_id = a.id
       where a.attempt_id = $1 and a.state <> 'released' order by held.rank`,
      [attemptId],
    );
    return rows[0] && ranks.rows.length > 0 ? { ...rows[0], ranks: ranks.rows } : undefined;
  });
}

/** Ended attempts whose backend was not yet told to forget them. */
export async function attemptsToForget(
  db: Database,
  limit: number,
): Promise<{ id: string; token: bigint; backend: string }[]> {
  const { rows } = await db.system.query<{ id: string; token: bigint; backend: string }>(
    `select id, token, backend from cmo_attempts where state = 'ended' and forgotten_at is null order by id limit $1`,
    [limit],
  );
  return rows;
}

/** Records that a backend was told. */
export async function markForgotten(db: Database, attemptIds: readonly string[]): Promise<void> {
  await db.system.query('update cmo_attempts set forgotten_at = now() where id = any($1::text[])', [[...attemptIds]]);
}
