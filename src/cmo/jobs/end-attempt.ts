/**
 * Ends an attempt, and decides what becomes of its job: done, failed, or queued again for another attempt.
 *
 * Which failures are tried again is the job's own choice (`retries` by reason); one of which a node says that no further try will
 * end otherwise (an image that does not exist, a binary secret as a variable) is not. A retry waits a little longer each
 * time, with jitter, so that a thousand jobs that a broken node failed together do not come back together. A job that was
 * told to stop becomes what it was told to, whatever its process made of it, unless it had succeeded.
 */

import { type RetryReason, retryReasons } from '../../common/contract/job-spec.ts';
import type { AttemptOutcome } from '../../common/contract/states/attempt.ts';
import { isFinalJob, type JobState } from '../../common/contract/states/job.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import { appendEvents, writeDirty } from '../../common/events/index.ts';
import { tellDependents } from './dependencies.ts';
import type { JobRow, RankRow } from './rows.ts';
import { type AttemptDraft, move } from './transitions.ts';

export interface AttemptEnd {
  readonly outcome: AttemptOutcome;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly message: string | null;
  /** When it ended, by the server's clock. */
  readonly at: Date;
  /** When the last of its ranks began to run; null when not all did. */
  readonly startedAt: Date | null;
  /** Ranks whose end nobody reported, with the last sign of life of each. */
  readonly unproved: readonly { readonly rank: number; readonly at: Date }[];
  /** It was found out that no further attempt can end otherwise. */
  readonly permanent?: boolean;
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

type JobVerdict = Pick<JobRow, 'state' | 'stop_reason' | 'retries_used'> & {
  readonly spec: { readonly retries: Readonly<Record<RetryReason, number>> };
};

/**
 * What a job becomes when its attempt ended so. Pure.
 * @param permanent no further attempt can end otherwise
 * @returns `retry` when a retry of that reason is used up by it
 */
export function jobAfter(
  job: JobVerdict,
  outcome: AttemptOutcome,
  permanent = false,
): { readonly to: JobState; readonly retry: RetryReason | null } {
  if (outcome === 'succeeded') return { to: 'succeeded', retry: null };
  if (job.state === 'stopping') {
    if (job.stop_reason === 'cancel') return { to: 'cancelled', retry: null };
    return { to: job.stop_reason === 'suspend' ? 'suspended' : 'queued', retry: null };
  }
  const reason = retryReasons.find((candidate) => candidate === outcome);
  const isLeft = !permanent && reason !== undefined && (job.retries_used[reason] ?? 0) < job.spec.retries[reason];
  return isLeft ? { to: 'queued', retry: reason } : { to: 'failed', retry: null };
}

/**
 * The end, as a draft. The caller releases the allocation and closes the usage intervals in the transaction that writes it.
 * @param now by the database's clock
 * @param random 0..1, for the jitter of a retry
 */
export function endAttempt(draft: AttemptDraft, end: AttemptEnd, now: Date, random: number): AttemptDraft {
  const { attempt, job } = draft;
  const { to, retry } = jobAfter(job, end.outcome, end.permanent);
  const used = retry === null ? 0 : (job.retries_used[retry] ?? 0);
  const retryInSeconds = retry === null ? null : retryPause(used, random);
  const data = { outcome: end.outcome, exitCode: end.exitCode, signal: end.signal, message: end.message };
  const common = { contact_lost_since: null, started_at: job.started_at ?? end.startedAt };
  const jobMove =
    to === 'queued'
      ? {
          set: {
            ...common,
            stop_reason: null,
            pending_reason: retry === null ? ('new' as const) : ('retry_backoff' as const),
            pending_detail: { message: queuedAgain(attempt.number, end.outcome, retryInSeconds) },
            deferred_until: retryInSeconds === null ? null : new Date(now.getTime() + retryInSeconds * 1000),
            retries_used: retry === null ? job.retries_used : { ...job.retries_used, [retry]: used + 1 },
          },
          data: { ...data, ...(retry !== null && { retry: used + 1, retryInSeconds }) },
        }
      : {
          set: {
            ...common,
            exit_code: end.exitCode,
            reason: to === 'succeeded' ? null : (end.message ?? end.outcome),
            ended_at: isFinalJob(to) ? end.at : null,
          },
          data,
        };
  const moved = move(
    draft,
    {
      to: 'ended',
      set: {
        outcome: end.outcome,
        exit_code: end.exitCode,
        signal: end.signal,
        message: end.message,
        ended_at: end.at,
        running_at: attempt.running_at ?? end.startedAt,
        unknown_since: null,
        state_before_unknown: null,
      },
      data,
    },
    { to, ...jobMove },
  );
  const ranks = moved.ranks.map((rank) => endRank(rank, end));
  return { ...moved, ranks, tells: moved.tells || isFinalJob(to) };
}

/** A rank whose end nobody reported has ended with its attempt. */
function endRank(rank: RankRow, end: AttemptEnd): RankRow {
  if (rank.state === 'ended') return rank;
  const at = end.unproved.find((lost) => lost.rank === rank.rank)?.at ?? end.at;
  return { ...rank, state: 'ended', reason: rank.reason ?? end.outcome, ended_at: at };
}

function queuedAgain(number: number, outcome: AttemptOutcome, pauseSeconds: number | null): string {
  const next = pauseSeconds === null ? 'it is queued again' : `the next may start in ${pauseSeconds.toFixed(1)} s`;
  return `Attempt ${number} ended as ${outcome}; ${next}.`;
}

/**
 * Fails queued jobs that have not started once within `timeouts.queue`.
 * @param limit most jobs in this call, > 0
 * @returns ids of the jobs that failed
 */
export async function expireQueued(tx: Transaction, limit: number): Promise<string[]> {
  const { rows } = await tx.query<Pick<JobRow, 'id' | 'tenant' | 'revision' | 'array_id'>>(
    `update cmo_jobs set state = 'failed', reason = 'not started within timeouts.queue', pending_reason = null,
            pending_detail = null, deferred_until = null, ended_at = now(), revision = revision + 1
     where id in (select id from cmo_jobs
                  where state = 'queued' and queue_deadline <= now() and queue_deadline is not null and started_at is null
                  order by queue_deadline limit $1 for no key update skip locked)
     returning id, tenant, revision, array_id`,
    [limit],
  );
  await appendEvents(
    tx,
    rows.map(({ id, tenant, revision }) => ({
      tenant,
      kind: 'job.failed',
      subject: id,
      revision,
      data: { from: 'queued', to: 'failed', why: 'timeouts.queue', who: 'orchestrator' },
    })),
  );
  await tellDependents(tx, rows);
  const ids = rows.map(({ id }) => id);
  await writeDirty(tx, 'job', ids);
  return ids;
}
