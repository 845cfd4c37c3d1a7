/**
 * How full can the cluster get? Solyx and five published policies on Alibaba's openb traces, by the protocol of FGD (Weng et al., ATC'23):
 * 1,213 nodes with 6,212 GPUs, pods arrive until 130 % of them are asked for, nothing leaves, nothing moves, what fits must be placed.
 *
 * Ours runs through the scheduler's engine and learns the workload from the arrivals; FGD is told the trace's beforehand, as published.
 * `ours, told` is ours with the same knowledge. Each port must land within 0.3 points of its published mean.
 */
import { basename } from 'node:path';
import type { Benchmark, BenchmarkCase, BenchmarkContext } from '../harness.ts';
import { mean, pairedDifference } from '../statistics.ts';
import { runKnown, runLearning } from './ours.ts';
import { runPeer } from './peer-run.ts';
import { anyNode, bestFit, dotProduct, fgd, gpuPacking, type Peer } from './peers.ts';
import { distanceBeyondChance, publishedAllocation } from './published.ts';
import { seededRandom } from './random.ts';
import { arrivals, capacityOf, gpuMilliOf, readNodes, readPods, shuffled, type TracePod } from './trace.ts';
import { typicalPods } from './typical.ts';

const traces = [
  'default',
  'cpu100',
  'cpu250',
  'gpushare40',
  'gpushare100',
  'gpuspec10',
  'gpuspec33',
  'multigpu20',
  'multigpu50',
];
const firstSeed = 42;
const demand = 1.3;
/** Most points between a port's mean and the published mean. */
const tolerance = 0.3;

export const benchmark: Benchmark = {
  name: 'packing',
  question: 'How full can the cluster get?',
  async run(context) {
    for (const trace of traces) await context.measure(trace, () => compare(context, trace));
  },
};

function compare(context: BenchmarkContext, trace: string): BenchmarkCase[] {
  const nodes = readNodes(context.data('packing/openb_node_list_gpu_node.csv'));
  const pods = readPods(context.data(`packing/openb_pod_list_${trace}.csv`));
  const published = context.data('packing/analysis_allo_discrete.csv');
  const peers: Peer[] = [fgd(typicalPods(pods)), bestFit, gpuPacking, dotProduct, anyNode];
  const capacity = capacityOf(nodes);
  const found = new Map<string, number[]>();
  for (let seed = firstSeed; seed < firstSeed + context.seeds; seed += 1) {
    const shuffle = seededRandom(seed);
    const order = shuffled(nodes, shuffle);
    const arriving = arrivals(pods, capacity, demand, shuffle);
    const keep = (name: string, placed: readonly number[]) => {
      found.set(name, [...(found.get(name) ?? []), (allocated(arriving, placed) / capacity) * 100]);
    };
    keep('ours', runLearning(order, arriving));
    keep('ours, told', runKnown(order, arriving, pods));
    for (const peer of peers) keep(peer.name, runPeer(peer, order, arriving, shuffle));
  }
  const of = (name: string) => found.get(name)!;
  const cases: BenchmarkCase[] = [
    {
      case: trace,
      metric: 'GPUs allocated at a demand of 130 %',
      unit: '%',
      ours: mean(of('ours')),
      peers: {
        'ours, told': mean(of('ours, told')),
        ...Object.fromEntries(peers.map(({ name }) => [name, mean(of(name))])),
      },
      ...(trace === 'default' ? { bound: { atLeast: 95.9 } } : {}),
    },
    ...peers.flatMap((peer) => portCase(trace, peer, of(peer.name), published)),
  ];
  return context.seeds < 2 ? cases : [...cases, gainCase(trace, of('ours'), of('FGD'))];
}

function allocated(pods: readonly TracePod[], placed: readonly number[]): number {
  return placed.reduce((sum, arrival) => sum + gpuMilliOf(pods[arrival]!), 0);
}

/** The lower end of the gain's interval: above zero means ahead on the same input. */
function gainCase(trace: string, ours: readonly number[], fgdValues: readonly number[]): BenchmarkCase {
  const gain = pairedDifference(ours, fgdValues, 'higher');
  return {
    case: trace,
    metric: 'paired gain over FGD, low end of its 95 % interval',
    unit: 'points',
    ours: gain.low,
    peers: { 'mean gain': gain.mean, 'high end': gain.high },
    bound: { atLeast: 0 },
  };
}

/** A port that misses its published mean makes the whole comparison worthless. */
function portCase(trace: string, peer: Peer, values: readonly number[], file: string): BenchmarkCase[] {
  const published = peer.published === undefined ? [] : publishedAllocation(file, trace, peer.published);
  if (published.length === 0) return [];
  return [
    {
      case: trace,
      metric: `port of ${peer.name}: distance from its published mean beyond chance`,
      unit: 'points',
      ours: distanceBeyondChance(values, published),
      peers: {
        distance: mean(values) - mean(published),
        port: mean(values),
        published: { quoted: mean(published), source: basename(file) },
      },
      bound: { atMost: tolerance },
    },
  ];
}
