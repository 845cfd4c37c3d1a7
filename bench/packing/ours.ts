/** Solyx on the trace: the production functions, fed with the trace's nodes and pods as rows and jobs. */
import { defaultPolicy } from '../../src/cmo/scheduler/core/policy.ts';
import type { NodeRow, SiteRow } from '../../src/cmo/scheduler/core/rows.ts';
import { schedule } from '../../src/cmo/scheduler/core/schedule.ts';
import { shapeOf } from '../../src/cmo/scheduler/core/shape.ts';
import type { ExpectedShape, PendingJob, Policy, Shape, Snapshot } from '../../src/cmo/scheduler/core/snapshot.ts';
import { SnapshotStore } from '../../src/cmo/scheduler/state/snapshot-store.ts';
import { RoundEngine } from '../../src/cmo/scheduler/worker/round-engine.ts';
import type { TraceNode, TracePod } from './trace.ts';

const mebibyte = 2 ** 20;

export const policy: Policy = {
  ...defaultPolicy,
  placement: 'least-fragmentation',
  maxPlacements: 100_000,
  reserveAfterSeconds: 0,
  // The protocol drops what does not fit, so nothing is kept for it.
  maxReservations: 0,
};

export const site: SiteRow = {
  id: 'site',
  deviceUsdPerHour: 0,
  cpuUsdPerHour: 0,
  memoryUsdPerHour: 0,
  pue: 1,
  revision: 1,
};

export function nodeRows(nodes: readonly TraceNode[]): NodeRow[] {
  return nodes.map((node) => ({
    id: node.name,
    siteId: site.id,
    presence: 'ready',
    scheduling: 'open',
    health: 'ok',
    isolation: ['sandbox'],
    hostNetwork: false,
    cpuMilli: node.cpuMilli,
    memoryBytes: node.memoryMib * mebibyte,
    diskBytes: 0,
    usedCpuMilli: 0,
    usedMemoryBytes: 0,
    usedDiskBytes: 0,
    devices: Array.from({ length: node.gpus }, (_, i) => ({
      id: `${node.name}/${i}`,
      kind: 'gpu',
      model: node.model,
      driver: null,
      memoryBytes: 0,
      milli: 1000,
      usedMilli: 0,
      healthy: true,
    })),
    revision: 1,
  }));
}

export function shapeOfPod(pod: TracePod): Shape {
  const { gpus: count, gpuMilli: milli, models } = pod;
  const request = { kind: 'gpu' as const, count, milli, models: [...models], minMemoryBytes: 0, minDriver: null };
  return shapeOf({
    resources: {
      cpuMilli: pod.cpuMilli,
      memoryBytes: pod.memoryMib * mebibyte,
      diskBytes: 0,
      sharedMemoryBytes: 0,
      nodes: 1,
      deviceAlternatives: [count === 0 ? [] : [request]],
    },
    isolation: 'sandbox',
    network: 'none',
    pricing: { option: 'any' },
  });
}

/** Pods as jobs that are queued in the order of their arrival. Pods of one kind share their shape. */
export function jobsOf(pods: readonly TracePod[]): PendingJob[] {
  const shapes = new Map<TracePod, Shape>();
  return pods.map((pod, i) => {
    const shape = shapes.get(pod) ?? shapeOfPod(pod);
    shapes.set(pod, shape);
    return {
      id: `job_${String(i).padStart(6, '0')}`,
      revision: 1n,
      tenant: 't',
      project: 'p',
      shape,
      priority: 0,
      submittedAt: i,
      notBefore: 0,
      notBeforeReason: null,
    };
  });
}

/** How often each kind of pod comes in a list: what FGD's runs are told of the trace beforehand. */
export function workloadOf(pods: readonly TracePod[]): ExpectedShape[] {
  const counts = new Map<string, { kind: Shape; weight: number }>();
  for (const pod of pods) {
    const kind = shapeOfPod(pod);
    const known = counts.get(kind.key);
    if (known === undefined) counts.set(kind.key, { kind, weight: 1 });
    else known.weight += 1;
  }
  return [...counts.values()];
}

/**
 * Which pods are placed when the workload is known beforehand, as for FGD. One round does it all: within a round nothing is given back,
 * so going through the queue in order is the protocol, and what does not fit once never fits.
 */
export function runKnown(nodes: readonly TraceNode[], pods: readonly TracePod[], known: readonly TracePod[]): number[] {
  const store = new SnapshotStore();
  store.apply({ sites: new Map([[site.id, site]]), nodes: new Map(nodeRows(nodes).map((row) => [row.id, row])) });
  const snapshot: Snapshot = { ...store.snapshot, workload: workloadOf(known) };
  return schedule(snapshot, jobsOf(pods), policy, pods.length).placements.map(({ jobId }) => indexOf(jobId));
}

/** Arrivals that share a round: a scheduler under load plans many at once. They are placed in the order of arrival all the same. */
export const arrivalsPerRound = 16;

/** Which pods are placed by the running scheduler's engine, which learns the workload from arrivals alone. */
export function runLearning(nodes: readonly TraceNode[], pods: readonly TracePod[]): number[] {
  const engine = new RoundEngine();
  engine.apply({ sites: [[site.id, site]], nodes: nodeRows(nodes).map((row) => [row.id, row]) });
  const jobs = jobsOf(pods);
  const placed: number[] = [];
  for (let from = 0; from < jobs.length; from += arrivalsPerRound) {
    const arriving = jobs.slice(from, from + arrivalsPerRound);
    engine.apply({ jobs: arriving.map((job) => [job.id, { job, reason: 'new' }]) });
    const { placementCount } = engine.run(policy, from + arrivalsPerRound);
    const committed = engine.placements(0, placementCount).map(({ jobId }) => jobId as string);
    engine.settle({ committed, refused: [], unknown: [] });
    const gone = new Set(committed);
    engine.apply({ jobs: arriving.filter(({ id }) => !gone.has(id)).map(({ id }) => [id, null]) });
    placed.push(...committed.map(indexOf));
  }
  return placed;
}

export const indexOf = (jobId: string) => Number(jobId.slice(4));
