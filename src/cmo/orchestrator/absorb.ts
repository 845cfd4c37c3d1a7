/** Writes what a backend observed of an attempt's ranks into their rows, and opens and closes usage beside it. */
import { closeInterval, openInterval } from '../../billing/index.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import type { AttemptRow, RankRow } from '../jobs/index.ts';
import type { RankObservation } from './backends/backend.ts';
import { mergeRank } from './merge-rank.ts';

/**
 * @param attempt locked in this transaction
 * @param observations of any attempt; those under another token are dropped
 * @param now the database's clock; bounds what nodes say about time
 * @returns the rank rows as they are now
 */
export async function absorb(
  tx: Transaction,
  attempt: AttemptRow,
  ranks: readonly RankRow[],
  observations: readonly RankObservation[],
  now: Date,
): Promise<RankRow[]> {
  const since = attempt.starting_at ?? attempt.placed_at;
  const result: RankRow[] = [];
  for (const rank of ranks) {
    const seen = observations.find(
      ({ attemptId, rank: number, token }) =>
        attemptId === attempt.id && number === rank.rank && token === attempt.token,
    );
    const merged = seen ? mergeRank(rank, seen, { since, now }) : rank;
    if (seen && merged !== rank) await write(tx, rank, merged, seen);
    result.push(merged);
  }
  return result;
}

async function write(tx: Transaction, before: RankRow, after: RankRow, seen: RankObservation): Promise<void> {
  await tx.query(
    `update cmo_attempt_ranks set state = $3, started_at = $4, ended_at = $5, reason = $6, exit_code = $7, signal = $8,
            message = $9 where attempt_id = $1 and rank = $2`,
    [
      after.attempt_id,
      after.rank,
      after.state,
      after.started_at,
      after.ended_at,
      after.reason,
      after.exit_code,
      after.signal,
      after.message,
    ],
  );
  const key = { attemptId: after.attempt_id, rank: after.rank };
  if (after.started_at && !before.started_at) await openInterval(tx, key, after.started_at);
  if (after.started_at && after.ended_at) {
    await closeInterval(tx, {
      ...key,
      endedAt: after.ended_at,
      energyJoules: seen.usage?.energyJoules ?? null,
      energySource: seen.usage?.energySource ?? null,
      cpuSeconds: seen.usage?.cpuSeconds ?? null,
      peakMemoryBytes: seen.usage?.peakMemoryBytes ?? null,
    });
  }
}
