/**
 * The job side of committing a plan: which of the planned jobs are still as planned, and their new attempts.
 * The allocator calls it inside its transaction, jobs before nodes, so that locks are always taken in one order.
 */
import { packExplanation } from '../../common/contract/explanation.ts';
import type { Placement } from '../../common/contract/plan.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { newId } from '../../common/ids.ts';
import type { AttemptLedger } from '../../drm/allocator/index.ts';
import { conflicts } from './neighbour-conflicts.ts';

/** Locks the jobs that are still queued at the planned revision. A job that somebody changes right now is left out. */
async function claim(
  tx: Transaction,
  wants: readonly { jobId: string; revision: bigint }[],
): Promise<Map<string, { tenant: string }>> {
  const { rows } = await tx.query<{ id: string; tenant: string }>(
    `select j.id, j.tenant
     from cmo_jobs j join unnest($1::text[], $2::bigint[]) as want (id, revision) on j.id = want.id
     where j.state = 'queued' and j.revision = want.revision
     order by j.id for no key update of j skip locked`,
    [wants.map(({ jobId }) => jobId), wants.map(({ revision }) => revision)],
  );
  return new Map(rows.map(({ id, tenant }) => [id, { tenant }]));
}

/**
 * Makes an attempt with its ranks for each placement, moves the job to `starting`, and says so in both feeds. One statement, since each
 * round trip of a commit is one more wait with locks held.
 */
const createStatement = `
  with new as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[])
      with ordinality as n (id, job_id, backend, site_id, explanation, position)
  ), job as (
    update cmo_jobs j
    set state = 'starting', pending_reason = null, pending_detail = null, deferred_until = null,
        attempt_count = attempt_count + 1, newest_token = nextval('cmo_attempt_tokens'), revision = revision + 1
    from new where j.id = new.job_id
    returning j.id, j.tenant, j.attempt_count, j.newest_token, j.revision, new.id as attempt_id, new.position
  ), attempt as (
    insert into cmo_attempts (id, tenant, job_id, number, token, backend, site_id, explanation)
    select new.id, job.tenant, job.id, job.attempt_count, job.newest_token, new.backend, new.site_id, new.explanation
    from new join job on job.id = new.job_id
  ), rank as (
    insert into cmo_attempt_ranks (attempt_id, tenant, rank, node_id)
    select job.attempt_id, job.tenant, rank, node_id
    from unnest($6::text[], $7::int[], $8::text[]) as wanted (attempt_id, rank, node_id)
    join job on job.attempt_id = wanted.attempt_id
  ), event as (
    insert into feed_events (tenant, kind, subject, revision, data)
    select tenant, 'job.starting', id, revision,
      jsonb_build_object('from', 'queued', 'to', 'starting', 'attempt', attempt_id, 'number', attempt_count, 'who', 'scheduler')
    from job order by position
  ), dirty as (
    insert into feed_dirty (kind, key) select 'job', id from job
  )
  select id as "jobId", attempt_id as "attemptId", newest_token as token from job`;

async function create(
  tx: Transaction,
  items: readonly { placement: Placement; tenant: string; backend: string }[],
): Promise<Map<string, { attemptId: string; token: bigint }>> {
  if (items.length === 0) return new Map();
  const attempts = items.map((item) => ({ ...item, id: newId('attempt') as string }));
  const ranks = attempts.flatMap(({ id, placement }) =>
    placement.ranks.map(({ nodeId }, rank) => ({ attempt: id, rank, nodeId })),
  );
  const { rows } = await tx.query<{ jobId: string; attemptId: string; token: bigint }>(createStatement, [
    attempts.map(({ id }) => id),
    attempts.map(({ placement }) => placement.jobId),
    attempts.map(({ backend }) => backend),
    attempts.map(({ placement }) => placement.siteId),
    attempts.map(({ placement }) => JSON.stringify(packExplanation(placement.explanation))),
    ranks.map(({ attempt }) => attempt),
    ranks.map(({ rank }) => rank),
    ranks.map(({ nodeId }) => nodeId),
  ]);
  return new Map(rows.map(({ jobId, ...attempt }) => [jobId, attempt]));
}

export const attemptLedger = { claim, conflicts, create } satisfies AttemptLedger;
