/**
 * The job side of committing a plan: which of the planned jobs are still as planned, and their new attempts.
 * The allocator calls it inside its transaction, jobs before nodes, so that locks are always taken in one order.
 */
import type { Placement } from '../../common/contract/plan.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { appendEvents, writeDirty } from '../../common/events/index.ts';
import { newId } from '../../common/ids.ts';
import type { AttemptLedger } from '../../drm/allocator/index.ts';

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

/** Makes an attempt with its ranks for each placement and moves the job to `starting`. */
async function create(
  tx: Transaction,
  items: readonly { placement: Placement; tenant: string; backend: string }[],
): Promise<Map<string, { attemptId: string; token: bigint }>> {
  if (items.length === 0) return new Map();
  const attemptIds = items.map(() => newId('attempt') as string);
  const { rows } = await tx.query<{
    id: string;
    job_id: string;
    tenant: string;
    number: number;
    token: bigint;
    revision: bigint;
  }>(
    `with new as (
       select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[])
         as n (id, job_id, backend, site_id, explanation)
     ), job as (
       update cmo_jobs j
       set state = 'starting', pending_reason = null, pending_detail = null, deferred_until = null,
           attempt_count = attempt_count + 1, newest_token = nextval('cmo_attempt_tokens'), revision = revision + 1
       from new where j.id = new.job_id
       returning j.id, j.tenant, j.attempt_count, j.newest_token, j.revision
     )
     insert into cmo_attempts (id, tenant, job_id, number, token, backend, site_id, explanation)
     select new.id, job.tenant, job.id, job.attempt_count, job.newest_token, new.backend, new.site_id, new.explanation
     from new join job on job.id = new.job_id
     returning id, job_id, tenant, number, token, (select revision from job where job.id = job_id) as revision`,
    [
      attemptIds,
      items.map(({ placement }) => placement.jobId),
      items.map(({ backend }) => backend),
      items.map(({ placement }) => placement.siteId),
      items.map(({ placement }) => JSON.stringify(placement.explanation)),
    ],
  );
  const byJob = new Map(rows.map((row) => [row.job_id, row]));
  const ranks = items.flatMap(({ placement }) =>
    placement.ranks.map((rank, index) => ({ attempt: byJob.get(placement.jobId)!, rank: index, nodeId: rank.nodeId })),
  );
  await tx.query(
    `insert into cmo_attempt_ranks (attempt_id, tenant, rank, node_id)
     select * from unnest($1::text[], $2::text[], $3::int[], $4::text[])`,
    [
      ranks.map(({ attempt }) => attempt.id),
      ranks.map(({ attempt }) => attempt.tenant),
      ranks.map(({ rank }) => rank),
      ranks.map(({ nodeId }) => nodeId),
    ],
  );
  await appendEvents(
    tx,
    rows.flatMap((row) => [
      {
        tenant: row.tenant,
        kind: 'job.starting',
        subject: row.job_id,
        revision: row.revision,
        data: { from: 'queued', to: 'starting', attempt: row.id, number: row.number, who: 'scheduler' },
      },
    ]),
  );
  await writeDirty(
    tx,
    'job',
    rows.map(({ job_id }) => job_id),
  );
  return new Map(rows.map((row) => [row.job_id, { attemptId: row.id, token: row.token }]));
}

export const attemptLedger = { claim, create } satisfies AttemptLedger;
