/**
 * A round in its own thread on 100,000 nodes and a million queued jobs: how long, how much memory, and whether the main thread waits. The jobs
 * come as rows of the database do, each read by itself: once all of them on their own, once as the tasks of arrays.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PendingJobRow } from '../../src/cmo/jobs/index.ts';
import { defaultPolicy } from '../../src/cmo/scheduler/core/policy.ts';
import type { NodeRow } from '../../src/cmo/scheduler/core/rows.ts';
import { queuedJobsOf } from '../../src/cmo/scheduler/queued-job.ts';
import { RoundWorker } from '../../src/cmo/scheduler/worker/round-worker.ts';
import type { JobSpec } from '../../src/common/contract/job-spec.ts';
import type { BenchmarkCase } from '../harness.ts';
import { seededRandom } from '../packing/random.ts';
import { percentile } from '../statistics.ts';
import { nodeRows, site } from './cluster.ts';
import { mixedSpecs } from './shapes.ts';

const nodes = 100_000;
const jobs = 1_000_000;
/** Rows in a message, as of the feed. */
const page = 500;
const rounds = 8;
const start = Date.parse('2026-11-22T00:00:00Z');

/** @param tasks of an array; 1: every job on its own */
export async function largeRound(tasks: number): Promise<BenchmarkCase[]> {
  const worker = new RoundWorker();
  try {
    const queueMib = await feed(worker, tasks);
    // The first round reads and scores everything, as after a restart; it is shown, the others are what is asked.
    const first = await worker.round(defaultPolicy, start);
    settle(worker, first.placements);
    const idle = await idleDelay();
    const delay = monitorEventLoopDelay({ resolution: 1 });
    const seconds: number[] = [];
    const cpuMs: number[] = [];
    let placed = 0;
    delay.enable();
    for (let i = 1; i <= rounds; i += 1) {
      const before = process.cpuUsage();
      const { summary, placements } = await worker.round(defaultPolicy, start + i);
      const { user, system } = process.cpuUsage(before);
      cpuMs.push((user + system) / 1000);
      placed += placements.length;
      seconds.push(summary.seconds);
      settle(worker, placements);
    }
    delay.disable();
    const of = (metric: string, unit: string, ours: number): BenchmarkCase => ({
      case: tasks === 1 ? '100k nodes, 1M queued' : `100k nodes, 1M queued in arrays of ${tasks}`,
      metric,
      unit,
      ours,
      peers: {},
    });
    return [
      of('first round after a start', 'ms', first.summary.seconds * 1000),
      of(`placed a round, mean of ${rounds}`, '', placed / rounds),
      { ...of('round in its worker, median', 'ms', percentile(seconds, 0.5) * 1000), bound: { atMost: 500 } },
      of('processor time of all threads a round, median', 'ms', percentile(cpuMs, 0.5)),
      of('round in its worker, longest', 'ms', Math.max(...seconds) * 1000),
      of('memory that the queue added', 'MiB', queueMib),
      { ...of('memory of the process', 'MiB', process.memoryUsage().rss / 2 ** 20), bound: { atMost: 2048 } },
      {
        ...of('main thread waits, p99', 'ms', delay.percentile(99) / 1e6),
        peers: { 'the same thread with nothing to do': idle.p99 },
        bound: { atMost: 10 },
      },
      {
        ...of('main thread waits, longest', 'ms', delay.max / 1e6),
        peers: { 'the same thread with nothing to do': idle.longest },
        bound: { atMost: 10 },
      },
    ];
  } finally {
    await worker.stop();
  }
}

/** What a timer of this machine is late by when nothing happens, milliseconds. */
async function idleDelay(): Promise<{ p99: number; longest: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await sleep(1000);
  delay.disable();
  return { p99: delay.percentile(99) / 1e6, longest: delay.max / 1e6 };
}

function settle(worker: RoundWorker, placements: readonly { readonly jobId: string }[]): void {
  worker.settle({ committed: placements.map(({ jobId }) => jobId), refused: [], unknown: [] });
}

/**
 * Posts the rows in pages and lets the worker keep up, so that the queue between the threads stays short.
 * @returns by how much the process grew while the queue was read, MiB
 */
async function feed(worker: RoundWorker, tasks: number): Promise<number> {
  const random = seededRandom(3);
  const specs = mixedSpecs().map((spec) => JSON.stringify(spec));
  worker.apply({ sites: [[site.id, site]] });
  const rows: NodeRow[] = nodeRows(nodes);
  for (let from = 0; from < nodes; from += page) {
    worker.apply({ nodes: rows.splice(0, page).map((row) => [row.id, row]) });
    await worker.compare('node', [], 0);
  }
  const before = process.memoryUsage().rss;
  let of = 0;
  for (let from = 0; from < jobs; from += page) {
    const some = Array.from({ length: page }, (_, i) => {
      if ((from + i) % tasks === 0) of = random.below(specs.length);
      return rowOf(from + i, tasks, JSON.parse(specs[of]!) as JobSpec);
    });
    const ids = some.map(({ id }) => id);
    worker.apply({ now: start, jobs: queuedJobsOf(ids, some) });
    if (from % (20 * page) === 0) await worker.compare('job', [], 0);
  }
  await worker.compare('job', [], 0);
  await sleep(1);
  return (process.memoryUsage().rss - before) / 2 ** 20;
}

const idOf = (kind: string, index: number) => `${kind}_${String(index).padStart(26, '0')}`;

function rowOf(index: number, tasks: number, spec: JobSpec): PendingJobRow {
  const first = index - (index % tasks);
  return {
    id: idOf('job', index),
    revision: 1n,
    tenant: idOf('ten', 1),
    project: idOf('prj', 1),
    priority: 0,
    spec,
    submittedAt: new Date(start - jobs + first),
    deferredUntil: null,
    pendingReason: 'new',
    arrayId: tasks === 1 ? null : idOf('arr', first),
    submittedBy: idOf('usr', 1),
    name: spec.name,
  };
}
