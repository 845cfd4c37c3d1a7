/**
 * Decides the next step of one attempt: pure, from what is wanted (job), what was recorded (attempt, ranks) and whether
 * its nodes can be reached.
 *
 * Edge-triggered handlers forget what happened while they were dead. This looks at the whole state each time and returns
 * one step; the loop applies it and asks again, so that a crash after any step resumes with the next one. What must reach a
 * backend (submit, stop) is said again until its effect is seen. The rules of lost contact are contracts §3: nothing is
 * presumed dead before `stopAfter + 30 s` after the last acknowledged heartbeat.
 */
import type { JobSpec } from '../../common/contract/job-spec.ts';
import type { NodePresence } from '../../common/contract/states/node.ts';
import type { AttemptEnd, AttemptRow, JobRow, RankRow } from '../jobs/index.ts';
import { outcomeOf, stoppedEarly } from './outcome.ts';

/** Margin after `stopAfter` before a successor may start, milliseconds (contracts §3). */
export const successorMarginMs = 30_000;
/** Pauses before a backend that was not heard of is told again: the first, and the longest, milliseconds. */
const repeatMs = { first: 10_000, longest: 300_000 };
/** Pause before a stop without effect is asked for again, milliseconds: after the first time, and after others. */
const restopMs = { first: 10_000, later: 30_000 };

/** How a node of the attempt can be reached. */
export interface NodeContact {
  readonly presence: NodePresence;
  /** Last acknowledged heartbeat by the database's clock; null when there was none. */
  readonly lastAckedAt: Date | null;
}

/** A rank as recorded, after the newest observations were absorbed. */
export type RankView = Pick<
  RankRow,
  'rank' | 'node_id' | 'state' | 'reason' | 'exit_code' | 'signal' | 'message' | 'started_at' | 'ended_at'
>;

export interface AttemptView {
  readonly attempt: Pick<AttemptRow, 'state' | 'state_before_unknown' | 'stop_reason' | 'starting_at' | 'placed_at'>;
  readonly job: Pick<JobRow, 'state' | 'stop_reason'> & { readonly spec: Pick<JobSpec, 'onDisconnect'> };
  readonly ranks: readonly RankView[];
  readonly contact: ReadonlyMap<string, NodeContact>;
  /** The backend ends work by itself after losing contact; if not, only a confirmed end counts. */
  readonly selfFencing: boolean;
}

export type Step =
  /** Hand it to the backend (again); if nothing is heard, look again at `until`. */
  | { readonly kind: 'submit'; readonly until: Date }
  | { readonly kind: 'running'; readonly at: Date }
  /** Tell the backend to stop it (again); if that has no effect, look again at `until`. */
  | { readonly kind: 'stop'; readonly why: AttemptRow['stop_reason']; readonly until: Date }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'recover' }
  /** `presumed`: nobody confirmed it; it follows from how long contact has been lost. */
  | { readonly kind: 'end'; readonly end: AttemptEnd; readonly presumed: boolean }
  /** Nothing to do before `until`; null: until something changes. */
  | { readonly kind: 'wait'; readonly until: Date | null };

/**
 * The next step of an attempt that has not ended.
 * @param now by the database's clock, like every instant of the view
 */
export function nextStep(view: AttemptView, now: Date): Step {
  const { attempt, job, ranks } = view;
  const live = ranks.filter(({ state }) => state !== 'ended');
  if (attempt.state === 'starting' && ranks.every(({ started_at }) => started_at !== null))
    return { kind: 'running', at: lastStart(ranks)! };
  if (live.length === 0) return ended(view, [], now, false);
  if (attempt.state === 'placed') return stepOfPlaced(view, now);

  const gone = live.filter((rank) => isGone(view, rank, now));
  if (gone.length === live.length) return ended(view, gone, now, true);
  const cutOff = live.filter((rank) => isCutOff(view, rank) && !gone.includes(rank));
  if (cutOff.length > 0 && attempt.state !== 'unknown') return { kind: 'unknown' };
  // Only when the fate of every rank is known again.
  if (cutOff.length === 0 && attempt.state === 'unknown') return { kind: 'recover' };

  const presumedAt = earliestGone(view, cutOff);
  if (job.state === 'stopping') return stop(view, job.stop_reason, presumedAt, now);
  // A gang that lost a rank is of no use without it: the rest is ended first.
  if (isStopping(attempt) || gone.length > 0 || ranks.some(isFailure))
    return stop(view, attempt.stop_reason, presumedAt, now);
  if (cutOff.length > 0) return { kind: 'wait', until: presumedAt };
  if (attempt.state === 'starting' && ranks.some(({ state }) => state === 'placed')) return submitAgain(view, now);
  return { kind: 'wait', until: null };
}

