/**
 * The traces of this benchmark, their clusters, and what the peers came to on them in the published reproduction.
 *
 * ITP and virtual clusters of Philly (its own scheduler kept them apart) are scaled to a load by their number of 8-GPU nodes:
 * work ÷ (time span × load × 8), rounded up; cluster07 also stands at the 36 nodes of the published figures. The batch logs run on the processors of their machines, as one pool.
 */
import { readFileSync } from 'node:fs';
import type { QueueOrder } from '../../src/cmo/scheduler/core/snapshot.ts';
import { readItp } from '../../src/cmo/scheduler/simulation/traces/itp.ts';
import { readPhilly } from '../../src/cmo/scheduler/simulation/traces/philly.ts';
import { readSwf } from '../../src/cmo/scheduler/simulation/traces/swf.ts';
import type { TraceJob } from '../../src/cmo/scheduler/simulation/traces/trace-job.ts';

export interface Anchor {
  readonly policy: string;
  readonly figure: 'meanCompletion' | 'meanWait' | 'boundedSlowdown';
  readonly published: number;
}

export interface Workload {
  readonly name: string;
  readonly file: string;
  read(path: string): readonly TraceJob[];
  readonly perNode: number;
  /** What one unit of its sizes is. */
  readonly unit: 'core' | 'device';
  /** A number of nodes, or the load from which it follows. */
  readonly nodes: number | { readonly load: number };
  readonly anchors: readonly Anchor[];
  /** Whether it also stands in the preemptive table. */
  readonly preemptive?: true;
  /** The orders in which the running scheduler is played on it too, which takes longer than all policies together. */
  readonly product: readonly QueueOrder[];
  /** Ours must be at most this. */
  readonly target?: { readonly figure: Anchor['figure']; readonly atMost: number };
}

const swf = (path: string) => readSwf(readFileSync(path, 'utf8'), { broken: 'leave-out' }).jobs;
const itp = (path: string) => readItp(readFileSync(path, 'utf8'));
const philly = (path: string) => readPhilly(readFileSync(path, 'utf8'), { sort: true });

const swfAnchors = (easy: [number, number], sjf: [number, number], area: [number, number]): Anchor[] =>
  Object.entries({ EASY: easy, 'oracle SJF': sjf, 'oracle area': area }).flatMap(([policy, [slowdown, wait]]) => [
    { policy, figure: 'boundedSlowdown', published: slowdown },
    { policy, figure: 'meanWait', published: wait },
  ]);
const completion = (policy: string, published: number): Anchor => ({ policy, figure: 'meanCompletion', published });

export const workloads: readonly Workload[] = [
  {
    name: 'wagap-2013',
    file: 'jobs/wagap-2013.swf',
    read: swf,
    unit: 'core',
    perNode: 2176,
    nodes: 1,
    product: ['arrival', 'least-work'],
    anchors: swfAnchors([9.2, 1392], [1.65, 939], [1.57, 932]),
    target: { figure: 'boundedSlowdown', atMost: 4.7 },
  },
  {
    name: 'hpc2n',
    file: 'jobs/hpc2n.swf',
    read: swf,
    unit: 'core',
    perNode: 240,
    nodes: 1,
    product: ['arrival', 'least-work'],
    anchors: swfAnchors([16.9, 3494], [7.6, 2041], [8.5, 2147]),
  },
  {
    name: 'ITP 07, 36 nodes',
    file: 'jobs/itp2021/cluster07.csv',
    read: itp,
    unit: 'device',
    perNode: 8,
    nodes: 36,
    preemptive: true,
    product: ['arrival', 'least-work'],
    anchors: [
      completion('FIFO', 75440),
      completion('FIFO+skip', 45578),
      completion('small-first', 37560),
      completion('oracle SJF+skip', 33134),
    ],
    target: { figure: 'meanCompletion', atMost: 36200 },
  },
  ...['03', '04', '06', '07'].flatMap((cluster) =>
    [0.85, 0.95].map(
      (load): Workload => ({
        name: `ITP ${cluster}, load ${load}`,
        file: `jobs/itp2021/cluster${cluster}.csv`,
        read: itp,
        unit: 'device',
        perNode: 8,
        nodes: { load },
        product: ['least-work'],
        anchors: [],
      }),
    ),
  ),
  ...['11cb48', '6c71a0', 'b436b2'].map(
    (cluster): Workload => ({
      name: `Philly ${cluster}, load 0.9`,
      file: 'jobs/philly.csv',
      unit: 'device',
      read: (path) => philly(path).filter((job) => job.name === cluster),
      perNode: 8,
      nodes: { load: 0.9 },
      preemptive: true,
      // Two nodes and a queue of thousands: a quarter of an hour for one trace.
      product: cluster === '11cb48' ? [] : ['least-work'],
      anchors: [],
    }),
  ),
];

/** Nodes so that the trace's work fills a share of them over its time span. */
export function nodesOf({ nodes, perNode }: Workload, jobs: readonly TraceJob[]): number {
  if (typeof nodes === 'number') return nodes;
  const work = jobs.reduce((sum, job) => sum + job.runSeconds * job.size, 0);
  const span = jobs.at(-1)!.submittedAt - jobs[0]!.submittedAt;
  const largest = jobs.reduce((most, job) => Math.max(most, job.size), 1);
  return Math.max(Math.ceil(work / (span * nodes.load * perNode)), Math.ceil(largest / perNode));
}
