/**
 * Moves attempts, and with them their jobs, through the states of contracts §1 while they live. The end is in
 * `end-attempt.ts`.
 *
 * Every function expects the rows that `loadForUpdate` locked in this transaction, refuses what the transition table does
 * not allow, and returns the rows as they are afterwards, so that several moves can follow each other in one transaction.
 * What is already there is left alone: the orchestrator is level-triggered and may ask for the same move twice.
 */
import { type AttemptState, canAttemptBecome } from '../../common/contract/states/attempt.ts';
import { canJobBecome, type JobState, type StopReason } from '../../common/contract/states/job.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { appendEvents, type NewEvent } from '../../common/events/index.ts';
import { tellDependents } from './dependencies.ts';
import type { AttemptRow, JobRow, RankRow } from './rows.ts';

/** An attempt with its job and ranks, locked. */
export interface LoadedAttempt {
  readonly attempt: AttemptRow;
  readonly job: JobRow;
  readonly ranks: readonly RankRow[];
}

/** Locks an attempt and its job (job first) and reads both; undefined when there is no such attempt. */
export async function loadForUpdate(tx: Transaction, attemptId: string): Promise<LoadedAttempt | undefined> {
  const jobs = await tx.query<JobRow>(
    'select j.* from cmo_jobs j where j.id = (select job_id from cmo_attempts where id = $1) for no key update',
    [attemptId],
  );
  const job = jobs.rows[0];
  if (!job) return undefined;
  const attempts = await tx.query<AttemptRow>('select * from cmo_attempts where id = $1 for no key update', [
    attemptId,
  ]);
  const ranks = await tx.query<RankRow>('select * from cmo_attempt_ranks where attempt_id = $1 order by rank', [
    attemptId,
  ]);
  return { attempt: attempts.rows[0]!, job, ranks: ranks.rows };
}

/** The attempt is handed to its backend: intent, written before the backend is called. */
export async function markStarting(tx: Transaction, loaded: LoadedAttempt): Promise<LoadedAttempt> {
  if (loaded.attempt.state === 'starting') return loaded;
  return move(tx, loaded, { to: 'starting', set: ['starting_at = now()'] });
}

/** All ranks run. @param at when the last of them began, by the server's clock */
export async function markRunning(tx: Transaction, loaded: LoadedAttempt, at: Date): Promise<LoadedAttempt> {
  if (loaded.attempt.state === 'running') return loaded;
  const job: JobMove = { to: 'running', set: ['started_at = coalesce(started_at, $4)'], values: [at] };
  const moved = await move(
    tx,
    loaded,
    { to: 'running', set: ['running_at = $3'], values: [at] },
    isStarting(loaded) ? job : {},
  );
  if (loaded.job.started_at === null) await tellDependents(tx, [loaded.job]);
  return moved;
}

const isStarting = ({ job }: LoadedAttempt): boolean => job.state === 'starting';

/** The backend is being told to stop the attempt. While contact is lost it stays `unknown`, and comes back as stopping. */
export async function markStopping(
  tx: Transaction,
  loaded: LoadedAttempt,
  why: StopReason | null,
): Promise<LoadedAttempt> {
  const { attempt } = loaded;
  if (attempt.state === 'stopping') return loaded;
  if (attempt.state !== 'unknown') {
    return move(tx, loaded, { to: 'stopping', set: ['stop_reason = $3'], values: [why], data: { why } });
  }
  if (attempt.state_before_unknown === 'stopping') return loaded;
  const { rows } = await tx.query<AttemptRow>(
    `update cmo_attempts set state_before_unknown = 'stopping', stop_reason = $2, revision = revision + 1
     where id = $1 returning *`,
    [attempt.id, why],
  );
  return { ...loaded, attempt: rows[0]! };
}

/** Contact to a node of the attempt was lost; its job keeps its state and says since when. */
export async function markUnknown(tx: Transaction, loaded: LoadedAttempt): Promise<LoadedAttempt> {
  if (loaded.attempt.state === 'unknown') return loaded;
  return move(
    tx,
    loaded,
    { to: 'unknown', set: ['unknown_since = now()', 'state_before_unknown = state'], data: { why: 'contact lost' } },
    { set: ['contact_lost_since = now()'] },
  );
}

/** Contact is back: the attempt returns to the state that it had. */
export async function recoverFromUnknown(tx: Transaction, loaded: LoadedAttempt): Promise<LoadedAttempt> {
  if (loaded.attempt.state !== 'unknown') return loaded;
  return move(
    tx,
    loaded,
    {
      to: loaded.attempt.state_before_unknown!,
      set: ['unknown_since = null', 'state_before_unknown = null'],
      data: { why: 'contact is back' },
    },
    { set: ['contact_lost_since = null'] },
  );
}

/** `set` is SQL of this repository, never outside text. */
interface AttemptMove {
  readonly to: AttemptState;
  /** Parameters begin at `$3`. */
  readonly set: readonly string[];
  readonly values?: readonly unknown[];
  readonly data?: Record<string, unknown>;
}

/** Without `to` the job keeps its state. */
interface JobMove {
  readonly to?: JobState;
  /** Parameters begin at `$4`. */
  readonly set?: readonly string[];
  readonly values?: readonly unknown[];
  readonly data?: Record<string, unknown>;
}

/**
 * Moves an attempt and its job and writes their events. Each event raises the job's revision by one, since the job is
 * what events are about and readers apply them by revision.
 */
export async function move(
  tx: Transaction,
  loaded: LoadedAttempt,
  change: AttemptMove,
  jobChange: JobMove = {},
): Promise<LoadedAttempt> {
  const { attempt: before, job } = loaded;
  if (!canAttemptBecome(before.state, change.to))
    throw new Error(`attempt ${before.id} cannot go from ${before.state} to ${change.to}`);
  const to = jobChange.to ?? job.state;
  if (jobChange.to !== undefined && !canJobBecome(job.state, to))
    throw new Error(`job ${job.id} cannot go from ${job.state} to ${to}`);

  const attempts = await tx.query<AttemptRow>(
    `update cmo_attempts set ${['state = $2', 'revision = revision + 1', ...change.set].join(', ')}
     where id = $1 returning *`,
    [before.id, change.to, ...(change.values ?? [])],
  );
  const jobs = await tx.query<JobRow>(
    `update cmo_jobs set ${['state = $2', 'revision = revision + $3', ...(jobChange.set ?? [])].join(', ')}
     where id = $1 returning *`,
    [job.id, to, jobChange.to === undefined ? 1 : 2, ...(jobChange.values ?? [])],
  );
  const who = 'orchestrator';
  const about = { attempt: before.id, number: before.number, who };
  const events: NewEvent[] = [
    {
      tenant: job.tenant,
      kind: `attempt.${change.to}`,
      subject: job.id,
      revision: job.revision + 1n,
      data: { from: before.state, to: change.to, ...about, ...change.data },
    },
  ];
  if (jobChange.to !== undefined) {
    events.push({
      tenant: job.tenant,
      kind: `job.${to}`,
      subject: job.id,
      revision: job.revision + 2n,
      data: { from: job.state, to, ...about, ...jobChange.data },
    });
  }
  await appendEvents(tx, events);
  return { attempt: attempts.rows[0]!, job: jobs.rows[0]!, ranks: loaded.ranks };
}