/** Nothing was sent yet, so nothing can run. */
function stepOfPlaced(view: AttemptView, now: Date): Step {
  const cutOff = view.ranks.filter((rank) => isCutOff(view, rank));
  if (cutOff.length > 0) return ended(view, cutOff, now, false);
  if (view.job.state === 'stopping') {
    return { kind: 'end', end: stoppedEarly(view.ranks, view.job.stop_reason, now), presumed: false };
  }
  return { kind: 'submit', until: new Date(now.getTime() + repeatMs.first) };
}

/** Says the start again after 10 s, then in ever longer pauses; a backend that has it already finds that it has. */
function submitAgain({ attempt }: AttemptView, now: Date): Step {
  const since = (attempt.starting_at ?? attempt.placed_at).getTime();
  const first = new Date(since + repeatMs.first);
  if (now < first) return { kind: 'wait', until: first };
  const pause = Math.min(repeatMs.longest, Math.max(repeatMs.first, now.getTime() - since));
  return { kind: 'submit', until: new Date(now.getTime() + pause) };
}

function stop({ attempt }: AttemptView, why: AttemptRow['stop_reason'], presumedAt: Date | null, now: Date): Step {
  const again = now.getTime() + (isStopping(attempt) ? restopMs.later : restopMs.first);
  return { kind: 'stop', why, until: new Date(Math.min(again, presumedAt?.getTime() ?? again)) };
}

function isStopping({ state, state_before_unknown }: AttemptView['attempt']): boolean {
  return state === 'stopping' || (state === 'unknown' && state_before_unknown === 'stopping');
}

function ended(view: AttemptView, gone: readonly RankView[], now: Date, presumed: boolean): Step {
  const started = view.attempt.starting_at ?? view.attempt.placed_at;
  const unproved = gone.map((rank) => {
    // What cannot be proved is not billed: the end is the last sign of life.
    const heard = Math.max(
      started.getTime(),
      rank.started_at?.getTime() ?? 0,
      view.contact.get(rank.node_id)?.lastAckedAt?.getTime() ?? 0,
    );
    return { rank: rank.rank, at: new Date(Math.min(now.getTime(), heard)) };
  });
  const why = view.job.stop_reason ?? view.attempt.stop_reason;
  const end = outcomeOf(view.ranks, unproved, why, now);
  const all = view.ranks.every(({ started_at }) => started_at !== null);
  return { kind: 'end', end: { ...end, startedAt: all ? lastStart(view.ranks) : null, unproved }, presumed };
}

/** The rank ended otherwise than by success. */
const isFailure = (rank: RankView): boolean =>
  rank.state === 'ended' && !(rank.reason === 'exited' && rank.exit_code === 0);

function isCutOff(view: AttemptView, rank: RankView): boolean {
  const presence = view.contact.get(rank.node_id)?.presence;
  return presence === undefined || presence === 'lost' || presence === 'removed';
}

/** The rank is dead for certain: its node was declared powered off, or the rank has ended itself by now. */
function isGone(view: AttemptView, rank: RankView, now: Date): boolean {
  if (!isCutOff(view, rank)) return false;
  const at = goneAt(view, rank);
  return at !== null && now >= at;
}

/** From when on a rank whose node is cut off is dead for certain; null: never without somebody's word. */
function goneAt(view: AttemptView, rank: RankView): Date | null {
  const contact = view.contact.get(rank.node_id);
  if (contact?.presence === 'removed') return new Date(0);
  const { onDisconnect } = view.job.spec;
  if (onDisconnect === 'keep' || !view.selfFencing) return null;
  // A start may have been taken after the last heartbeat; the node counts from whichever came later.
  const handed = (view.attempt.starting_at ?? view.attempt.placed_at).getTime();
  const heard = Math.max(handed, contact?.lastAckedAt?.getTime() ?? 0);
  return new Date(heard + onDisconnect.stopAfter * 1000 + successorMarginMs);
}

function earliestGone(view: AttemptView, ranks: readonly RankView[]): Date | null {
  const times = ranks.flatMap((rank) => goneAt(view, rank)?.getTime() ?? []);
  return times.length > 0 ? new Date(Math.min(...times)) : null;
}

function lastStart(ranks: readonly RankView[]): Date | null {
  const starts = ranks.flatMap(({ started_at }) => started_at?.getTime() ?? []);
  return starts.length > 0 ? new Date(Math.max(...starts)) : null;
}
