/** What each account of a simulation got: those that the fleet's file names, in its order, and everybody else together. */
import { mean, quantile } from './figures.ts';
import type { Cluster } from './inputs/cluster-file.ts';
import type { SimulationResult } from './simulate.ts';
import type { SimulatedJob } from './workload.ts';

export interface AccountFigures {
  /** null: everybody who has no account in the file. */
  readonly user: string | null;
  readonly jobs: number;
  readonly completed: number;
  /** Held by its jobs, device (core) hours, with what was lost. */
  readonly heldHours: number;
  /** Of its jobs that ended, from submission to the start that counted, seconds. */
  readonly waitMeanSeconds: number;
  readonly waitP99Seconds: number;
}

/** Empty when no account is named. */
export function accountFiguresOf(
  { accounts }: Cluster,
  jobs: readonly SimulatedJob[],
  { outcomes, runs }: SimulationResult,
): AccountFigures[] {
  if (accounts.length === 0) return [];
  const named = new Map<string | null, Sums>(accounts.map(({ id }) => [id, noSums()]));
  const others = noSums();
  const sumsOf = ({ owner }: SimulatedJob): Sums => named.get(owner) ?? others;
  for (const job of jobs) {
    const sums = sumsOf(job);
    const { endedAt, lastStart } = outcomes[job.index]!;
    sums.jobs += 1;
    if (!Number.isNaN(endedAt)) sums.waits.push(lastStart - job.submittedAt);
  }
  for (const { job, from, to, milli } of runs) sumsOf(jobs[job]!).heldHours += ((to - from) * milli) / 3.6e6;
  if (others.jobs > 0) named.set(null, others);
  return [...named].map(([user, { jobs: count, heldHours, waits }]) => ({
    user,
    jobs: count,
    completed: waits.length,
    heldHours,
    waitMeanSeconds: mean(waits),
    waitP99Seconds: quantile(
      [...waits].sort((a, b) => a - b),
      0.99,
    ),
  }));
}

interface Sums {
  jobs: number;
  heldHours: number;
  readonly waits: number[];
}

const noSums = (): Sums => ({ jobs: 0, heldHours: 0, waits: [] });
