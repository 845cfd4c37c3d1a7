/**
 * Jobs that wait for other jobs: `after` of the spec.
 *
 * Whoever ends (or first starts) a job tells the feed, and only when somebody waits for it; one loop decides, for all who wait for
 * the same job together. It looks at rows and never at what was told, so a key that comes twice or late, a crash in between and
 * two servers at once all come to the same. A dependency that can no longer be met fails its dependents, and those fail theirs.
 */
import type { Queryable, Transaction } from '../../common/database/queryable.ts';
import { appendEvents, writeDirty } from '../../common/events/index.ts';
import type { JobRow } from './rows.ts';

/** Dependents decided about in one transaction. */
const batch = 500;

export type DependencyCondition = 'started' | 'succeeded' | 'ended';

/** Says that these jobs ended or started; costs a look at an index for those that nobody waits for. */
export async function tellDependents(
  tx: Queryable,
  jobs: readonly { readonly id: string; readonly array_id: string | null }[],
): Promise<void> {
  if (jobs.length === 0) return;
  const ids = [...new Set(jobs.flatMap(({ id, array_id }) => (array_id === null ? [id] : [id, array_id])))];
  await tx.query(
    `insert into feed_dirty (kind, key)
     select 'dependency', id from unnest($1::text[]) as told (id)
     where exists (select from cmo_job_dependencies where on_id = told.id and not met)`,
    [ids],
  );
}

/** Which of these ids are no job and no array of the tenant of this transaction. */
export async function missingJobs(tx: Queryable, ids: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `select id from unnest($1::text[]) as wanted (id)
     where not exists (select from cmo_jobs j where j.id = wanted.id)
       and not exists (select from cmo_jobs j where j.array_id = wanted.id
                       and j.tenant = current_setting('solyx.tenant', true))`,
    [ids],
  );
  return rows.map(({ id }) => id);
}

/** Everything that is waited for, in pages: for whoever missed what was told. */
export async function awaitedJobs(db: Queryable, after: string, limit: number): Promise<string[]> {
  const { rows } = await db.query<{ on_id: string }>(
    'select distinct on_id from cmo_job_dependencies where not met and on_id > $1 order by on_id limit $2',
    [after, limit],
  );
  return rows.map(({ on_id }) => on_id);
}

/** What became of jobs that are waited for; of an array, of all its tasks together. */
interface Awaited {
  readonly id: string;
  readonly met: readonly DependencyCondition[];
  /** What can no longer come true. */
  readonly never: readonly DependencyCondition[];
}

/**
 * Decides about those who wait for these jobs: met, failed, or still waiting.
 * @param tx of the system
 * @returns ids of jobs that may be planned now, of those that failed, and whether there is more to decide
 */
export async function decideDependents(
  tx: Transaction,
  ids: readonly string[],
): Promise<{ readonly free: readonly string[]; readonly failed: readonly string[]; readonly more: boolean }> {
  const decided = (await readAwaited(tx, ids)).filter(({ met, never }) => met.length + never.length > 0);
  const facts = decided.flatMap(({ id, met, never }) => [
    ...met.map((condition) => ({ id, condition, met: true })),
    ...never.map((condition) => ({ id, condition, met: false })),
  ]);
  const { rows: concerned } = await tx.query<{ id: string }>(
    `select distinct d.job_id as id
     from cmo_job_dependencies d join unnest($1::text[], $2::text[]) as fact (id, condition)
       on d.on_id = fact.id and d.condition = fact.condition and not d.met
     join cmo_jobs j on j.id = d.job_id and j.state = 'queued'
     order by 1 limit $3`,
    [facts.map(({ id }) => id), facts.map(({ condition }) => condition), batch],
  );
  const waiting = await lockQueued(
    tx,
    concerned.map(({ id }) => id),
  );
  const jobs = waiting.map(({ id }) => id);
  const met = facts.filter((fact) => fact.met);
  await tx.query(
    `update cmo_job_dependencies d set met = true
     from unnest($2::text[], $3::text[]) as fact (id, condition)
     where d.job_id = any($1::text[]) and d.on_id = fact.id and d.condition = fact.condition and not d.met`,
    [jobs, met.map(({ id }) => id), met.map(({ condition }) => condition)],
  );
  const never = facts.filter((fact) => !fact.met);
  const failed = await failHopeless(tx, jobs, never);
  const free = await countAgain(
    tx,
    jobs.filter((id) => !failed.includes(id)),
  );
  return { free, failed, more: concerned.length === batch };
}

