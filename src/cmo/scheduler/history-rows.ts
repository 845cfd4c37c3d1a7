/**
 * What a scheduler that starts has to know of the time before it: how long jobs ran, and what was ended for others within the hour.
 *
 * Both are rows already, so nothing of what is learned is stored: the newest ends are played again, in their order, which gives what having
 * watched them would. Of a tenant at most a part is read, so that one with many short jobs leaves room for the others.
 */
import type { JobSpec } from '../../common/contract/job-spec.ts';
import type { Queryable } from '../../common/database/index.ts';
import { type JobTraits, traitsOf, traitsOfSpec } from './job-traits.ts';

/** A job that ran and ended by itself. */
export interface EndedRun {
  readonly traits: JobTraits;
  /** Of its last attempt, epoch milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number;
}

export interface History {
  readonly runs: readonly EndedRun[];
  /** When jobs were ended for others, epoch milliseconds. */
  readonly preemptedAt: readonly number[];
}

/** Most ends in all, and of a tenant by each of its two ends, well and not. */
const mostRuns = 5_000;
const mostOfTenant = 1_000;

interface RunRow {
  user: string;
  name: string;
  resources: JobSpec['resources'];
  runSeconds: number | null;
  startedAt: number;
  endedAt: number;
}

const runsStatement = `
  select cmo_submitter(j.submitted_by) as user, j.name, j.spec -> 'resources' as resources,
         (j.spec #>> '{timeouts,run}')::float8 as "runSeconds",
         (extract(epoch from a.placed_at) * 1000)::float8 as "startedAt", (extract(epoch from j.ended_at) * 1000)::float8 as "endedAt"
  from (
    select latest.* from cmo_tenants t
    cross join unnest(array['succeeded', 'failed']) as how
    cross join lateral (
      select * from cmo_jobs where tenant = t.id and state = how and ended_at is not null order by ended_at desc limit $2
    ) latest
    order by latest.ended_at desc limit $1
  ) j
  join cmo_attempts a on a.job_id = j.id and a.number = j.attempt_count`;

const preemptedStatement = `
  select (extract(epoch from ended_at) * 1000)::float8 as at from cmo_attempts
  where outcome = 'preempted' and ended_at > now() - interval '1 hour'
  union all
  select (extract(epoch from now()) * 1000)::float8 from cmo_jobs
  where state in ('starting', 'running', 'stopping') and state = 'stopping' and stop_reason = 'preempt'`;

/** Reads it; bounded, whatever there is. */
export async function readHistory(db: Queryable): Promise<History> {
  const { rows } = await db.query<RunRow>(runsStatement, [mostRuns, mostOfTenant]);
  const preempted = await db.query<{ at: number }>(preemptedStatement);
  return {
    runs: rows.map((row) => ({ traits: traitsOfRow(row), startedAt: row.startedAt, endedAt: row.endedAt })),
    preemptedAt: preempted.rows.map(({ at }) => at),
  };
}

/** Those of a spec that cannot be read say nothing. */
function traitsOfRow({ resources, runSeconds, user, name }: RunRow): JobTraits {
  try {
    return traitsOfSpec({ resources, timeouts: { run: runSeconds ?? undefined } } as JobSpec, user, name);
  } catch {
    return traitsOf({ user, name, devices: 0, cores: 1, runSeconds });
  }
}
