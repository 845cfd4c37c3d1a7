/** Merges what a backend observed of an attempt's ranks into them, and says which usage begins and ends with that. Pure. */
import type { IntervalEnd, IntervalStart } from '../../billing/index.ts';
import type { AttemptRow, RankRow } from '../jobs/index.ts';
import type { RankObservation } from './backends/backend.ts';
import { mergeRank } from './merge-rank.ts';

export interface Absorbed {
  readonly ranks: readonly RankRow[];
  readonly began: readonly IntervalStart[];
  readonly ended: readonly IntervalEnd[];
}

/**
 * @param observations of this attempt; those under another token are dropped
 * @param now the database's clock; bounds what nodes say about time
 */
export function absorb(
  attempt: AttemptRow,
  ranks: readonly RankRow[],
  observations: readonly RankObservation[],
  now: Date,
): Absorbed {
  const since = attempt.starting_at ?? attempt.placed_at;
  const began: IntervalStart[] = [];
  const ended: IntervalEnd[] = [];
  const merged = ranks.map((rank) => {
    const seen = observations.find(({ rank: number, token }) => number === rank.rank && token === attempt.token);
    const after = seen ? mergeRank(rank, seen, { since, now }) : rank;
    if (seen === undefined || after === rank) return rank;
    const key = { attemptId: after.attempt_id, rank: after.rank };
    if (after.started_at && !rank.started_at) began.push({ ...key, startedAt: after.started_at });
    if (after.started_at && after.ended_at) ended.push({ ...key, endedAt: after.ended_at, ...measured(seen) });
    return after;
  });
  return { ranks: merged, began, ended };
}

function measured({ usage }: RankObservation): Omit<IntervalEnd, 'attemptId' | 'rank' | 'endedAt'> {
  return {
    energyJoules: usage?.energyJoules ?? null,
    energySource: usage?.energySource ?? null,
    cpuSeconds: usage?.cpuSeconds ?? null,
    peakMemoryBytes: usage?.peakMemoryBytes ?? null,
  };
}
