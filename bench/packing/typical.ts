/** FGD's typical pods and its measure of fragmentation (Weng et al., ATC'23, §4). */
import type { PeerNode } from './peers.ts';
import type { TracePod } from './trace.ts';

export interface FragmentationClass {
  readonly pod: TracePod;
  /** Share of the typical pods, 0..1. */
  readonly share: number;
}

const covered = 0.95;

/** The most frequent kinds of pods of a trace that make up 95 % of it. */
export function typicalPods(pods: readonly TracePod[]): FragmentationClass[] {
  const counts = new Map<string, { pod: TracePod; count: number }>();
  for (const pod of pods) {
    const key = JSON.stringify([pod.cpuMilli, pod.gpuMilli, pod.gpus, pod.models]);
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { pod, count: 1 });
    else known.count += 1;
  }
  const sorted = [...counts.values()].sort(
    (a, b) =>
      b.count - a.count ||
      a.pod.cpuMilli - b.pod.cpuMilli ||
      a.pod.gpuMilli - b.pod.gpuMilli ||
      a.pod.gpus - b.pod.gpus,
  );
  const kept: typeof sorted = [];
  let total = 0;
  for (const kind of sorted) {
    kept.push(kind);
    total += kind.count;
    if (total >= covered * pods.length) break;
  }
  return kept.map(({ pod, count }) => ({ pod, share: count / total }));
}

/** GPU-thousandths of a node that a pod drawn from the typical ones is expected not to be able to use. */
export function fragmentationOf(typical: readonly FragmentationClass[], node: PeerNode): number {
  let free = 0;
  for (const milli of node.gpuMilli) free += milli;
  let expected = 0;
  for (const { pod, share } of typical) {
    let lost = free;
    if (pod.gpus > 0 && node.cpuMilli >= pod.cpuMilli && (pod.models.length === 0 || pod.models.includes(node.model))) {
      let fitting = 0;
      let tooSmall = 0;
      for (const milli of node.gpuMilli) {
        if (milli >= pod.gpuMilli) fitting += 1;
        else tooSmall += milli;
      }
      if (fitting >= pod.gpus) lost = tooSmall;
    }
    expected += share * lost;
  }
  return expected;
}
