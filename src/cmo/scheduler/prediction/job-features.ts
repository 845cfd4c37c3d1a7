/**
 * What prediction may know of a job when it is submitted, and the chain of keys that follows from it: from everything
 * (`all`) to the burst of equal jobs that this one came with. A key's prediction leans on the one before it.
 *
 * Most jobs come in bursts (sweeps, arrays, retries by hand), and jobs of one burst resemble each other far more than
 * they resemble the same user's jobs of last week; so the two most specific keys are the session of equal
 * submissions (20 minutes apart at most, the think time of Zakay & Feitelson, JSSPP 2012) and, in it, the burst (60 s).
 */
export interface JobFeatures {
  /** Who submitted; empty when unknown. */
  readonly user: string;
  /** What runs: a name, image, queue or command, whatever tells programs apart; empty when unknown. */
  readonly name: string;
  /** Devices or cores in all, ≥ 1; anything else counts as 1. */
  readonly size: number;
  /** The user's own estimate or the time limit, seconds; null when there is none. */
  readonly estimateSeconds: number | null;
  /** Epoch seconds. */
  readonly submittedAt: number;
}

/** The levels, most general first, with how much older observations count for after each end of a job. */
export const levels = {
  all: 0.999,
  estimate: 0.995,
  size: 0.995,
  user: 0.99,
  class: 0.98,
  hour: 0.95,
  session: 0.95,
  burst: 0.9,
} as const;
export type Level = keyof typeof levels;

export interface LevelKey {
  readonly level: Level;
  readonly key: string;
}

export const SESSION_GAP_SECONDS = 1200;
export const BURST_GAP_SECONDS = 60;

/** A usable estimate in seconds, or null: nothing, NaN, infinite, zero and negative are no estimates. */
export function usableEstimate(features: JobFeatures): number | null {
  const { estimateSeconds } = features;
  return estimateSeconds !== null && Number.isFinite(estimateSeconds) && estimateSeconds > 0 ? estimateSeconds : null;
}

/** A usable size: at least 1. */
export function usableSize({ size }: JobFeatures): number {
  return Number.isFinite(size) && size >= 1 ? size : 1;
}

/** The key of all jobs that look alike at submission. */
export function classKey(features: JobFeatures): string {
  return JSON.stringify([features.user, features.name, usableSize(features), usableEstimate(features)]);
}

/**
 * The chain without session and burst. Levels that would repeat their parent because a feature is unknown are left out:
 * counting the same jobs twice would look like more evidence than there is.
 */
export function chainOf(features: JobFeatures): LevelKey[] {
  const estimate = usableEstimate(features);
  const likeIt = classKey(features);
  const chain: LevelKey[] = [{ level: 'all', key: 'all' }];
  if (estimate !== null) chain.push({ level: 'estimate', key: `estimate ${estimate}` });
  chain.push({ level: 'size', key: `size ${usableSize(features)}` });
  if (features.user !== '') chain.push({ level: 'user', key: `user ${features.user}` });
  if (features.user === '' && features.name === '') return chain;
  chain.push({ level: 'class', key: `class ${likeIt}` });
  if (Number.isFinite(features.submittedAt)) {
    const quarterOfDay = Math.floor((((features.submittedAt % 86400) + 86400) % 86400) / 21600);
    chain.push({ level: 'hour', key: `hour ${quarterOfDay} ${likeIt}` });
  }
  return chain;
}
