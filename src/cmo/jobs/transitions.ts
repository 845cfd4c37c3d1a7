/**
 * Moves attempts, and with them their jobs, through the states of contracts §1 while they live. The end is in
 * `end-attempt.ts`. Pure: what becomes of the rows is a draft, and `attempt-rows.ts` writes any number of drafts at once.
 *
 * Every function refuses what the transition table does not allow, and returns the draft as it is afterwards, so that several moves can
 * follow each other. What is already there is left alone: the orchestrator is level-triggered and may ask for the same move twice.
 */
import { type AttemptState, canAttemptBecome } from '../../common/contract/states/attempt.ts';
import { canJobBecome, type JobState, type StopReason } from '../../common/contract/states/job.ts';
import type { NewEvent } from '../../common/events/index.ts';
import type { AttemptRow, JobRow, RankRow } from './rows.ts';

/** An attempt with its job and ranks: as they were locked, or as they are to be written. */
export interface AttemptDraft {
  readonly attempt: AttemptRow;
  readonly job: JobRow;
  readonly ranks: readonly RankRow[];
  /** What happened since, in order. */
  readonly events: readonly NewEvent[];
  /** The job started or ended: others may wait for that. */
  readonly tells: boolean;
}

/** The attempt is handed to its backend: intent, written before the backend is called. */
export function markStarting(draft: AttemptDraft, now: Date): AttemptDraft {
  if (draft.attempt.state === 'starting') return draft;
  return move(draft, { to: 'starting', set: { starting_at: now } });
}

/** All ranks run. @param at when the last of them began, by the server's clock */
export function markRunning(draft: AttemptDraft, at: Date): AttemptDraft {
  const { attempt, job } = draft;
  if (attempt.state === 'running') return draft;
  const jobMove: JobMove = { to: 'running', set: { started_at: job.started_at ?? at } };
  const moved = move(draft, { to: 'running', set: { running_at: at } }, job.state === 'starting' ? jobMove : {});
  return { ...moved, tells: moved.tells || job.started_at === null };
}

/** The backend is being told to stop the attempt. While contact is lost it stays `unknown`, and comes back as stopping. */
export function markStopping(draft: AttemptDraft, why: StopReason | null): AttemptDraft {
  const { attempt } = draft;
  if (attempt.state === 'stopping') return draft;
  if (attempt.state !== 'unknown') {
    return move(draft, { to: 'stopping', set: { stop_reason: why }, data: { why } });
  }
  if (attempt.state_before_unknown === 'stopping') return draft;
  const revision = attempt.revision + 1n;
  return { ...draft, attempt: { ...attempt, state_before_unknown: 'stopping', stop_reason: why, revision } };
}

/** Contact to a node of the attempt was lost; its job keeps its state and says since when. */
export function markUnknown(draft: AttemptDraft, now: Date): AttemptDraft {
  const { state } = draft.attempt;
  if (state === 'unknown' || state === 'ended') return draft;
  return move(
    draft,
    { to: 'unknown', set: { unknown_since: now, state_before_unknown: state }, data: { why: 'contact lost' } },
    { set: { contact_lost_since: now } },
  );
}

/** Contact is back: the attempt returns to the state that it had. */
export function recoverFromUnknown(draft: AttemptDraft): AttemptDraft {
  const { state, state_before_unknown: before } = draft.attempt;
  if (state !== 'unknown') return draft;
  return move(
    draft,
    { to: before!, set: { unknown_since: null, state_before_unknown: null }, data: { why: 'contact is back' } },
    { set: { contact_lost_since: null } },
  );
}

interface AttemptMove {
  readonly to: AttemptState;
  readonly set?: Partial<AttemptRow>;
  readonly data?: Record<string, unknown>;
}

/** Without `to` the job keeps its state. */
interface JobMove {
  readonly to?: JobState;
  readonly set?: Partial<JobRow>;
  readonly data?: Record<string, unknown>;
}

/**
 * Moves an attempt and its job and says so in events. Each event raises the job's revision by one, since the job is
 * what events are about and readers apply them by revision.
 */
export function move(draft: AttemptDraft, change: AttemptMove, jobChange: JobMove = {}): AttemptDraft {
  const { attempt: before, job } = draft;
  if (!canAttemptBecome(before.state, change.to))
    throw new Error(`attempt ${before.id} cannot go from ${before.state} to ${change.to}`);
  const to = jobChange.to ?? job.state;
  if (jobChange.to !== undefined && !canJobBecome(job.state, to))
    throw new Error(`job ${job.id} cannot go from ${job.state} to ${to}`);

  const about = { attempt: before.id, number: before.number, who: 'orchestrator' };
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
  return {
    ...draft,
    attempt: { ...before, ...change.set, state: change.to, revision: before.revision + 1n },
    job: { ...job, ...jobChange.set, state: to, revision: job.revision + BigInt(events.length) },
    events: [...draft.events, ...events],
  };
}
