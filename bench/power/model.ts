/** The power model of Lettich et al. (CCGrid'25): what their plugin takes nodes to draw. */
import type { ProcessorFigures } from '../../src/drm/allocator/packing/index.ts';

/** Watts of a GPU that is wholly free, and of one that is not. They take G2 for an A10 and G3 for an A100. */
export const gpuWatts: Readonly<Record<string, { idle: number; busy: number }>> = {
  T4: { idle: 10, busy: 70 },
  A10: { idle: 30, busy: 150 },
  G2: { idle: 30, busy: 150 },
  P100: { idle: 25, busy: 250 },
  V100M16: { idle: 30, busy: 300 },
  V100M32: { idle: 30, busy: 300 },
  G3: { idle: 50, busy: 400 },
};

/** Xeon E5-2682 v4 everywhere. */
export const processor: ProcessorFigures = { cores: 16, threadsPerCore: 2, idleWatts: 15, busyWatts: 120 };

export interface DrawingNode {
  readonly model: string;
  readonly cpuCapacity: number;
  readonly cpuMilli: number;
  /** Thousandths free of each GPU. */
  readonly gpuMilli: readonly number[];
}

/** Watts that a node draws. */
export function nodeWatts(node: DrawingNode): number {
  const cores = Math.ceil(node.cpuCapacity / 2000);
  const sockets = Math.ceil(cores / processor.cores);
  const awake = Math.ceil((cores - Math.floor(node.cpuMilli / 2000)) / processor.cores);
  const { idle, busy } = gpuWatts[node.model]!;
  const gpus = node.gpuMilli.reduce((sum, milli) => sum + (milli === 1000 ? idle : busy), 0);
  return awake * processor.busyWatts + (sockets - awake) * processor.idleWatts + gpus;
}
