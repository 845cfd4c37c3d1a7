/**
 * Writes what a backend observed of an attempt's ranks into their rows, and opens and closes usage beside it.
 *
 * A rank only moves forwards (placed, starting, running, ended); a report that contradicts what is recorded is dropped,
 * so that late or repeated messages can change neither the outcome nor the bill.
 */
import { closeInterval, openInterval } from '../../billing/index.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import type { RankRow } from '../jobs/index.ts';
import type { RankObservation } from './backends/backend.ts';

const order = { placed: 0, starting: 1, running: 2, ended: 3 } as const;

/**
 * @param ranks the attempt's rank rows, whose attempt is locked
 * @param now the server's clock; bounds what nodes say about time
 * @returns the rank rows as they are now
 */
export async function absorb(
  tx: Transaction,
  attempt: { readonly token: bigint; readonly since: Date },
  ranks: readonly RankRow[],
  observations: readonly RankObservation[],
  now: Date,
): Promise<RankRow[]> {
  const result: RankRow[] = [];
  for (const rank of ranks) {
    const seen = observations.find((candidate) => candidate.rank === rank.rank && candidate.token === attempt.token);
    if (!seen || seen.state === 'unknown' || order[seen.state] <= order[rank.state]) {
      result.push(rank);
      continue;
    }
    const bound = (at: Date | undefined, least: Date) =>
      new Date(Math.min(now.getTime(), Math.max(least.getTime(), (at ?? now).getTime())));
    const ran = seen.state === 'running' || (seen.state === 'ended' && seen.startedAt !== undefined);
    const startedAt = rank.started_at ?? (ran ? bound(seen.startedAt, attempt.since) : null);
    const endedAt = seen.state === 'ended' ? bound(seen.endedAt, startedAt ?? attempt.since) : null;
    const moved: RankRow = {
      ...rank,
      state: seen.state,
      started_at: startedAt,
      ended_at: endedAt,
      reason: seen.end?.reason ?? rank.reason,
      exit_code: seen.end?.exitCode ?? null,
      signal: seen.end?.signal ?? null,
      message: seen.end?.message ?? null,
    };
    await tx.query(
      `update cmo_attempt_ranks set state = $3, started_at = $4, ended_at = $5, reason = $6, exit_code = $7, signal = $8,
              message = $9 where attempt_id = $1 and rank = $2`,
      [
        rank.attempt_id,
        rank.rank,
        moved.state,
        moved.started_at,
        moved.ended_at,
        moved.reason,
        moved.exit_code,
        moved.signal,
        moved.message,
      ],
    );
    const key = { attemptId: rank.attempt_id, rank: rank.rank };
    if (startedAt && !rank.started_at) await openInterval(tx, key, startedAt);
    if (startedAt && endedAt) {
      await closeInterval(tx, {
        ...key,
        endedAt,
        energyJoules: seen.usage?.energyJoules ?? null,
        energySource: seen.usage?.energySource ?? null,
        cpuSeconds: seen.usage?.cpuSeconds ?? null,
        peakMemoryBytes: seen.usage?.peakMemoryBytes ?? null,
      });
    }
    result.push(moved);
  }
  return result;
}
