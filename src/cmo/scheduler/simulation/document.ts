/** A simulation as data: what `--json` prints, and the rows that the table and the report show. Has nothing of the machine it was made on. */
import type { Policy } from '../core/snapshot.ts';
import { type AccountFigures, accountFiguresOf } from './by-account.ts';
import { differences } from './compare.ts';
import type { Figures } from './figures.ts';
import type { Cluster } from './inputs/cluster-file.ts';
import type { SimulationResult } from './simulate.ts';
import type { Trace } from './traces/trace.ts';
import { duration, number, percent } from './words.ts';
import type { SimulatedJob } from './workload.ts';

export interface Played {
  readonly name: string;
  readonly policy: Policy;
  readonly result: SimulationResult;
  readonly figures: Figures;
}

export interface Simulated {
  readonly trace: Trace;
  readonly cluster: Cluster;
  readonly jobs: readonly SimulatedJob[];
  readonly seed: number;
  readonly played: readonly Played[];
}

export interface Row {
  readonly label: string;
  /** One a policy. */
  readonly values: readonly string[];
}

const shown: readonly (readonly [label: string, text: (figures: Figures) => string])[] = [
  ['jobs that ended', ({ completed, jobs }) => `${number(completed)} of ${number(jobs)}`],
  ['never placed', ({ unplaced }) => number(unplaced)],
  ['utilisation until the last end', ({ utilisation }) => percent(utilisation)],
  ['utilisation while jobs came', ({ utilisationWhileSubmitting }) => percent(utilisationWhileSubmitting)],
  ['wait, mean', ({ waitMeanSeconds }) => duration(waitMeanSeconds)],
  ['wait, median', ({ waitMedianSeconds }) => duration(waitMedianSeconds)],
  ['wait, p99', ({ waitP99Seconds }) => duration(waitP99Seconds)],
  ['wait, longest', ({ waitLongestSeconds }) => duration(waitLongestSeconds)],
  ['completion, mean', ({ completionMeanSeconds }) => duration(completionMeanSeconds)],
  ['bounded slowdown, mean', ({ boundedSlowdown }) => number(boundedSlowdown)],
  ['makespan', ({ makespanSeconds }) => duration(makespanSeconds)],
  ['fairness between users (Jain)', ({ fairness }) => (fairness === null ? '–' : fairness.toFixed(3))],
  ['fragmentation, mean of capacity', ({ fragmentation }) => percent(fragmentation)],
  ['nodes lost', ({ nodeFailures }) => number(nodeFailures)],
  ['jobs ended for others', ({ preemptions }) => number(preemptions)],
  ['work lost by both, unit-hours', ({ lostHours }) => number(lostHours)],
];

export function documentOf({ trace, cluster, jobs, seed, played }: Simulated) {
  const [first, second] = played;
  return {
    trace: { format: trace.format, jobs: jobs.length, neverRan: trace.neverRan, leftOut: trace.leftOut.length },
    cluster: { name: cluster.name, sites: cluster.sites.length, nodes: cluster.nodes.length },
    seed,
    simulations: played.map(({ name, policy, figures, result }) => ({
      name,
      policy,
      figures,
      unplaced: unplacedOf(result),
      accounts: accountFiguresOf(cluster, jobs, result),
    })),
    /** Second policy less first, when there are two. */
    differences: first && second ? differences(jobs, first.result, second.result) : [],
    rows: shown.map(([label, text]): Row => ({ label, values: played.map(({ figures }) => text(figures)) })),
  };
}

/** Sentences of which a document names so many. */
const mostSentences = 10;

/** Why jobs were never placed, what most of them were told first. */
function unplacedOf({ unplaced }: SimulationResult): { readonly message: string; readonly jobs: number }[] {
  return [...unplaced]
    .map(([message, jobs]) => ({ message, jobs }))
    .sort((a, b) => b.jobs - a.jobs || (a.message < b.message ? -1 : 1))
    .slice(0, mostSentences);
}

/** The figures of accounts as a table: a title and a text for each column. */
export const accountColumns: readonly (readonly [title: string, text: (account: AccountFigures) => string])[] = [
  ['user', ({ user }) => user ?? 'all others'],
  ['jobs that ended', ({ completed, jobs }) => `${number(completed)} of ${number(jobs)}`],
  ['held, unit-hours', ({ heldHours }) => number(heldHours)],
  ['wait, mean', ({ waitMeanSeconds }) => duration(waitMeanSeconds)],
  ['wait, p99', ({ waitP99Seconds }) => duration(waitP99Seconds)],
];
