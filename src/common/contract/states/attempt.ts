/** States of an attempt and outcomes of its end (contracts §1). */
export const attemptStates = ['placed', 'starting', 'running', 'stopping', 'unknown', 'ended'] as const;
export type AttemptState = (typeof attemptStates)[number];

/** Allowed transitions; `unknown` goes back to where it came from, or ends by contracts §3. */
export const attemptTransitions: Readonly<Record<AttemptState, readonly AttemptState[]>> = {
  placed: ['starting', 'unknown', 'ended'],
  starting: ['running', 'stopping', 'unknown', 'ended'],
  running: ['stopping', 'unknown', 'ended'],
  stopping: ['unknown', 'ended'],
  unknown: ['placed', 'starting', 'running', 'stopping', 'ended'],
  ended: [],
};

export const attemptOutcomes = [
  'succeeded',
  'failed',
  'cancelled',
  'preempted',
  'moved',
  'suspended',
  'out-of-memory',
  'timed-out',
  'start-failed',
  'node-lost',
] as const;
export type AttemptOutcome = (typeof attemptOutcomes)[number];

/** Whether an attempt may go from one state to another. */
export const canAttemptBecome = (from: AttemptState, to: AttemptState): boolean =>
  attemptTransitions[from].includes(to);
