/**
 * Jobs of a trace as the scheduler gets them.
 *
 * A trace counts cores or devices and says nothing of the rest, so nothing of the rest is asked for. A job that is larger than any node
 * becomes a gang of equal ranks, the fewest that will do; where its size cannot be divided, ranks are rounded up.
 */

import { shapeOf } from '../core/shape.ts';
import type { Shape } from '../core/snapshot.ts';
import type { Cluster } from './inputs/cluster-file.ts';
import type { TraceJob } from './traces/trace-job.ts';

/** What one unit of a trace's sizes is. */
export type TraceUnit = 'core' | 'device';

export interface SimulatedJob {
  /** Place in the trace, and the job's number in reports. */
  readonly index: number;
  readonly trace: TraceJob;
  readonly shape: Shape;
  /** Seconds since the first submission, ≥ 0. */
  readonly submittedAt: number;
  readonly runSeconds: number;
  /** Whom it belongs to; empty when the trace does not say. */
  readonly owner: string;
  /** Thousandths of devices, or of cores where no device is asked for: what it takes of the fleet's scarce thing. */
  readonly milli: number;
}

/** Jobs in order of submission, times counted from the first. */
export function jobsOf(traces: readonly TraceJob[], unit: TraceUnit, cluster: Cluster): SimulatedJob[] {
  const perNode = cluster.nodes.reduce((most, node) => Math.max(most, unitsOf(node, unit)), 1);
  const first = traces[0]?.submittedAt ?? 0;
  const shapes = new Map<string, Shape>();
  const shared = (shape: Shape): Shape => {
    const known = shapes.get(shape.key);
    if (known === undefined) shapes.set(shape.key, shape);
    return known ?? shape;
  };
  return traces.map((trace, index) => {
    const shape = shared(shapeOfTrace(trace, unit, perNode));
    return {
      index,
      trace,
      shape,
      submittedAt: trace.submittedAt - first,
      runSeconds: trace.runSeconds,
      owner: trace.user || trace.name,
      milli: scarceMilli(shape),
    };
  });
}

function unitsOf({ cpuMilli, devices }: Cluster['nodes'][number], unit: TraceUnit): number {
  if (unit === 'core') return Math.floor(cpuMilli / 1000);
  return devices.reduce((sum, { count }) => sum + count, 0);
}

function shapeOfTrace({ size, wants }: TraceJob, unit: TraceUnit, perNode: number): Shape {
  if (wants !== undefined) {
    const { cpuMilli, memoryBytes, devices, milli, models } = wants;
    return make(1, cpuMilli, memoryBytes, devices === 0 ? [] : [{ count: devices, milli, models }]);
  }
  const ranks = Math.ceil(size / perNode);
  const each = Math.ceil(size / ranks);
  return unit === 'core'
    ? make(ranks, each * 1000, 0, [])
    : make(ranks, 0, 0, [{ count: each, milli: 1000, models: [] }]);
}

interface Wanted {
  readonly count: number;
  readonly milli: number;
  readonly models: readonly string[];
}

function make(nodes: number, cpuMilli: number, memoryBytes: number, wanted: readonly Wanted[]): Shape {
  const list = wanted.map(({ count, milli, models }) => ({
    kind: 'gpu' as const,
    count,
    milli,
    models: [...models],
    minMemoryBytes: 0,
    minDriver: null,
  }));
  const resources = { cpuMilli, memoryBytes, diskBytes: 0, sharedMemoryBytes: 0, nodes, deviceAlternatives: [list] };
  return shapeOf({ resources, isolation: 'process', network: 'none', pricing: { option: 'any' } });
}

/** Thousandths of devices that all ranks hold; of cores when there are none. */
function scarceMilli({ resources }: Shape): number {
  const devices = (resources.deviceAlternatives[0] ?? []).reduce((sum, { count, milli }) => sum + count * milli, 0);
  return resources.nodes * (devices > 0 ? devices : resources.cpuMilli);
}
