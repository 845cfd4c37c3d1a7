/**
 * Decides the next step of one attempt: pure, from what is wanted (job), what was recorded (attempt, ranks), what the
 * backend observes and whether its nodes can be reached.
 *
 * Edge-triggered handlers forget what happened while they were dead. This looks at the whole state each time and returns
 * one step; the loop applies it and asks again, so that a crash after any step resumes with the next one. The rules of
 * lost contact are contracts §3: nothing is presumed dead before `stopAfter + 30 s` after the last acknowledged heartbeat.
 */
import type { JobSpec } from '../../common/contract/job-spec.ts';
import type { AttemptOutcome } from '../../common/contract/states/attempt.ts';
import type { NodePresence } from '../../common/contract/states/node.ts';
import type { AttemptRow, JobRow, RankRow } from '../jobs/index.ts';
import type { RankEnd } from './backends/backend.ts';

/** Margin after `stopAfter` before a successor may start, milliseconds (contracts §3). */
export const successorMarginMs = 30_000;
/** Pause before a backend that said nothing of a started attempt is asked again, milliseconds. */
const resubmitAfterMs = 10_000;
/** Pause before a stop that had no effect is asked for again, milliseconds. */
const restopAfterMs = 30_000;

/** How a node of the attempt can be reached. */
export interface NodeContact {
  readonly presence: NodePresence;
  /** Last acknowledged heartbeat by the database's clock; null when there was none. */
  readonly lastAckedAt: Date | null;
}

/** A rank as recorded, after the newest observations were absorbed. */
export type RankView = Pick<
  RankRow,
  'rank' | 'node_id' | 'state' | 'exit_code' | 'signal' | 'message' | 'started_at' | 'ended_at'
> & {
  readonly reason: RankEnd | string | null;
};

export interface AttemptView {
  readonly attempt: Pick<AttemptRow, 'state' | 'stop_reason' | 'starting_at' | 'placed_at'>;
  readonly job: Pick<JobRow, 'state' | 'stop_reason'> & { readonly spec: Pick<JobSpec, 'onDisconnect'> };
  readonly ranks: readonly RankView[];
  readonly contact: ReadonlyMap<string, NodeContact>;
  /** The backend has said anything of any rank. */
  readonly heard: boolean;
}

export interface EndDecision {
  readonly outcome: AttemptOutcome;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly message: string | null;
  readonly at: Date;
}

export type Step =
  | { readonly kind: 'submit' }
  | { readonly kind: 'running'; readonly at: Date }
  | { readonly kind: 'stop'; readonly why: AttemptRow['stop_reason'] }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'recover' }
  | { readonly kind: 'end'; readonly end: EndDecision }
  /** Nothing to do before `until`; null: until something changes. */
  | { readonly kind: 'wait'; readonly until: Date | null };

/** The next step of an attempt that has not ended. */
export function nextStep(view: AttemptView, now: Date): Step {
  const { attempt, job, ranks } = view;
  const live = ranks.filter(({ state }) => state !== 'ended');
  if (live.length === 0) return { kind: 'end', end: outcomeOf(view, now) };

  const gone = live.filter((rank) => isGone(view, rank, now));
  if (gone.length === live.length) return { kind: 'end', end: lostNode(view, gone, now) };
  const cutOff = live.filter((rank) => isCutOff(view, rank) && !gone.includes(rank));
  if (cutOff.length > 0) {
    if (attempt.state !== 'unknown') return { kind: 'unknown' };
    return { kind: 'wait', until: earliestGone(view, cutOff) };
  }
  if (gone.length > 0) {
    // Some ranks are lost for certain and others live on: a gang without them is of no use, so the rest is ended first.
    return attempt.state === 'stopping' ? waitForStop(now) : { kind: 'stop', why: null };
  }
  if (attempt.state === 'unknown') return { kind: 'recover' };

  if (job.state === 'stopping' && attempt.state === 'placed')
    return { kind: 'end', end: neverStarted(job.stop_reason, now) };
  if (job.state === 'stopping' && attempt.state !== 'stopping') return { kind: 'stop', why: job.stop_reason };
  if (attempt.state === 'placed') return { kind: 'submit' };
  if (attempt.state === 'stopping') return waitForStop(now);
  if (ranks.some(isFailure)) return { kind: 'stop', why: null };
  if (attempt.state === 'starting') {
    if (ranks.every(({ state }) => state === 'running' || state === 'ended'))
      return { kind: 'running', at: lastStart(ranks, now) };
    const again = new Date((attempt.starting_at ?? attempt.placed_at).getTime() + resubmitAfterMs);
    if (!view.heard && now >= again) return { kind: 'submit' };
    return { kind: 'wait', until: view.heard ? null : again };
  }
  return { kind: 'wait', until: null };
}

