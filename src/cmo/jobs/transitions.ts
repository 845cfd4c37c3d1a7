/**
 * Moves attempts, and with them their jobs, through the states of contracts §1 while they live. The end is in
 * `end-attempt.ts`.
 *
 * Every function expects the rows that `loadForUpdate` locked in this transaction, refuses what the transition table
 * does not allow, and returns without a write when the row is already there: the orchestrator is level-triggered and
 * may ask for the same move twice.
 */
import { type AttemptState, canAttemptBecome } from '../../common/contract/states/attempt.ts';
import { canJobBecome, type JobState, type StopReason } from '../../common/contract/states/job.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { appendEvents, type NewEvent } from '../../common/events/index.ts';
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

/** The attempt was handed to its backend: intent, written before the backend is called. */
export async function markStarting(tx: Transaction, { attempt, job }: LoadedAttempt): Promise<void> {
  await moveAttempt(tx, attempt, 'starting', 'starting_at = now()');
  await appendEvents(tx, [attemptEvent(attempt, job, 'starting', {})]);
}

/** All ranks run. @param at when the last of them began, by the server's clock */
export async function markRunning(tx: Transaction, { attempt, job }: LoadedAttempt, at: Date): Promise<void> {
  if (attempt.state === 'running') return;
  await moveAttempt(tx, attempt, 'running', 'running_at = $3', [at]);
  const events: NewEvent[] = [attemptEvent(attempt, job, 'running', {})];
  if (job.state === 'starting') {
    events.push(
      await moveJob(
        tx,
        job,
        'running',
        { attempt: attempt.id, by: 'orchestrator' },
        'started_at = coalesce(started_at, $3)',
        [at],
      ),
    );
  }
  await appendEvents(tx, events);
}

/** The backend is being told to stop the attempt. */
export async function markStopping(
  tx: Transaction,
  { attempt, job }: LoadedAttempt,
  why: StopReason | null,
): Promise<void> {
  if (attempt.state === 'stopping') return;
  await moveAttempt(tx, attempt, 'stopping', 'stop_reason = $3', [why]);
  await appendEvents(tx, [attemptEvent(attempt, job, 'stopping', { why })]);
}

/** Contact to a node of the attempt was lost; its job keeps its state and says since when. */
export async function markUnknown(tx: Transaction, { attempt, job }: LoadedAttempt): Promise<void> {
  if (attempt.state === 'unknown') return;
  await moveAttempt(tx, attempt, 'unknown', 'unknown_since = now(), state_before_unknown = state');
  await tx.query('update cmo_jobs set contact_lost_since = now(), revision = revision + 1 where id = $1', [job.id]);
  await appendEvents(tx, [attemptEvent(attempt, job, 'unknown', { why: 'contact lost' })]);
}

/** Contact is back: the attempt returns to the state that it had. */
export async function recoverFromUnknown(tx: Transaction, { attempt, job }: LoadedAttempt): Promise<void> {
  if (attempt.state !== 'unknown') return;
  const before = attempt.state_before_unknown!;
  await moveAttempt(tx, attempt, before, 'unknown_since = null, state_before_unknown = null');
  await tx.query('update cmo_jobs set contact_lost_since = null, revision = revision + 1 where id = $1', [job.id]);
  await appendEvents(tx, [attemptEvent(attempt, job, before, { why: 'contact is back' })]);
}

/** The event of an attempt's change; `to` is its new state. */
export function attemptEvent(
  attempt: AttemptRow,
  job: JobRow,
  to: AttemptState,
  data: Record<string, unknown>,
): NewEvent {
  return {
    tenant: job.tenant,
    kind: `attempt.${to}`,
    subject: job.id,
    revision: attempt.revision + 1n,
    data: { attempt: attempt.id, number: attempt.number, from: attempt.state, to, ...data },
  };
}

/** Moves a job and returns its event. `set` is SQL of this repository, never outside text; its parameters begin at `$3`. */
export async function moveJob(
  tx: Transaction,
  job: JobRow,
  to: JobState,
  data: Record<string, unknown>,
  set: string,
  values: unknown[] = [],
): Promise<NewEvent> {
  if (!canJobBecome(job.state, to)) throw new Error(`job ${job.id} cannot go from ${job.state} to ${to}`);
  await tx.query(`update cmo_jobs set state = $2, revision = revision + 1, ${set} where id = $1`, [
    job.id,
    to,
    ...values,
  ]);
  return {
    tenant: job.tenant,
    kind: `job.${to}`,
    subject: job.id,
    revision: job.revision + 1n,
    data: { from: job.state, to, ...data },
  };
}

/** Moves an attempt. `set` is SQL of this repository; its parameters begin at `$3`. */
export async function moveAttempt(
  tx: Transaction,
  attempt: AttemptRow,
  to: AttemptState,
  set: string,
  values: unknown[] = [],
): Promise<void> {
  if (!canAttemptBecome(attempt.state, to))
    throw new Error(`attempt ${attempt.id} cannot go from ${attempt.state} to ${to}`);
  await tx.query(`update cmo_attempts set state = $2, revision = revision + 1, ${set} where id = $1`, [
    attempt.id,
    to,
    ...values,
  ]);
}
