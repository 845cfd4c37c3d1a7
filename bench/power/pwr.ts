/** PWR and its combinations with FGD (Lettich et al., CCGrid'25), ported. */
import { fgd, isPart, type Peer, type PeerNode, type Term, withPod } from '../packing/peers.ts';
import type { TracePod } from '../packing/trace.ts';
import type { FragmentationClass } from '../packing/typical.ts';
import { nodeWatts } from './model.ts';

const saved = (node: PeerNode, pod: TracePod, gpu: number) =>
  Math.trunc(nodeWatts(node) - nodeWatts(withPod(node, pod, gpu)));

function bestGpu(node: PeerNode, pod: TracePod): number {
  let best = -1;
  for (let gpu = 0; gpu < node.gpuMilli.length; gpu += 1) {
    if (node.gpuMilli[gpu]! < pod.gpuMilli) continue;
    if (best < 0 || saved(node, pod, gpu) > saved(node, pod, best)) best = gpu;
  }
  return best;
}

const term = (weight: number): Term => ({
  weight,
  normalised: true,
  score: (node, pod) => saved(node, pod, isPart(pod) ? bestGpu(node, pod) : -1),
});

/** Least added power alone. */
export const pwr: Peer = { name: 'PWR', published: undefined, terms: [term(1000)], pickGpu: bestGpu };

/** `weight` of 1000 for power, the rest for FGD, which also picks the GPU. */
export function combined(typical: readonly FragmentationClass[], weight: number): Peer {
  const rest = fgd(typical, 1000 - weight);
  return { ...rest, name: `PWR${weight}+FGD`, published: undefined, terms: [term(weight), ...rest.terms] };
}
