/** Reads of jobs and attempts for the API: keyset-paged by id, filtered by indexed text columns only. */
import type { JobState } from '../../common/contract/states/job.ts';
import type { Queryable } from '../../common/database/queryable.ts';
import { firstIdAt } from '../../common/ids.ts';
import type { AttemptRow, JobRow, RankRow } from './rows.ts';

export interface JobQuery {
  readonly state?: readonly JobState[] | undefined;
  /** Id of the project. */
  readonly project?: string | undefined;
  readonly namePrefix?: string | undefined;
  readonly labels?: readonly { readonly key: string; readonly value: string }[] | undefined;
  readonly arrayId?: string | undefined;
  /** Id of the API key. */
  readonly submittedBy?: string | undefined;
  /** Ids of keys, any of which may have submitted it; at most some hundreds. */
  readonly submitters?: readonly string[] | undefined;
  /** Submitted at or after, and before. */
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  /** Only ids below this one: the last of the page before. */
  readonly before?: string | undefined;
  /** Most rows, 1–1000. */
  readonly limit: number;
}

/** Reads one job of the transaction's tenant. */
export async function getJob(db: Queryable, id: string): Promise<JobRow | undefined> {
  const { rows } = await db.query<JobRow>('select * from cmo_jobs where id = $1', [id]);
  return rows[0];
}

/** Lists jobs of the tenant, newest first. */
export async function listJobs(db: Queryable, tenant: string, query: JobQuery): Promise<JobRow[]> {
  const values: unknown[] = [tenant];
  const bind = (value: unknown) => `$${values.push(value)}`;
  const where = ['j.tenant = $1'];
  const states = [...new Set(query.state)];
  if (states.length === 1) where.push(`j.state = ${bind(states[0])}`);
  if (query.project) where.push(`j.project = ${bind(query.project)}`);
  if (query.arrayId) where.push(`j.array_id = ${bind(query.arrayId)}`);
  if (query.submittedBy) where.push(`j.submitted_by = ${bind(query.submittedBy)}`);
  if (query.before) where.push(`j.id < ${bind(query.before)}`);
  // Ids sort by time, so an interval of time is one of ids, along the index that every list is read by.
  if (query.from) where.push(`j.id >= ${bind(firstIdAt('job', query.from))}`);
  if (query.to) where.push(`j.id < ${bind(firstIdAt('job', query.to))}`);
  if (query.namePrefix) {
    // a prefix as a range of text_pattern_ops: LIKE would not be leakproof under row-level security
    where.push(`j.name ~>=~ ${bind(query.namePrefix)} and j.name ~<~ ${bind(`${query.namePrefix}\u{10ffff}`)}`);
  }
  for (const { key, value } of query.labels ?? []) {
    where.push(
      `exists (select from cmo_job_labels l where l.tenant = $1 and l.key = ${bind(key)} and l.value = ${bind(value)} and l.job_id = j.id)`,
    );
  }
  const limit = bind(query.limit);
  // One page for each key and state, then the newest of them: with `any` the planner would sort all that the keys ever submitted, or
  // read all jobs of the tenant, newest first, in search of states that none of them is in.
  const each: string[] = [];
  if (query.submitters) {
    each.push(`unnest(${bind(query.submitters)}::text[]) as key`);
    where.push('j.submitted_by = key');
  }
  if (states.length > 1) {
    each.push(`unnest(${bind(states)}::text[]) as wanted`);
    where.push('j.state = wanted');
  }
  const page = `select j.* from cmo_jobs j where ${where.join(' and ')} order by j.id desc limit ${limit}`;
  const statement =
    each.length === 0
      ? page
      : `select j.* from ${each.join(' cross join ')} cross join lateral (${page}) j order by j.id desc limit ${limit}`;
  const { rows } = await db.query<JobRow>(statement, values);
  return rows;
}

/** Attempts of a job, oldest first. */
export async function listAttempts(db: Queryable, jobId: string): Promise<AttemptRow[]> {
  const { rows } = await db.query<AttemptRow>('select * from cmo_attempts where job_id = $1 order by number', [jobId]);
  return rows;
}

/** Ranks of attempts, in order. */
export async function listRanks(db: Queryable, attemptIds: readonly string[]): Promise<RankRow[]> {
  const { rows } = await db.query<RankRow>(
    'select * from cmo_attempt_ranks where attempt_id = any($1::text[]) order by attempt_id, rank',
    [attemptIds],
  );
  return rows;
}
