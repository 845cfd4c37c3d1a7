/**
 * The order of the queue by predicted work, with probes for kinds of jobs not seen yet and the job that is due for longest first.
 *
 * Jobs of one group (equal features, one burst) share a prediction, so a round costs a distribution per group that learned something,
 * a comparison per job, and nothing per job that merely waits. Pure state: the caller tells what happened.
 */
import { type Distribution, meanSeconds, quantileSeconds } from '../../../src/cmo/scheduler/prediction/distribution.ts';
import type { HazardNode } from '../../../src/cmo/scheduler/prediction/hazard-node.ts';
import type { RunTimePredictor, TrackedJob } from '../../../src/cmo/scheduler/prediction/run-time-predictor.ts';
import { dueAfterSeconds, type StarvationRule } from './starvation.ts';
import { probeWork } from './work-index.ts';

/** A prediction is kept for so long unless its group or session learned something. */
const REFRESH_SECONDS = 600;
/** A job may pass a reservation when it ends in time with this chance: a promise is worth more than a filled gap. */
const BACKFILL_SHARE = 0.8;

export interface QueuedWork {
  readonly job: TrackedJob;
  /** Devices or cores, ≥ 1. */
  readonly size: number;
  /** Epoch seconds. */
  readonly submittedAt: number;
  /** Breaks ties; smaller first. */
  readonly sequence: number;
}

export interface Rank {
  /** Device-seconds expected, or of the wager when it is its group's probe. */
  readonly work: number;
  /** Whether it is due, and of all that are due the one submitted first. */
  readonly goesFirst: boolean;
}

interface GroupView {
  key: number;
  at: number;
  round: number;
  distribution: Distribution;
  meanSeconds: number;
  waiting: number;
  hasProbe: boolean;
}

export class WorkOrder {
  readonly #predictor: RunTimePredictor;
  readonly #rule: StarvationRule;
  /** Groups die with their jobs, and their views with them. */
  readonly #views = new WeakMap<HazardNode, GroupView>();
  readonly #capacity: number;
  #round = 0;
  /** Before this no due job goes first, epoch seconds. */
  #nextDueAt = Number.NEGATIVE_INFINITY;

  /** @param capacity devices or cores of the cluster, > 0 */
  constructor(predictor: RunTimePredictor, rule: StarvationRule, capacity: number) {
    this.#predictor = predictor;
    this.#rule = rule;
    this.#capacity = capacity;
  }

  /** The job that went first has started: its work is charged to the share of due jobs. @param now epoch seconds */
  firstStarted({ job, size }: Pick<QueuedWork, 'job' | 'size'>, now: number): void {
    const seconds = Math.min(this.#rule.mostSeconds, this.#view(job, now).meanSeconds);
    this.#nextDueAt = now + (seconds * size) / (this.#rule.dueShare * this.#capacity);
  }

  /** Ranks the queue. @param now epoch seconds @returns in the order of `queue`; sort with `compareRanks` */
  rank(queue: readonly QueuedWork[], now: number): Rank[] {
    this.#predictor.advance(now);
    this.#round += 1;
    const views = queue.map(({ job }) => {
      const view = this.#view(job, now);
      if (view.round !== this.#round) {
        view.round = this.#round;
        view.waiting = 0;
        view.hasProbe = false;
      }
      view.waiting += 1;
      return view;
    });
    const first = this.#firstDue(queue, views, now);
    return queue.map((queued, i) => {
      const { job, size } = queued;
      const view = views[i]!;
      const goesFirst = queued === first;
      // One probe at a time, and only while nothing is known of the group.
      const isProbe = !view.hasProbe && job.group.runningCount === 0 && job.group.endedCount === 0;
      if (!isProbe) return { work: view.meanSeconds * size, goesFirst };
      view.hasProbe = true;
      return { work: probeWork(view.distribution, size, view.waiting), goesFirst };
    });
  }

  /** The run time that a waiting job is believed to stay below when it asks to pass a reservation, seconds. */
  backfillSeconds(job: TrackedJob, now: number): number {
    return quantileSeconds(this.#view(job, now).distribution, BACKFILL_SHARE);
  }

  #firstDue(queue: readonly QueuedWork[], views: readonly GroupView[], now: number): QueuedWork | undefined {
    let first: QueuedWork | undefined;
    if (now < this.#nextDueAt) return undefined;
    for (let i = 0; i < queue.length; i++) {
      const queued = queue[i]!;
      if (now - queued.submittedAt < dueAfterSeconds(this.#rule, views[i]!.meanSeconds)) continue;
      if (first === undefined || bySubmission(queued, first) < 0) first = queued;
    }
    return first;
  }

  #view(job: TrackedJob, now: number): GroupView {
    const { group, nodes } = job;
    const session = nodes.at(-2)!;
    const key = group.version + session.endedCount * 1e6;
    let view = this.#views.get(group);
    if (view !== undefined && (view.key === key || now <= view.at) && now - view.at <= REFRESH_SECONDS) return view;
    const distribution = this.#predictor.distribution(job);
    view = {
      waiting: 0,
      hasProbe: false,
      round: this.#round,
      ...view,
      key,
      at: now,
      distribution,
      meanSeconds: meanSeconds(distribution),
    };
    this.#views.set(group, view);
    return view;
  }
}

const bySubmission = (a: Omit<QueuedWork, 'job'>, b: Omit<QueuedWork, 'job'>) =>
  a.submittedAt - b.submittedAt || a.sequence - b.sequence;

/** Who goes first, then least work; ties by submission, then sequence. */
export function compareRanks(a: Rank & Omit<QueuedWork, 'job'>, b: Rank & Omit<QueuedWork, 'job'>): number {
  if (a.goesFirst !== b.goesFirst) return a.goesFirst ? -1 : 1;
  return a.work - b.work || bySubmission(a, b);
}
