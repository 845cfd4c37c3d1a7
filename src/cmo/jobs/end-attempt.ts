/**
 * Ends an attempt, and decides what becomes of its job: done, failed, or queued again for another attempt.
 *
 * Which failures are tried again is the job's own choice (`retries` by reason). A retry waits a little longer each
 * time, with jitter, so that a thousand jobs that a broken node failed together do not come back together.
 */

import type { RetryReason } from '../../common/contract/job-spec.ts';
import { retryReasons } from '../../common/contract/job-spec.ts';
import type { AttemptOutcome } from '../../common/contract/states/attempt.ts';
import type { JobState } from '../../common/contract/states/job.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { appendEvents, writeDirty } from '../../common/events/index.ts';
import { attemptEvent, type LoadedAttempt, moveAttempt, moveJob } from './transitions.ts';

export interface AttemptEnd {
  readonly outcome: AttemptOutcome;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly message: string | null;
  /** When it ended, by the server's clock. */
  readonly at: Date;
}

export interface EndedJob {
  readonly state: JobState;
  /** Seconds until the next attempt may start; null when there is none. */
  readonly retryInSeconds: number | null;
}

/** First and longest pause before a retry, seconds. */
const backoff = { first: 1, longest: 300 };

/**
 * Pause before the next attempt: doubles with each retry of that reason, ±25 % jitter.
 * @param used retries already made, ≥ 0
 * @param random 0..1
 * @returns seconds > 0
 */
export function retryPause(used: number, random: number): number {
  const pause = Math.min(backoff.longest, backoff.first * 2 ** Math.min(used, 20));
  return pause * (0.75 + random / 2);
}

/** What a job becomes when its attempt ended so; null: queued for another attempt. */
function jobStateAfter({ job }: LoadedAttempt, outcome: AttemptOutcome): JobState | null {
  if (outcome === 'succeeded') return 'succeeded';
  if (job.stop_reason === 'cancel' || outcome === 'cancelled') return 'cancelled';
  if (outcome === 'suspended') return 'suspended';
  if (outcome === 'preempted' || outcome === 'moved') return null;
  const reason = retryReasons.find((candidate) => candidate === outcome) satisfies RetryReason | undefined;
  const used = job.retries_used[outcome] ?? 0;
  return reason !== undefined && used < job.spec.retries[reason] ? null : 'failed';
}

/**
 * Records the end. The caller releases the allocation and closes the usage interval in the same transaction.
 * @param random 0..1, for the jitter of a retry
 */
export async function endAttempt(
  tx: Transaction,
  loaded: LoadedAttempt,
  end: AttemptEnd,
  random: number,
): Promise<EndedJob> {
  const { attempt, job } = loaded;
  await moveAttempt(
    tx,
    attempt,
    'ended',
    `outcome = $3, exit_code = $4, signal = $5, message = $6, ended_at = $7, unknown_since = null, state_before_unknown = null`,
    [end.outcome, end.exitCode, end.signal, end.message, end.at],
  );
  await tx.query(
    `update cmo_attempt_ranks set state = 'ended', reason = coalesce(reason, $2), ended_at = coalesce(ended_at, $3)
     where attempt_id = $1 and state <> 'ended'`,
    [attempt.id, end.outcome, end.at],
  );
  const to = jobStateAfter(loaded, end.outcome);
  const ended = attemptEvent(attempt, job, 'ended', {
    outcome: end.outcome,
    exitCode: end.exitCode,
    message: end.message,
  });
  const data = { attempt: attempt.id, outcome: end.outcome, exitCode: end.exitCode, by: 'orchestrator' };
  if (to !== null) {
    const final = to !== 'suspended';
    const event = await moveJob(
      tx,
      job,
      to,
      data,
      `contact_lost_since = null, exit_code = $3, reason = $4, ended_at = $5, started_at = coalesce(started_at, $6)`,
      [end.exitCode, end.message ?? end.outcome, final ? end.at : null, attempt.running_at],
    );
    await appendEvents(tx, [ended, event]);
    return { state: to, retryInSeconds: null };
  }
  const used = job.retries_used[end.outcome] ?? 0;
  const retryInSeconds = retryPause(used, random);
  const event = await moveJob(
    tx,
    job,
    'queued',
    { ...data, retry: used + 1, retryInSeconds },
    `contact_lost_since = null, stop_reason = null, pending_reason = 'retry_backoff',
     pending_detail = jsonb_build_object('message', $3::text), deferred_until = now() + make_interval(secs => $4),
     retries_used = jsonb_set(retries_used, array[$5::text], to_jsonb($6::int)), started_at = coalesce(started_at, $7)`,
    [
      `Attempt ${attempt.number} ended as ${end.outcome}; the next one starts in ${retryInSeconds.toFixed(1)} s.`,
      retryInSeconds,
      end.outcome,
      used + 1,
      attempt.running_at,
    ],
  );
  await appendEvents(tx, [ended, event]);
  await writeDirty(tx, 'job', [job.id]);
  return { state: 'queued', retryInSeconds };
}

/**
 * Fails queued jobs that have not started within `timeouts.queue`.
 * @param limit most jobs in this call, > 0
 * @returns ids of the jobs that failed
 */
export async function expireQueued(tx: Transaction, limit: number): Promise<string[]> {
  const { rows } = await tx.query<{ id: string; tenant: string; revision: bigint }>(
    `update cmo_jobs set state = 'failed', reason = 'not started within timeouts.queue', pending_reason = null,
            pending_detail = null, deferred_until = null, ended_at = now(), revision = revision + 1
     where id in (select id from cmo_jobs where state = 'queued' and queue_deadline <= now() and started_at is null
                  order by id limit $1 for no key update skip locked)
     returning id, tenant, revision`,
    [limit],
  );
  await appendEvents(
    tx,
    rows.map(({ id, tenant, revision }) => ({
      tenant,
      kind: 'job.failed',
      subject: id,
      revision,
      data: { from: 'queued', to: 'failed', why: 'timeouts.queue', by: 'orchestrator' },
    })),
  );
  await writeDirty(
    tx,
    'job',
    rows.map(({ id }) => id),
  );
  return rows.map(({ id }) => id);
}
