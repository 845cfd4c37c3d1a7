/**
 * The preemptive simulation: at each event the active jobs stand in order of a priority that may change with what they got, and run
 * as far as they fit; who no longer fits is preempted.
 *
 * Each preemption costs the job 600 s of work (checkpoint, restart, warm-up), so what it saves must be worth more than that.
 * A waiting job takes free nodes before it takes those of running jobs behind it, and running jobs do not move.
 */
import type { Cluster } from './cluster.ts';
import type { SimJob } from './sim-job.ts';

export const LOST_SECONDS = 600;

export interface ActiveJob {
  readonly job: SimJob;
  /** Work left, lost work included, seconds. */
  left: number;
  /** Seconds run, all attempts together. */
  done: number;
  running: boolean;
}

export interface PreemptivePolicy {
  readonly name: string;
  submitted?(active: ActiveJob, now: number): void;
  started?(active: ActiveJob, now: number): void;
  stopped?(active: ActiveJob, now: number, finished: boolean): void;
  /** Before the keys of an instant are asked for. */
  advance?(now: number): void;
  /** Smaller goes first; ties by submission. */
  key(active: ActiveJob, now: number): number;
  /** Seconds of running until its key changes by itself; Infinity when it does not. */
  changesIn?(active: ActiveJob): number;
}

/** Runs a trace through. @returns how many preemptions there were */
export function simulatePreemptive(jobs: readonly SimJob[], cluster: Cluster, policy: PreemptivePolicy): number {
  let active: ActiveJob[] = [];
  let preemptions = 0;
  let now = 0;
  for (let next = 0; next < jobs.length || active.length > 0; ) {
    let at = jobs[next]?.submittedAt ?? Number.POSITIVE_INFINITY;
    for (const one of active) {
      if (one.running) at = Math.min(at, now + one.left, now + (policy.changesIn?.(one) ?? Number.POSITIVE_INFINITY));
    }
    for (const one of active) {
      if (!one.running) continue;
      one.left -= at - now;
      one.done += at - now;
    }
    now = at;
    active = active.filter((one) => {
      if (!one.running || one.left > 1e-6) return true;
      cluster.give(one.job.held);
      one.job.endedAt = now;
      policy.stopped?.(one, now, true);
      return false;
    });
    for (; next < jobs.length && jobs[next]!.submittedAt <= now; next++) {
      const job = jobs[next]!;
      if (job.size > cluster.capacity) throw new RangeError(`job ${job.id} of ${job.size} never fits`);
      const one: ActiveJob = { job, left: job.runSeconds, done: 0, running: false };
      policy.submitted?.(one, now);
      active.push(one);
    }
    policy.advance?.(now);
    preemptions += round(active, cluster, policy, now);
  }
  return preemptions;
}

function round(active: ActiveJob[], cluster: Cluster, policy: PreemptivePolicy, now: number): number {
  const waiting = active.some((one) => !one.running);
  if (!waiting) return 0;
  const keys = new Map(active.map((one) => [one, policy.key(one, now)]));
  active.sort((a, b) => keys.get(a)! - keys.get(b)! || a.job.index - b.job.index);
  // What would be free if nobody ran, less what those in front keep.
  const open = new Int32Array(cluster.free.length).fill(cluster.perNode);
  const victims: ActiveJob[] = [];
  const starts: { one: ActiveJob; held: SimJob['held'] }[] = [];
  for (const one of active) {
    const { job } = one;
    let held: SimJob['held'] | undefined = job.held;
    if (one.running) {
      if (!held.every(({ node, amount }) => open[node]! >= amount)) {
        victims.push(one);
        continue;
      }
    } else {
      held = cluster.place(job.size, cluster.free, open) ?? cluster.place(job.size, open);
      if (held === undefined) continue;
      starts.push({ one, held });
      const free = held.every(({ node, amount }) => cluster.free[node]! >= amount);
      if (free) cluster.take(held);
    }
    for (const { node, amount } of held) open[node]! -= amount;
  }
  for (const one of victims) {
    one.running = false;
    one.left += LOST_SECONDS;
    policy.stopped?.(one, now, false);
  }
  for (const { one, held } of starts) {
    one.running = true;
    one.job.held = held;
    policy.started?.(one, now);
  }
  recount(cluster, active);
  return victims.length;
}

/** Free counts from what runs: the round took some twice or not yet. @throws RangeError when it gave more than there is */
function recount(cluster: Cluster, active: readonly ActiveJob[]): void {
  cluster.free.fill(cluster.perNode);
  for (const one of active) if (one.running) cluster.take(one.job.held);
  if (cluster.free.some((free) => free < 0)) throw new RangeError('a node was given twice');
}
