/**
 * When the jobs have ended that a job stands apart from: in each part the last of them, and of the parts the first that is clear.
 */
import type { End } from '../backfill/ends.ts';
import { domainOf } from '../domains.ts';
import type { Fleet } from '../fleet.ts';
import type { Scoreboard } from '../scoreboard.ts';
import { type Judged, meantBy } from './judged.ts';
import type { Neighbours } from './neighbours.ts';
import type { Vicinity } from './vicinity.ts';

/**
 * What must end last before all ranks may stand together; undefined when that is not enough, or nobody knows when they end.
 * @param ends of what runs, as far as they are expected
 */
export function clearedBy(
  fleet: Fleet,
  neighbours: Neighbours,
  vicinity: Vicinity,
  board: Scoreboard,
  ends: readonly End[],
): End | undefined {
  const { ranks } = board.request;
  const endOf = new Map(ends.map((end) => [end.holder.job.id, end]));
  const apart = vicinity.required.filter(({ code }) => code === 'anti_affinity');
  const near = vicinity.required.filter(({ code }) => code === 'affinity');
  const clearing = apart.map((judged) => lastEnds(fleet, neighbours, judged, endOf));
  let first: End | undefined;
  for (const rows of board.capacity().usable.values()) {
    const lasts = rows.flatMap((row) => {
      if (!near.every((judged) => vicinity.meets(judged, row))) return [];
      const parts = apart.map(({ rule }) => domainOf(fleet.snapshot, rule.level, row));
      if (parts.some((part, i) => part < 0 && !apart[i]!.isTheirs)) return [];
      const last = parts.map((part, i) => clearing[i]!.get(part)).reduce(later, undefined);
      return last === null ? [] : [last];
    });
    if (lasts.length < ranks) continue;
    const last = lasts.sort((a, b) => (a?.at ?? 0) - (b?.at ?? 0))[ranks - 1];
    if (last !== undefined && (first === undefined || last.at < first.at)) first = last;
  }
  return first;
}

/** By part: what of the jobs that are meant ends there last; null where nobody knows. */
function lastEnds(
  fleet: Fleet,
  neighbours: Neighbours,
  judged: Judged,
  endOf: ReadonlyMap<string, End>,
): Map<number, End | null> {
  const { tenant, rule, counts } = judged;
  const lasts = new Map<number, End | null>();
  const seen = new Map<number, number>();
  for (const { job, ranks } of neighbours.running(tenant, meantBy(judged))) {
    for (const { row } of ranks) {
      const part = row < 0 ? -1 : domainOf(fleet.snapshot, rule.level, row);
      if (part < 0) continue;
      seen.set(part, (seen.get(part) ?? 0) + 1);
      lasts.set(part, later(lasts.get(part), endOf.get(job.id) ?? null) ?? null);
    }
  }
  // What this round has placed ends after all that runs.
  for (const [part, count] of counts) if (count > (seen.get(part) ?? 0)) lasts.set(part, null);
  return lasts;
}

/** The later of two ends; null, which nobody knows, is the latest. */
function later(a: End | null | undefined, b: End | null | undefined): End | null | undefined {
  if (a === null || b === null) return null;
  if (a === undefined || b === undefined) return a ?? b;
  return a.at >= b.at ? a : b;
}
