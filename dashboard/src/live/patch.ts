/**
 * Deltas put into what is held. Everything in a delta is the whole new value of an entity; a copy that is newer by its revision
 * stays, since an answer of the API may have overtaken the socket. Untouched parts keep their identity, so that nothing is drawn
 * again without need.
 */
import type { JobDetail, JobSummary, LiveDelta } from '../../../src/common/contract/live.ts';
import { isCurrent } from '../api/overtaken.ts';

/** Jobs of a list as they are now; rows that are not in the list are left out, and the order stays. */
export function patchJobs<T extends JobSummary>(items: readonly T[], put: readonly JobSummary[]): readonly T[] {
  if (put.length === 0) return items;
  const byId = new Map(put.map((job) => [job.id, job]));
  let changed = false;
  const patched = items.map((item) => {
    const next = byId.get(item.id);
    if (next === undefined || !isCurrent(item, next)) return item;
    changed = true;
    return { ...item, ...next };
  });
  return changed ? patched : items;
}

/** A job's page as it is now. */
export function patchJob(held: JobDetail, delta: LiveDelta<`job/${string}`>): JobDetail {
  const fields = delta.fields?.revision === undefined || isCurrent(held, delta.fields as JobDetail) ? delta.fields : {};
  return {
    ...held,
    ...fields,
    attempts: putById(held.attempts, delta.attempts ?? []).sort((a, b) => a.number - b.number),
    timeline: putById(held.timeline, delta.timeline ?? []).sort((a, b) => Number(BigInt(a.id) - BigInt(b.id))),
  };
}

/** Puts entities in the place of older ones, and new ones behind them. */
export function putById<T extends { readonly id: string }>(items: readonly T[], put: readonly T[]): T[] {
  if (put.length === 0) return items as T[];
  const byId = new Map(items.map((item) => [item.id, item]));
  for (const item of put) byId.set(item.id, item);
  return [...byId.values()];
}