async function readAwaited(tx: Queryable, ids: readonly string[]): Promise<Awaited[]> {
  const { rows } = await tx.query<{ id: string; known: boolean } & Record<string, boolean | string>>(
    `select awaited.id, fact.*
     from unnest($1::text[]) as awaited (id), lateral (
       select count(*) > 0 as known,
              coalesce(bool_and(started_at is not null), false) as started,
              coalesce(bool_and(state = 'succeeded'), false) as succeeded,
              coalesce(bool_and(ended_at is not null), false) as ended,
              coalesce(bool_or(ended_at is not null and started_at is null), true) as never_started,
              coalesce(bool_or(state in ('failed', 'cancelled')), true) as never_succeeded
       from (select state, started_at, ended_at from cmo_jobs where id = awaited.id
             union all
             select j.state, j.started_at, j.ended_at
             from (select tenant from cmo_job_dependencies where on_id = awaited.id and not met limit 1) as whose
             join cmo_jobs j on j.tenant = whose.tenant and j.array_id = awaited.id) as job
     ) as fact`,
    [ids],
  );
  return rows.map((row) => ({
    id: row.id,
    met: (['started', 'succeeded', 'ended'] as const).filter((condition) => row[condition] === true),
    never: [
      ...(row.never_started === true ? (['started'] as const) : []),
      ...(row.never_succeeded === true ? (['succeeded'] as const) : []),
      ...(row.known ? [] : (['ended'] as const)),
    ],
  }));
}

async function lockQueued(tx: Queryable, ids: readonly string[]): Promise<{ id: string }[]> {
  const { rows } = await tx.query<{ id: string }>(
    `select id from cmo_jobs where id = any($1::text[]) and state = 'queued' order by id for no key update`,
    [ids],
  );
  return rows;
}

/** Fails those of the jobs that wait for what can no longer be. */
async function failHopeless(
  tx: Transaction,
  jobs: readonly string[],
  never: readonly { readonly id: string; readonly condition: DependencyCondition }[],
): Promise<string[]> {
  if (never.length === 0 || jobs.length === 0) return [];
  const { rows } = await tx.query<Pick<JobRow, 'id' | 'tenant' | 'revision' | 'array_id' | 'reason'>>(
    `with hopeless as (
       select d.job_id, min(d.on_id) as on_id
       from cmo_job_dependencies d join unnest($2::text[], $3::text[]) as fact (id, condition)
         on d.on_id = fact.id and d.condition = fact.condition
       where d.job_id = any($1::text[]) and not d.met group by d.job_id
     )
     update cmo_jobs j set state = 'failed', reason = 'waited for ' || h.on_id || ', which cannot be any more',
            pending_reason = null, pending_detail = null, deferred_until = null, ended_at = now(), revision = revision + 1
     from hopeless h where j.id = h.job_id
     returning j.id, j.tenant, j.revision, j.array_id, j.reason`,
    [jobs, never.map(({ id }) => id), never.map(({ condition }) => condition)],
  );
  await appendEvents(
    tx,
    rows.map(({ id, tenant, revision, reason }) => ({
      tenant,
      kind: 'job.failed',
      subject: id,
      revision,
      data: { from: 'queued', to: 'failed', why: 'after', message: reason, who: 'orchestrator' },
    })),
  );
  await tellDependents(tx, rows);
  return rows.map(({ id }) => id);
}

/** Counts what jobs still wait for; those that wait for nothing go to the scheduler. @returns their ids */
async function countAgain(tx: Transaction, jobs: readonly string[]): Promise<string[]> {
  if (jobs.length === 0) return [];
  const { rows } = await tx.query<{ id: string; waits_for: number }>(
    `with waiting as (
       select j.id, count(d.on_id)::int as left_over,
              array_agg(d.on_id || ' (' || d.condition || ')' order by d.on_id) as names
       from cmo_jobs j left join cmo_job_dependencies d on d.tenant = j.tenant and d.job_id = j.id and not d.met
       where j.id = any($1::text[]) group by j.id
     )
     update cmo_jobs j
     set waits_for = w.left_over, revision = revision + 1,
         pending_reason = case when w.left_over > 0 then 'waits_for_jobs' else 'new' end,
         pending_detail = case when w.left_over > 0 then jsonb_build_object('message', cmo_awaited_sentence(w.names)) end
     from waiting w where j.id = w.id
     returning j.id, j.waits_for`,
    [jobs],
  );
  const free = rows.filter(({ waits_for }) => waits_for === 0).map(({ id }) => id);
  await writeDirty(tx, 'job', free);
  await writeDirty(
    tx,
    'verdict',
    rows.map(({ id }) => id),
  );
  return free;
}
