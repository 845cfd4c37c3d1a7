/**
 * Merges what a backend observed of a rank into what is recorded. Pure.
 *
 * A rank only moves forwards (placed, starting, running, ended); an observation that contradicts what is recorded is
 * dropped, so that late or repeated messages can change neither the outcome nor the bill. Nodes' wall clocks may be wrong:
 * instants are bounded by the server's own knowledge, and how long a job ran comes from the node's boot clock.
 */
import type { RankRow } from '../jobs/index.ts';
import type { RankObservation } from './backends/backend.ts';

const order = { placed: 0, starting: 1, running: 2, ended: 3 } as const;

export interface MergeBounds {
  /** Nothing of the attempt happened before it was handed to the backend. */
  readonly since: Date;
  /** Nothing that is observed lies in the future. */
  readonly now: Date;
}

/** Why a rank ended whose start was given up for good; beside the reasons that backends say. */
export const cannotStart = 'cannot-start';

const reasonOf = ({ reason, permanent }: NonNullable<RankObservation['end']>): string =>
  reason === 'start-failed' && permanent === true ? cannotStart : reason;

/** @returns the rank as it is now; the same object when nothing is new */
export function mergeRank(rank: RankRow, seen: RankObservation, { since, now }: MergeBounds): RankRow {
  if (seen.state === 'unknown' || order[seen.state] <= order[rank.state]) return rank;
  const between = (ms: number, least: Date) => new Date(Math.max(least.getTime(), Math.min(now.getTime(), ms)));
  if (seen.state !== 'ended') {
    const began = seen.state === 'running' ? between((seen.startedAt ?? now).getTime(), since) : null;
    return { ...rank, state: seen.state, started_at: rank.started_at ?? began };
  }
  const ranMs = seen.ranSeconds === undefined ? null : seen.ranSeconds * 1000;
  const saidEnd = (seen.endedAt ?? now).getTime();
  let startedAt = rank.started_at;
  if (startedAt === null && ranMs !== null) startedAt = between(Math.min(saidEnd, now.getTime()) - ranMs, since);
  if (startedAt === null && seen.startedAt) startedAt = between(seen.startedAt.getTime(), since);
  const endMs = startedAt !== null && ranMs !== null ? startedAt.getTime() + ranMs : saidEnd;
  return {
    ...rank,
    state: 'ended',
    started_at: startedAt,
    ended_at: between(endMs, startedAt ?? since),
    reason: seen.end === undefined ? rank.reason : reasonOf(seen.end),
    exit_code: seen.end?.exitCode ?? null,
    signal: seen.end?.signal ?? null,
    message: seen.end?.message ?? null,
  };
}
