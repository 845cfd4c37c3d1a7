/** What a simulation came to, as numbers that can be compared. Pure. */
import type { Cluster } from './inputs/cluster-file.ts';
import type { SimulationResult } from './simulate.ts';
import type { SimulatedJob } from './workload.ts';

export interface Figures {
  readonly jobs: number;
  readonly completed: number;
  /** Never placed: no node could hold them, or nothing was left to wait for. */
  readonly unplaced: number;
  /** Time from the first submission to the last end, seconds. */
  readonly makespanSeconds: number;
  /** Part of all device time (core time, without devices) that was held, 0..1: until the last end, and until the last submission. */
  readonly utilisation: number;
  readonly utilisationWhileSubmitting: number;
  /** From submission to the start that counted, seconds. */
  readonly waitMeanSeconds: number;
  readonly waitMedianSeconds: number;
  readonly waitP99Seconds: number;
  readonly waitLongestSeconds: number;
  /** From submission to end, seconds. */
  readonly completionMeanSeconds: number;
  /** Mean of max(1, completion ÷ max(run time, 10 s)) (Feitelson & Rudolph 1998). */
  readonly boundedSlowdown: number;
  /** Jain's index over users of run time ÷ completion time, 1/n..1; null with fewer than two users. */
  readonly fairness: number | null;
  /** Mean part of the fleet that was free but lost to the jobs of the trace, 0..1. */
  readonly fragmentation: number;
  readonly attempts: number;
  readonly preemptions: number;
  /** Held by attempts whose node was lost or that were ended for others, device (core) hours. */
  readonly lostHours: number;
  readonly nodeFailures: number;
  readonly rounds: number;
}

export function figuresOf(cluster: Cluster, jobs: readonly SimulatedJob[], result: SimulationResult): Figures {
  const done = jobs.filter((_, index) => !Number.isNaN(result.outcomes[index]!.endedAt));
  const waits = done.map(({ index, submittedAt }) => result.outcomes[index]!.lastStart - submittedAt);
  const completions = done.map(({ index, submittedAt }) => result.outcomes[index]!.endedAt - submittedAt);
  const sorted = [...waits].sort((a, b) => a - b);
  const makespan = done.reduce((last, { index }) => Math.max(last, result.outcomes[index]!.endedAt), 0);
  const lastSubmission = jobs.at(-1)?.submittedAt ?? 0;
  const capacity = capacityMilli(cluster, jobs);
  return {
    jobs: jobs.length,
    completed: done.length,
    unplaced: result.outcomes.filter(({ attempts }) => attempts === 0).length,
    makespanSeconds: makespan,
    utilisation: heldShare(result, makespan, capacity),
    utilisationWhileSubmitting: heldShare(result, lastSubmission, capacity),
    waitMeanSeconds: mean(waits),
    waitMedianSeconds: quantile(sorted, 0.5),
    waitP99Seconds: quantile(sorted, 0.99),
    waitLongestSeconds: sorted.at(-1) ?? 0,
    completionMeanSeconds: mean(completions),
    boundedSlowdown: mean(done.map(({ runSeconds }, i) => Math.max(1, completions[i]! / Math.max(runSeconds, 10)))),
    fairness: fairnessOf(done, completions),
    fragmentation: overTime(result.fragmentation, makespan),
    attempts: result.placements,
    lostHours: result.runs.reduce(
      (sum, { lost, from, to, milli }) => sum + (lost ? ((to - from) * milli) / 3.6e6 : 0),
      0,
    ),
    nodeFailures: result.nodeFailures,
    preemptions: result.preemptions,
    rounds: result.rounds,
  };
}

/** Thousandths of devices of the fleet, or of cores when the jobs ask for no device. */
export function capacityMilli({ nodes }: Cluster, jobs: readonly SimulatedJob[]): number {
  const ofDevices = asksForDevices(jobs);
  return nodes.reduce(
    (sum, { cpuMilli, devices }) =>
      sum + (ofDevices ? 1000 * devices.reduce((count, device) => count + device.count, 0) : cpuMilli),
    0,
  );
}

/** Whether any job of the trace wants a device; then devices are what is measured. */
export const asksForDevices = (jobs: readonly SimulatedJob[]): boolean =>
  jobs.some(({ shape }) => (shape.resources.deviceAlternatives[0] ?? []).length > 0);

function heldShare({ runs }: SimulationResult, until: number, capacity: number): number {
  if (!(until > 0) || !(capacity > 0)) return 0;
  const held = runs.reduce((sum, { from, to, milli }) => sum + Math.max(0, Math.min(to, until) - from) * milli, 0);
  return held / until / capacity;
}

/** Jain's fairness index (Jain, Chiu, Hawe 1984) of ≥ 0 values; null for fewer than two. */
export function jain(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value * value, 0);
  return squares > 0 ? (sum * sum) / (values.length * squares) : null;
}

function fairnessOf(done: readonly SimulatedJob[], completions: readonly number[]): number | null {
  const byOwner = new Map<string, { ran: number; took: number }>();
  for (const [i, { owner, runSeconds }] of done.entries()) {
    const sums = byOwner.get(owner) ?? { ran: 0, took: 0 };
    sums.ran += runSeconds;
    sums.took += completions[i]!;
    byOwner.set(owner, sums);
  }
  return jain([...byOwner.values()].map(({ ran, took }) => (took > 0 ? ran / took : 1)));
}

/** Mean of samples, each holding until the next. */
function overTime(samples: SimulationResult['fragmentation'], end: number): number {
  let sum = 0;
  for (const [i, { at, value }] of samples.entries()) {
    sum += value * Math.max(0, Math.min(end, samples[i + 1]?.at ?? end) - at);
  }
  return end > 0 ? sum / end : 0;
}

export const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

/** A quantile of sorted values by nearest rank; 0 for none. */
export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
