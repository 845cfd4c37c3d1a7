/**
 * The published policies, ported from what their papers and code say. Each is a sum of terms over the nodes on which a pod fits; the node with the
 * highest sum wins, and of equals the first in the order of nodes.
 */
import type { Random } from './random.ts';
import type { TracePod } from './trace.ts';
import { type FragmentationClass, fragmentationOf } from './typical.ts';

/** A node as the peers see it. */
export interface PeerNode {
  readonly model: string;
  readonly cpuCapacity: number;
  cpuMilli: number;
  memoryMib: number;
  /** Thousandths free of each GPU. */
  readonly gpuMilli: number[];
}

export interface Term {
  readonly weight: number;
  /** Whether scores are stretched to whole numbers of 0..100 over the nodes on which the pod fits. */
  readonly normalised: boolean;
  score(node: PeerNode, pod: TracePod): number;
}

export interface Peer {
  readonly name: string;
  /** As `analysis_allo_discrete.csv` calls it; undefined where it has no row. */
  readonly published: string | undefined;
  /** None: any node on which the pod fits, all with the same chance. */
  readonly terms: readonly Term[];
  /** Which GPU a pod that wants a part of one gets; one that has room exists. */
  pickGpu(node: PeerNode, pod: TracePod, random: Random): number;
}

/** Whether a pod wants a part of one GPU. */
export const isPart = (pod: TracePod) => pod.gpus === 1 && pod.gpuMilli < 1000;

const freeGpu = (node: PeerNode) => node.gpuMilli.reduce((sum, milli) => sum + milli, 0);

/** Rates every GPU that has room; the first of the best. */
function bestGpu(node: PeerNode, pod: TracePod, rate: (gpu: number) => number): { gpu: number; rating: number } {
  let best = { gpu: -1, rating: Number.NEGATIVE_INFINITY };
  for (let gpu = 0; gpu < node.gpuMilli.length; gpu += 1) {
    if (node.gpuMilli[gpu]! < pod.gpuMilli) continue;
    const rating = rate(gpu);
    if (rating > best.rating) best = { gpu, rating };
  }
  return best;
}

const tightestGpu = (node: PeerNode, pod: TracePod) => bestGpu(node, pod, (gpu) => -node.gpuMilli[gpu]!).gpu;

/** The node after the pod took its whole GPUs (the first free ones) or, for a part, GPU `gpu`. */
export function withPod(node: PeerNode, pod: TracePod, gpu: number): PeerNode {
  const gpuMilli = [...node.gpuMilli];
  if (isPart(pod)) gpuMilli[gpu]! -= pod.gpuMilli;
  for (let left = isPart(pod) ? 0 : pod.gpus; left > 0; left -= 1) gpuMilli[gpuMilli.indexOf(1000)] = 0;
  return { ...node, cpuMilli: node.cpuMilli - pod.cpuMilli, memoryMib: node.memoryMib - pod.memoryMib, gpuMilli };
}

/** Weng et al., ATC'23: least expected fragmentation, squeezed into 0..100 by a sigmoid and cut to whole numbers. */
export function fgd(typical: readonly FragmentationClass[], weight = 1000): Peer {
  const rate = (node: PeerNode, pod: TracePod, gpu: number) => {
    const less = fragmentationOf(typical, node) - fragmentationOf(typical, withPod(node, pod, gpu));
    return Math.floor(100 / (1 + Math.exp(-less / 1000)));
  };
  const best = (node: PeerNode, pod: TracePod) => bestGpu(node, pod, (gpu) => rate(node, pod, gpu));
  return {
    name: 'FGD',
    published: '06-FGD',
    terms: [
      {
        weight,
        normalised: false,
        score: (node, pod) => (isPart(pod) ? best(node, pod).rating : rate(node, pod, -1)),
      },
    ],
    pickGpu: (node, pod) => best(node, pod).gpu,
  };
}

export const bestFit: Peer = {
  name: 'BestFit',
  published: '05-BestFit',
  terms: [
    {
      weight: 1,
      normalised: true,
      score: (node, pod) => {
        const cpu = (node.cpuMilli - pod.cpuMilli) / 128_000;
        const gpu = (freeGpu(node) - pod.gpus * pod.gpuMilli) / 8000;
        return Math.floor(100 * (1 - 0.5 * cpu - 0.5 * gpu));
      },
    },
  ],
  pickGpu: tightestGpu,
};

/** Tetris (Grandl et al., SIGCOMM'14), as FGD's authors configured it: the least dot product of what is free and what is asked for. */
export const dotProduct: Peer = {
  name: 'DotProd',
  published: '02-DotProd',
  terms: [
    {
      weight: 1,
      normalised: false,
      score: (node, pod) => {
        const cpu = (node.cpuMilli / 128_000) * (pod.cpuMilli / 128_000);
        const gpu = (freeGpu(node) / 8000) * ((pod.gpus * pod.gpuMilli) / 8000);
        return Math.trunc(100 * (1 - (cpu + gpu) / 2));
      },
    },
  ],
  pickGpu: tightestGpu,
};

/** Shared GPUs first, then free GPUs of used nodes, then unused nodes. */
export const gpuPacking: Peer = {
  name: 'GpuPacking',
  published: '04-GpuPacking',
  terms: [{ weight: 1, normalised: false, score: packingScore }],
  pickGpu: tightestGpu,
};

function packingScore(node: PeerNode, pod: TracePod): number {
  if (pod.gpus === 0) return 0;
  const free = node.gpuMilli.filter((milli) => milli === 1000).length;
  if (free === node.gpuMilli.length) return Math.max(33 - free, free);
  const used = node.gpuMilli
    .filter((milli) => milli >= pod.gpuMilli)
    .sort((a, b) => a - b)
    .slice(0, pod.gpus);
  const opened = used.filter((milli) => milli === 1000).length;
  if (opened > 0) return Math.max(50 - opened, 33);
  const ratio = used.reduce((sum, milli) => sum + Math.trunc(milli / 10), 0);
  return Math.max(100 - Math.trunc(ratio / 10), 50);
}

export const anyNode: Peer = {
  name: 'Random',
  published: '01-Random',
  terms: [],
  pickGpu(node, pod, random) {
    const fitting = [...node.gpuMilli.keys()].filter((gpu) => node.gpuMilli[gpu]! >= pod.gpuMilli);
    return fitting[random.below(fitting.length)]!;
  },
};
