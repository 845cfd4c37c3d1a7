/** Solyx with the model's power figures: the production function, a few arrivals a round, the workload learned from arrivals. */
import { schedule } from '../../src/cmo/scheduler/core/schedule.ts';
import type { Shape, Snapshot } from '../../src/cmo/scheduler/core/snapshot.ts';
import { SnapshotStore } from '../../src/cmo/scheduler/state/snapshot-store.ts';
import { LearnedWorkload } from '../../src/drm/allocator/packing/index.ts';
import { arrivalsPerRound, indexOf, jobsOf, nodeRows, policy, site } from '../packing/ours.ts';
import type { TraceNode, TracePod } from '../packing/trace.ts';
import type { Meter } from './meter.ts';
import { gpuWatts, processor } from './model.ts';

/** @returns indexes of the pods that were placed */
export function runPowerAware(nodes: readonly TraceNode[], pods: readonly TracePod[], meter: Meter): number[] {
  const store = new SnapshotStore();
  store.apply({ sites: new Map([[site.id, site]]), nodes: new Map(nodeRows(nodes).map((row) => [row.id, row])) });
  const rows = new Map(nodes.map((node, row) => [node.name, row]));
  const state = nodes.map(({ model, cpuMilli, gpus }) => ({
    model,
    cpuCapacity: cpuMilli,
    cpuMilli,
    gpuMilli: Array.from({ length: gpus }, () => 1000),
  }));
  const power = powerOf(store.snapshot);
  const workload = new LearnedWorkload<Shape>();
  const jobs = jobsOf(pods);
  const placed: number[] = [];
  for (let from = 0; from < jobs.length; from += arrivalsPerRound) {
    const arriving = jobs.slice(from, from + arrivalsPerRound);
    for (const { shape } of arriving) workload.observe(shape.key, shape);
    const snapshot = { ...store.snapshot, power, workload: workload.shares() };
    for (const { jobId, ranks } of schedule(snapshot, arriving, policy, from + arrivalsPerRound).placements) {
      const rank = ranks[0]!;
      store.use(rank, 1);
      const row = rows.get(rank.nodeId)!;
      const node = state[row]!;
      node.cpuMilli -= rank.cpuMilli;
      for (const { deviceId, milli } of rank.devices) node.gpuMilli[Number(deviceId.split('/')[1])]! -= milli;
      meter.onPlaced(indexOf(jobId), row, node);
      placed.push(indexOf(jobId));
    }
  }
  return placed;
}

function powerOf({ models }: Snapshot): NonNullable<Snapshot['power']> {
  const by = (state: 'idle' | 'busy') => Float64Array.from([0, ...models.map((model) => gpuWatts[model]![state])]);
  return { deviceIdleWatts: by('idle'), deviceBusyWatts: by('busy'), processor };
}