const waitForStop = (now: Date): Step => ({ kind: 'wait', until: new Date(now.getTime() + restopAfterMs) });

const isFailure = (rank: RankView): boolean =>
  rank.state === 'ended' && !(rank.reason === 'exited' && rank.exit_code === 0);

function isCutOff(view: AttemptView, rank: RankView): boolean {
  const contact = view.contact.get(rank.node_id);
  return contact === undefined || contact.presence === 'lost' || contact.presence === 'removed';
}

/** The rank is dead for certain: its node was declared powered off, nothing was ever sent, or it has ended itself by now. */
function isGone(view: AttemptView, rank: RankView, now: Date): boolean {
  if (!isCutOff(view, rank)) return false;
  if (view.attempt.state === 'placed') return true;
  const at = goneAt(view, rank);
  return at !== null && now >= at;
}

function goneAt(view: AttemptView, rank: RankView): Date | null {
  const contact = view.contact.get(rank.node_id);
  if (contact === undefined || contact.presence === 'removed') return new Date(0);
  const { onDisconnect } = view.job.spec;
  if (onDisconnect === 'keep') return null;
  const lastContact = contact.lastAckedAt ?? view.attempt.starting_at ?? view.attempt.placed_at;
  return new Date(lastContact.getTime() + onDisconnect.stopAfter * 1000 + successorMarginMs);
}

function earliestGone(view: AttemptView, ranks: readonly RankView[]): Date | null {
  const times = ranks.flatMap((rank) => goneAt(view, rank)?.getTime() ?? []);
  return times.length > 0 ? new Date(Math.min(...times)) : null;
}

function lastStart(ranks: readonly RankView[], now: Date): Date {
  const starts = ranks.flatMap(({ started_at }) => started_at?.getTime() ?? []);
  return starts.length > 0 ? new Date(Math.max(...starts)) : now;
}

function neverStarted(why: JobRow['stop_reason'], now: Date): EndDecision {
  return {
    outcome: stopOutcome(why),
    exitCode: null,
    signal: null,
    message: 'It was stopped before it started.',
    at: now,
  };
}

function lostNode(view: AttemptView, gone: readonly RankView[], now: Date): EndDecision {
  const nodes = [...new Set(gone.map(({ node_id }) => node_id))].join(', ');
  const acked = gone.flatMap((rank) => view.contact.get(rank.node_id)?.lastAckedAt?.getTime() ?? []);
  const started = view.attempt.starting_at ?? view.attempt.placed_at;
  // What cannot be proved is not billed: the end is the last sign of life.
  const at = new Date(Math.min(now.getTime(), Math.max(started.getTime(), ...acked)));
  return { outcome: 'node-lost', exitCode: null, signal: null, message: `Contact to ${nodes} was lost.`, at };
}

/** What a stop is called when the job obeyed it. */
function stopOutcome(why: AttemptRow['stop_reason']): AttemptOutcome {
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
  }
}

/** Names the outcome of an attempt all of whose ranks have ended: the first rank that failed decides. */
function outcomeOf({ attempt, job, ranks }: AttemptView, now: Date): EndDecision {
  const at = new Date(Math.max(...ranks.map(({ ended_at }) => ended_at?.getTime() ?? now.getTime())));
  const failures = ranks
    .filter(isFailure)
    .sort((a, b) => (a.ended_at?.getTime() ?? 0) - (b.ended_at?.getTime() ?? 0) || a.rank - b.rank);
  if (failures.length === 0) return { outcome: 'succeeded', exitCode: 0, signal: null, message: null, at };
  // Ranks that were stopped because another one failed do not explain the failure.
  const cause = failures.find(({ reason }) => reason !== 'stopped') ?? failures[0]!;
  const why = attempt.stop_reason ?? job.stop_reason;
  const outcome = rankOutcome(cause, why);
  const place = ranks.length > 1 ? `rank ${cause.rank}: ` : '';
  return {
    outcome,
    exitCode: cause.exit_code,
    signal: cause.signal,
    message: cause.message === null ? null : `${place}${cause.message}`,
    at,
  };
}

function rankOutcome(rank: RankView, why: AttemptRow['stop_reason']): AttemptOutcome {
  switch (rank.reason) {
    case 'out-of-memory':
      return 'out-of-memory';
    case 'timed-out':
      return 'timed-out';
    case 'start-failed':
      return 'start-failed';
    case 'disconnected':
    case 'supervisor-lost':
    case 'node-lost':
      return 'node-lost';
    case 'never-started':
      return why === null ? 'start-failed' : stopOutcome(why);
    case 'stopped':
      return stopOutcome(why);
    default:
      return 'failed';
  }
}
