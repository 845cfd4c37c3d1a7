/** States of a job (contracts §1): the table from which SQL checks, docs and the UI derive. */
export const jobStates = [
  'queued',
  'starting',
  'running',
  'stopping',
  'suspended',
  'succeeded',
  'failed',
  'cancelled',
] as const;
export type JobState = (typeof jobStates)[number];

/** Allowed transitions. Final states have none. */
export const jobTransitions: Readonly<Record<JobState, readonly JobState[]>> = {
  queued: ['starting', 'cancelled', 'failed', 'suspended'],
  starting: ['running', 'stopping', 'queued', 'succeeded', 'failed'],
  running: ['succeeded', 'failed', 'stopping', 'queued'],
  stopping: ['queued', 'suspended', 'succeeded', 'failed', 'cancelled'],
  suspended: ['queued', 'cancelled'],
  succeeded: [],
  failed: [],
  cancelled: [],
};

/** Why a job is being stopped. */
export const stopReasons = ['cancel', 'preempt', 'move', 'suspend', 'shed'] as const;
export type StopReason = (typeof stopReasons)[number];

/** Why a queued job waits; a queued job always carries exactly one. */
export const pendingReasons = [
  'new', // not yet seen by a scheduler
  'earliest_start', // waits for its own earliestStart
  'retry_backoff', // waits before its next attempt
  'no_matching_node', // no node known could ever hold it
  'insufficient_capacity', // it fits nodes that are busy now
  'nodes_unavailable', // it fits nodes that are lost, cordoned or draining
  'price_above_limit', // it fits, but every site costs more than maxPricePerHour
  'placement_rule', // nodes have room, but not where its spread or affinity lets it stand
  'behind_others', // capacity is kept for jobs before it
  'reserved_for_others', // free nodes are reserved, or will be before it has ended
  'capacity_taken', // another plan took the capacity; planned again in the next round
  'quota_exhausted', // its account, or one above, holds all that its quota allows
  'limit_reached', // …runs as many jobs or holds as many devices as it may
  'budget_exhausted', // …has spent what it may in this day or month
  'waits_for_preempted', // work is ended to make room for it
  'waits_for_jobs', // jobs named in its `after` have not come so far yet
] as const;
export type PendingReason = (typeof pendingReasons)[number];

export const isFinalJob = (state: JobState): boolean => jobTransitions[state].length === 0;

/** Whether a job may go from one state to another. */
export const canJobBecome = (from: JobState, to: JobState): boolean => jobTransitions[from].includes(to);
