/** Whose running work may be ended for whom, and how often: what an operator may set. */
export interface PreemptionPolicy {
  /** Whether a job may end others of lower priority: never, those of its own tenant, or anyone's. */
  readonly byPriority: 'never' | 'same-tenant' | 'anyone';
  /** Whether an account within its guarantee may end what others have borrowed. */
  readonly reclaim: boolean;
  /** Nothing is ended that has not run for so long, seconds ≥ 0. */
  readonly minRunSeconds: number;
  /** Most jobs ended in a round, 0–10,000. */
  readonly maxPerRound: number;
  /** Most jobs ended in an hour, 0–1,000,000. */
  readonly maxPerHour: number;
}

export const defaultPreemption: PreemptionPolicy = {
  byPriority: 'same-tenant',
  reclaim: true,
  minRunSeconds: 300,
  maxPerRound: 16,
  maxPerHour: 120,
};

/** What is wrong with it, or undefined. */
export function faultOfPreemption(policy: PreemptionPolicy): string | undefined {
  const { byPriority, minRunSeconds, maxPerRound, maxPerHour } = policy;
  const whole = (value: number, most: number) => Number.isInteger(value) && value >= 0 && value <= most;
  if (!['never', 'same-tenant', 'anyone'].includes(byPriority)) {
    return `byPriority must be never, same-tenant or anyone, not ${byPriority}`;
  }
  if (!(minRunSeconds >= 0)) return `minRunSeconds must be 0 or more, not ${minRunSeconds}`;
  if (!whole(maxPerRound, 10_000)) return `maxPerRound must be a whole number of 0–10,000, not ${maxPerRound}`;
  if (!whole(maxPerHour, 1_000_000)) return `maxPerHour must be a whole number of 0–1,000,000, not ${maxPerHour}`;
  return undefined;
}
