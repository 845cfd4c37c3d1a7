/**
 * What holds capacity, for rounds: what rows say, and what was planned or is being ended and the rows do not say yet.
 */
import type { Placement, Preemption } from '../../../common/contract/plan.ts';
import { keptApart } from '../core/neighbours/rules.ts';
import type { RunningJob } from '../core/running.ts';
import type { PendingJob } from '../core/snapshot.ts';
import type { History } from '../history-rows.ts';
import type { JobTraits } from '../job-traits.ts';
import type { RunningRow } from '../running-rows.ts';
import type { RunTimes } from './run-times.ts';

const hourMs = 3_600_000;

export class RunningSet {
  /** In no order; changed in place, since a large fleet runs too much to list it anew each round. */
  readonly #jobs: RunningJob[] = [];
  readonly #at = new Map<string, number>();
  #changed = new Map<string, RunningJob | null>();
  readonly #runTimes: RunTimes;
  /** When jobs were ended for others, epoch milliseconds. */
  #preemptedAt: number[] = [];

  constructor(runTimes: RunTimes) {
    this.#runTimes = runTimes;
  }

  /** What was before this process began to watch. */
  remember({ runs, preemptedAt }: History): void {
    this.#runTimes.remember(runs);
    this.#preemptedAt.push(...preemptedAt);
  }

  /** All that runs, in no order. Valid until the next change. */
  jobs(): readonly RunningJob[] {
    return this.#jobs;
  }

  /** What runs otherwise, or (null) not any more, since this was asked last. */
  takeChanged(): ReadonlyMap<string, RunningJob | null> {
    const changed = this.#changed;
    this.#changed = new Map();
    return changed;
  }

  #put(id: string, job: RunningJob): void {
    const at = this.#at.get(id) ?? this.#jobs.length;
    this.#at.set(id, at);
    this.#jobs[at] = job;
    this.#changed.set(id, job);
  }

  /** Whether it was there. */
  #remove(id: string): boolean {
    const at = this.#at.get(id);
    if (at === undefined) return false;
    this.#at.delete(id);
    const last = this.#jobs.pop()!;
    if (at < this.#jobs.length) {
      this.#jobs[at] = last;
      this.#at.set(last.id, at);
    }
    this.#changed.set(id, null);
    return true;
  }

  /** How many jobs were ended for others in the last hour. */
  preemptedLastHour(now: number): number {
    this.#preemptedAt = this.#preemptedAt.filter((at) => now - at < hourMs);
    return this.#preemptedAt.length;
  }

  /** A row was read: it runs so, or (null) it does not any more. @param finished whether it ended by itself */
  set(id: string, row: RunningRow | null, now: number, finished = false): void {
    if (row === null) {
      if (!this.#remove(id)) return;
      this.#runTimes.ended(id, now, finished);
      return;
    }
    const { traits, labels, array, apart, ...job } = row;
    const endsAt = this.#runTimes.started(id, traits, row.startedAt, now);
    this.#put(id, { ...job, user: traits.user, endsAt, preemptible: true, ...neighbourFacts(labels, array, apart) });
  }

  /** A placement that was planned. */
  assume(job: PendingJob, { ranks }: Placement, traits: JobTraits | undefined, now: number): void {
    const endsAt = traits === undefined ? null : this.#runTimes.started(job.id, traits, now, now);
    this.#put(job.id, {
      id: job.id,
      tenant: job.tenant,
      project: job.project,
      user: job.user ?? '',
      priority: job.priority,
      ranks,
      startedAt: now,
      checkpointAt: null,
      endsAt,
      preemptible: true,
      stopping: null,
      ...neighbourFacts(job.labels, job.array, keptApart(job.shape)),
    });
  }

  /** A placement that was not committed. */
  refuse(id: string, now: number): void {
    this.set(id, null, now);
  }

  /** Work that is asked to end for others. */
  preempt(preemptions: readonly Preemption[], now: number): void {
    for (const { jobId } of preemptions) {
      const at = this.#at.get(jobId);
      const job = at === undefined ? undefined : this.#jobs[at];
      if (job === undefined) continue;
      this.#put(jobId, { ...job, stopping: 'preempt' });
      this.#preemptedAt.push(now);
    }
  }
}

const neighbourFacts = (
  labels: RunningJob['labels'] | null | undefined,
  array: string | null | undefined,
  apart: RunningJob['apart'],
) => ({
  ...(labels && { labels }),
  ...(array && { array }),
  ...(apart && { apart }),
});
