/**
 * Names the outcome of an attempt from the ends of its ranks. Pure, and independent of the order in which ends came in:
 * the rank that failed first by its own time decides, since the others were usually stopped because of it.
 */

import { assertNever } from '../../common/assert-never.ts';
import type { AttemptOutcome } from '../../common/contract/states/attempt.ts';
import type { AttemptEnd, AttemptRow } from '../jobs/index.ts';
import { cannotStart } from './merge-rank.ts';
import type { RankView } from './reconcile.ts';

type EndCore = Omit<AttemptEnd, 'startedAt' | 'unproved'>;
type StopReason = AttemptRow['stop_reason'];

interface RankEnding {
  readonly rank: number;
  readonly reason: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly message: string | null;
  readonly atMs: number;
}

/**
 * @param ranks all ranks; each has ended or is in `unproved`
 * @param unproved ranks of lost nodes, with their last sign of life
 * @param why why the attempt was told to stop, if it was
 */
export function outcomeOf(
  ranks: readonly RankView[],
  unproved: readonly { readonly rank: number; readonly at: Date }[],
  why: StopReason,
  now: Date,
): EndCore {
  const endings = ranks.map((rank) => endingOf(rank, unproved.find((lost) => lost.rank === rank.rank)?.at, now));
  const at = new Date(Math.max(...endings.map(({ atMs }) => atMs)));
  const failures = endings
    .filter(({ reason, exitCode }) => !(reason === 'exited' && exitCode === 0))
    .sort((a, b) => a.atMs - b.atMs || a.rank - b.rank);
  // Ranks that were stopped because another one failed do not explain the failure.
  const cause = failures.find(({ reason }) => reason !== 'stopped' && reason !== 'never-started') ?? failures[0];
  if (cause === undefined) return { outcome: 'succeeded', exitCode: 0, signal: null, message: null, at };
  const place = ranks.length > 1 ? `rank ${cause.rank}: ` : '';
  return {
    outcome: outcomeOfRank(cause.reason, why),
    exitCode: cause.exitCode,
    signal: cause.signal,
    message: cause.message === null ? null : `${place}${cause.message}`,
    at,
    permanent: cause.reason === cannotStart && why === null,
  };
}

/** The end of an attempt that was stopped before anything of it was started. */
export function stoppedEarly(ranks: readonly RankView[], why: StopReason, now: Date): AttemptEnd {
  return {
    outcome: stopOutcome(why),
    exitCode: null,
    signal: null,
    message: 'It was stopped before it started.',
    at: now,
    startedAt: null,
    unproved: ranks.map(({ rank }) => ({ rank, at: now })),
  };
}

function endingOf(rank: RankView, lostAt: Date | undefined, now: Date): RankEnding {
  if (lostAt !== undefined) {
    const message = `Contact to node ${rank.node_id} was lost.`;
    return { rank: rank.rank, reason: 'node-lost', exitCode: null, signal: null, message, atMs: lostAt.getTime() };
  }
  return {
    rank: rank.rank,
    reason: rank.reason ?? '',
    exitCode: rank.exit_code,
    signal: rank.signal,
    message: rank.message,
    atMs: rank.ended_at?.getTime() ?? now.getTime(),
  };
}

/** What a stop is called when the job obeyed it. */
function stopOutcome(why: StopReason): AttemptOutcome {
  switch (why) {
    case 'cancel':
      return 'cancelled';
    case 'preempt':
    case 'shed':
      return 'preempted';
    case 'move':
      return 'moved';
    case 'suspend':
      return 'suspended';
    case null:
      return 'failed';
    default:
      return assertNever(why);
  }
}

function outcomeOfRank(reason: string, why: StopReason): AttemptOutcome {
  switch (reason) {
    case 'out-of-memory':
    case 'timed-out':
    case 'start-failed':
      return reason;
    case 'disconnected':
    case 'supervisor-lost':
    case 'node-lost':
      return 'node-lost';
    case cannotStart:
      return 'start-failed';
    case 'never-started':
      return why === null ? 'start-failed' : stopOutcome(why);
    case 'stopped':
      return stopOutcome(why);
    default:
      return 'failed';
  }
}
