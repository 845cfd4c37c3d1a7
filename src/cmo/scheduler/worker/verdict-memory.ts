/**
 * Which reason each queued job's row carries, so that a round writes only what changed.
 *
 * The numbers in a sentence change with every round; writing them for each of a million jobs would cost more than all else. So a changed
 * reason is written at once, and a changed sentence only for the first jobs of each shape, and not more often than every half minute.
 */
import type { PendingVerdict } from '../../../common/contract/plan.ts';
import type { PendingReason } from '../../../common/contract/states/job.ts';
import type { JobId } from '../../../common/ids.ts';
import type { VerdictGroup } from '../core/schedule.ts';

interface Remembered {
  reason: PendingReason;
  message: string;
  /** When we wrote it, epoch milliseconds; 0 when it came with the row. */
  at: number;
}

const refreshMs = 30_000;
const refreshedPerGroup = 100;

export class VerdictMemory {
  readonly #byJob = new Map<string, Remembered>();
  readonly #counts = new Map<PendingReason, number>();

  /** A job is queued with this reason in its row. */
  set(jobId: string, reason: PendingReason, message = '', at = 0): void {
    this.delete(jobId);
    this.#byJob.set(jobId, { reason, message, at });
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }

  delete(jobId: string): void {
    const known = this.#byJob.get(jobId);
    if (known === undefined) return;
    this.#byJob.delete(jobId);
    this.#counts.set(known.reason, this.#counts.get(known.reason)! - 1);
  }

  counts(): Partial<Record<PendingReason, number>> {
    return Object.fromEntries(this.#counts);
  }

  /** The verdicts worth writing, remembered as written. `now`: epoch milliseconds. */
  changed(groups: readonly VerdictGroup[], now: number): PendingVerdict[] {
    const result: PendingVerdict[] = [];
    for (const { jobs, reason, detail } of groups) {
      const isTime = reason === 'earliest_start' || reason === 'retry_backoff';
      for (const [i, job] of jobs.entries()) {
        const known = this.#byJob.get(job.id);
        if (known?.reason === reason) {
          if (isTime || i >= refreshedPerGroup || now - known.at < refreshMs) continue;
          if (detail(job).message === known.message) continue;
        }
        const written = detail(job);
        this.set(job.id, reason, written.message, now);
        result.push({ jobId: job.id as JobId, reason, detail: written });
      }
    }
    return result;
  }
}
