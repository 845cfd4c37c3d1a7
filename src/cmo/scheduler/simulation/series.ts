/** A simulation over time, in equal bins: what was held, who waited, whose share was how large. For drawing; the figures are exact. */
import { asksForDevices, capacityMilli, jain } from './figures.ts';
import type { Cluster } from './inputs/cluster-file.ts';
import type { SimulationResult } from './simulate.ts';
import type { SimulatedJob } from './workload.ts';

export const bins = 240;

export interface Series {
  /** Width of a bin, seconds. */
  readonly binSeconds: number;
  /** Part of the fleet that was held, 0..1. */
  readonly held: readonly number[];
  /** Jobs that waited, mean. */
  readonly waiting: readonly number[];
  /** Median and 99th percentile of the waits of jobs that were submitted in the bin, seconds; null without any. */
  readonly waitMedian: readonly (number | null)[];
  readonly waitP99: readonly (number | null)[];
  /** Jain's index over users with something to do, of held ÷ (held + waiting for); null with fewer than two. */
  readonly fairness: readonly (number | null)[];
  readonly fragmentation: readonly (number | null)[];
}

/** @param until seconds that the bins cover, the same for simulations that are compared */
export function seriesOf(
  cluster: Cluster,
  jobs: readonly SimulatedJob[],
  result: SimulationResult,
  until: number,
): Series {
  const binSeconds = Math.max(until, 1) / bins;
  const held = new Float64Array(bins);
  const waiting = new Float64Array(bins);
  const byOwner = new Map<string, { readonly held: Float64Array; readonly wanted: Float64Array }>();
  const ownerOf = ({ owner }: SimulatedJob) => {
    const known = byOwner.get(owner) ?? { held: new Float64Array(bins), wanted: new Float64Array(bins) };
    byOwner.set(owner, known);
    return known;
  };
  for (const { job, from, to, milli } of result.runs) {
    spread(held, binSeconds, from, to, milli);
    spread(ownerOf(jobs[job]!).held, binSeconds, from, to, milli);
  }
  for (const job of jobs) {
    const { firstStart } = result.outcomes[job.index]!;
    const to = Number.isNaN(firstStart) ? until : firstStart;
    spread(waiting, binSeconds, job.submittedAt, to, 1);
    spread(ownerOf(job).wanted, binSeconds, job.submittedAt, to, job.milli);
  }
  const capacity = capacityMilli(cluster, jobs);
  const waits = waitsByBin(jobs, result, binSeconds);
  return {
    binSeconds,
    held: [...held].map((value) => value / binSeconds / capacity),
    waiting: [...waiting].map((value) => value / binSeconds),
    waitMedian: waits.map((sorted) => at(sorted, 0.5)),
    waitP99: waits.map((sorted) => at(sorted, 0.99)),
    fairness: Array.from({ length: bins }, (_, bin) => {
      const busy = [...byOwner.values()].filter((one) => one.held[bin]! + one.wanted[bin]! > 0);
      return jain(busy.map((one) => one.held[bin]! / (one.held[bin]! + one.wanted[bin]!)));
    }),
    fragmentation: samplesByBin(result, binSeconds),
  };
}

/** Whether what is measured is devices, or cores. */
export const unitOf = (jobs: readonly SimulatedJob[]): 'devices' | 'cores' =>
  asksForDevices(jobs) ? 'devices' : 'cores';

/** Adds `amount` × the seconds of [from, to) that lie in each bin. */
export function spread(into: Float64Array, binSeconds: number, from: number, to: number, amount: number): void {
  const last = Math.min(bins - 1, Math.floor(to / binSeconds));
  for (let bin = Math.max(0, Math.floor(from / binSeconds)); bin <= last; bin += 1) {
    const seconds = Math.min(to, (bin + 1) * binSeconds) - Math.max(from, bin * binSeconds);
    if (seconds > 0) into[bin]! += amount * seconds;
  }
}

function waitsByBin(jobs: readonly SimulatedJob[], { outcomes }: SimulationResult, binSeconds: number): number[][] {
  const waits = Array.from({ length: bins }, (): number[] => []);
  for (const { index, submittedAt } of jobs) {
    const { lastStart } = outcomes[index]!;
    if (!Number.isNaN(lastStart))
      waits[Math.min(bins - 1, Math.floor(submittedAt / binSeconds))]!.push(lastStart - submittedAt);
  }
  return waits.map((list) => list.sort((a, b) => a - b));
}

const at = (sorted: readonly number[], share: number): number | null =>
  sorted.length === 0 ? null : sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;

/** The last sample before the end of each bin. */
function samplesByBin({ fragmentation }: SimulationResult, binSeconds: number): (number | null)[] {
  let next = 0;
  let value: number | null = null;
  return Array.from({ length: bins }, (_, bin) => {
    for (; next < fragmentation.length && fragmentation[next]!.at < (bin + 1) * binSeconds; next += 1) {
      value = fragmentation[next]!.value;
    }
    return value;
  });
}
