/**
 * The non-preemptive simulation: events in order of time, and a scheduling round after the events of each instant.
 *
 * All policies share it; they differ in the order of the queue, in what may pass a job that does not fit, and in what
 * they believe about run times. What really happens comes from the trace alone.
 */
import { MinHeap } from '../../src/cmo/scheduler/core/min-heap.ts';
import type { Cluster } from './cluster.ts';
import { type RunningEnd, reserve } from './order/backfill.ts';
import type { SimJob } from './sim-job.ts';

export interface Policy {
  readonly name: string;
  /** When a job does not fit: nothing passes it, whatever fits does, or what does not delay its reservation. */
  readonly passing: 'none' | 'any' | 'backfill';
  submitted?(job: SimJob, now: number): void;
  started?(job: SimJob, now: number): void;
  ended?(job: SimJob, now: number): void;
  /** Sorts the queue, which comes as it was left by the last round with new jobs at its end. */
  order?(queue: SimJob[], now: number): void;
  /** Believed end of a running job, epoch seconds. */
  endsAt(job: SimJob, now: number): number;
  /** Believed run time of a waiting job, seconds. */
  runSeconds(job: SimJob, now: number): number;
  /** Whether nodes are kept for the first job from now on, until it starts. */
  keepsNodes?(first: SimJob, now: number): boolean;
}

/** Runs a trace through; jobs get their `startedAt` and `endedAt`. @throws RangeError for a job that never fits */
export function simulate(jobs: readonly SimJob[], cluster: Cluster, policy: Policy): void {
  const ends = new MinHeap<SimJob>((a, b) => a.endedAt - b.endedAt || a.index - b.index);
  const running = new Set<SimJob>();
  let queue: SimJob[] = [];
  let nextEnd: SimJob | undefined;
  const kept: Kept = { job: undefined, held: [] };
  const start = (job: SimJob, now: number, held: SimJob['held']) => {
    cluster.take(held);
    job.held = held;
    job.startedAt = now;
    job.endedAt = now + job.runSeconds;
    running.add(job);
    ends.push(job);
    policy.started?.(job, now);
  };
  for (let next = 0; next < jobs.length || nextEnd !== undefined || running.size > 0; ) {
    nextEnd ??= ends.pop();
    const submitAt = jobs[next]?.submittedAt ?? Number.POSITIVE_INFINITY;
    const now = Math.min(submitAt, nextEnd?.endedAt ?? Number.POSITIVE_INFINITY);
    for (; nextEnd !== undefined && nextEnd.endedAt <= now; nextEnd = ends.pop()) {
      cluster.give(nextEnd.held);
      running.delete(nextEnd);
      policy.ended?.(nextEnd, now);
    }
    for (; next < jobs.length && jobs[next]!.submittedAt <= now; next++) {
      const job = jobs[next]!;
      if (job.size > cluster.capacity) throw new RangeError(`job ${job.id} of ${job.size} never fits`);
      policy.submitted?.(job, now);
      queue.push(job);
    }
    // The end that was taken out to look at it goes back before anything new is started.
    if (nextEnd !== undefined) ends.push(nextEnd);
    nextEnd = undefined;
    if (queue.length > 0 && cluster.mostFree > 0) queue = round(queue, running, cluster, policy, now, start, kept);
  }
}

/** The job that nodes are kept for, and which. */
interface Kept {
  job: SimJob | undefined;
  held: SimJob['held'];
}

type Start = (job: SimJob, now: number, held: SimJob['held']) => void;

/** One scheduling round; returns what still waits. */
function round(
  queue: SimJob[],
  running: ReadonlySet<SimJob>,
  cluster: Cluster,
  policy: Policy,
  now: number,
  start: Start,
  kept: Kept,
): SimJob[] {
  policy.order?.(queue, now);
  let at = 0;
  for (; at < queue.length; at++) {
    const held = cluster.place(queue[at]!.size);
    if (held === undefined) break;
    start(queue[at]!, now, held);
  }
  const first = queue[at];
  if (first === undefined) return [];
  const rest = at === 0 ? queue : queue.slice(at);
  if (policy.passing === 'none') return rest;
  const ends: (RunningEnd & { index: number })[] = [];
  if (policy.passing === 'backfill') {
    for (const job of running) ends.push({ endsAt: policy.endsAt(job, now), held: job.held, index: job.index });
    ends.sort((a, b) => a.endsAt - b.endsAt || a.index - b.index);
  }
  const reservation =
    ends.length > 0 ? reserve(cluster.free, ends, (free) => cluster.place(first.size, free)) : undefined;
  if (policy.keepsNodes?.(first, now) !== true) kept.job = undefined;
  else if (kept.job !== first) Object.assign(kept, { job: first, held: reservation?.held ?? [] });
  // What others may take: all of it, or what is free beside the nodes kept.
  const open = cluster.free.slice();
  if (kept.job !== undefined) for (const { node, amount } of kept.held) open[node]! -= amount;
  const waiting = [first];
  let mostFree = cluster.mostFree;
  for (let i = 1; i < rest.length; i++) {
    const job = rest[i]!;
    const fitsAtAll = job.size <= mostFree || (job.size > cluster.perNode && mostFree === cluster.perNode);
    const endsInTime = reservation === undefined || now + policy.runSeconds(job, now) <= reservation.at;
    const held = !fitsAtAll
      ? undefined
      : cluster.place(job.size, cluster.free, endsInTime || kept.job !== undefined ? open : reservation!.spare);
    if (held === undefined) {
      waiting.push(job);
      continue;
    }
    for (const { node, amount } of held) {
      open[node]! -= amount;
      if (!endsInTime) reservation!.spare[node]! -= amount;
    }
    start(job, now, held);
    mostFree = cluster.mostFree;
    if (mostFree === 0) return waiting.concat(rest.slice(i + 1));
  }
  return waiting;
}
