/**
 * Which reason each queued job's row carries, so that a round writes only what changed. Kept by the queue's records (`core/job-record.ts`); here
 * is how many carry which, and what is worth writing.
 *
 * The numbers in a sentence change with every round; writing them for each of a million jobs would cost more than all else. So a changed
 * reason is written at once, and a changed sentence only for the first jobs of each shape, and not more often than every half minute. Of a record
 * behind those, all of whose rows say what a round says, no job is looked at.
 */
import type { PendingVerdict } from '../../../common/contract/plan.ts';
import type { PendingReason } from '../../../common/contract/states/job.ts';
import type { JobId } from '../../../common/ids.ts';
import type { JobRecord, Said } from '../core/job-record.ts';
import type { VerdictGroup } from '../core/schedule.ts';

const standardRefreshMs = 30_000;
const refreshedPerGroup = 100;

export class VerdictMemory {
  readonly #counts = new Map<PendingReason, number>();
  readonly #refreshMs: number;

  /** @param refreshMs how long a sentence stands at least while its reason stays, ms */
  constructor(refreshMs = standardRefreshMs) {
    this.#refreshMs = refreshMs;
  }

  /** So many more jobs are queued with this reason in their rows, or (negative) so many fewer. */
  count({ reason }: Pick<Said, 'reason'>, jobs: number): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + jobs);
  }

  counts(): Partial<Record<PendingReason, number>> {
    return Object.fromEntries(this.#counts);
  }

  /** The verdicts worth writing, remembered as written. `now`: epoch milliseconds. */
  changed(groups: readonly VerdictGroup[], now: number): PendingVerdict[] {
    const result: PendingVerdict[] = [];
    for (const group of groups) {
      const isTime = group.reason === 'earliest_start' || group.reason === 'retry_backoff';
      let left = isTime ? 0 : refreshedPerGroup;
      group.jobs.each((record, from, to) => {
        const refreshed = Math.min(to, from + left);
        left -= refreshed - from;
        if (refreshed > from || !record.allSay(group.reason))
          this.#look(group, record, from, refreshed, to, now, result);
      });
    }
    return result;
  }

  /** @param refreshed position from which on nothing but a reason is written */
  #look(
    { reason, detail }: VerdictGroup,
    record: JobRecord,
    from: number,
    refreshed: number,
    to: number,
    now: number,
    result: PendingVerdict[],
  ): void {
    let written: ReturnType<typeof detail> | undefined;
    const ids: string[] = [];
    for (let at = from; at < to; at += 1) {
      const id = record.idAt(at);
      const known = record.saidOf(id);
      if (known.reason === reason) {
        if (at >= refreshed || now - known.at < this.#refreshMs) continue;
        written ??= detail(record.facts);
        if (written.message === known.message) continue;
      }
      written ??= detail(record.facts);
      this.count(known, -1);
      ids.push(id);
      result.push({ jobId: id as JobId, reason, detail: written });
    }
    if (written === undefined || ids.length === 0) return;
    const said = { reason, message: written.message, at: now };
    this.count(said, ids.length);
    record.say(ids, said);
  }
}
