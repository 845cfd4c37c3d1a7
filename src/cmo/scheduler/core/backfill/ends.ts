/**
 * When what runs is expected to have ended. A prediction that was overrun, or makes no sense, is replaced by a plain rule: who has run for
 * so long runs for as long again (of heavy-tailed run times the best that can be said), and never ends within the next minute.
 */
import type { Holder } from '../running.ts';

const leastMs = 60_000;
/** What is being ended has this long to go. */
const graceMs = 60_000;

/** Epoch milliseconds after `now`; Infinity when nobody knows. */
export function endOf({ job }: Pick<Holder, 'job'>, now: number): number {
  if (job.stopping !== null) return now + graceMs;
  const { endsAt, startedAt } = job;
  if (endsAt === null || !Number.isFinite(endsAt)) return Number.POSITIVE_INFINITY;
  if (endsAt > now) return endsAt;
  const elapsed = now - startedAt;
  return now + (Number.isFinite(elapsed) ? Math.max(leastMs, elapsed) : leastMs);
}

export interface End {
  readonly at: number;
  readonly holder: Holder;
}

/** The ends that are expected, first to last; those that nobody knows are left out. */
export function endsOf(holders: readonly Holder[], now: number): End[] {
  const ends = holders.map((holder) => ({ at: endOf(holder, now), holder }));
  return ends
    .filter(({ at }) => at < Number.POSITIVE_INFINITY)
    .sort((a, b) => a.at - b.at || (a.holder.job.id < b.holder.job.id ? -1 : 1));
}
