/**
 * …and how much power does that take? Solyx, PWR and PWR+FGD (Lettich et al., CCGrid'25) on the traces of `packing`, by its protocol and
 * their power model. Power is the mean over 10 % to 80 % of demand, as a saving against FGD on the same arrivals; allocation is at 130 %.
 */
import type { Benchmark, BenchmarkCase, BenchmarkContext } from '../harness.ts';
import { runPeer } from '../packing/peer-run.ts';
import { fgd } from '../packing/peers.ts';
import { seededRandom } from '../packing/random.ts';
import { arrivals, capacityOf, gpuMilliOf, readNodes, readPods, shuffled } from '../packing/trace.ts';
import { typicalPods } from '../packing/typical.ts';
import { mean, pairedDifference } from '../statistics.ts';
import { Meter } from './meter.ts';
import { runPowerAware } from './ours.ts';
import { combined, pwr } from './pwr.ts';

const traces = ['default', 'gpushare40', 'gpuspec33', 'multigpu50'];
const weights = [200, 100, 50];
const firstSeed = 42;
const demand = 1.3;

export const benchmark: Benchmark = {
  name: 'power',
  question: 'How much power does a full cluster take?',
  async run(context) {
    for (const trace of traces) await context.measure(trace, () => compare(context, trace));
  },
};

interface Found {
  readonly allocated: number[];
  readonly watts: number[];
}

function compare(context: BenchmarkContext, trace: string): BenchmarkCase[] {
  const nodes = readNodes(context.data('packing/openb_node_list_gpu_node.csv'));
  const pods = readPods(context.data(`packing/openb_pod_list_${trace}.csv`));
  const typical = typicalPods(pods);
  const peers = [fgd(typical), pwr, ...weights.map((weight) => combined(typical, weight))];
  const found = new Map<string, Found>();
  for (let seed = firstSeed; seed < firstSeed + context.seeds; seed += 1) {
    const shuffle = seededRandom(seed);
    const order = shuffled(nodes, shuffle);
    const arriving = arrivals(pods, capacityOf(nodes), demand, shuffle);
    const keep = (name: string, run: (meter: Meter) => readonly number[]) => {
      const meter = new Meter(order, arriving);
      const milli = run(meter).reduce((sum, arrival) => sum + gpuMilliOf(arriving[arrival]!), 0);
      const kept = found.get(name) ?? { allocated: [], watts: [] };
      kept.allocated.push((milli / capacityOf(nodes)) * 100);
      kept.watts.push(meter.meanWatts());
      found.set(name, kept);
    };
    keep('ours', (meter) => runPowerAware(order, arriving, meter));
    for (const peer of peers) {
      keep(peer.name, (meter) =>
        runPeer(peer, order, arriving, shuffle, (arrival, row, node) => meter.onPlaced(arrival, row, node)),
      );
    }
  }
  return casesOf(trace, found, context.seeds);
}

function casesOf(trace: string, found: ReadonlyMap<string, Found>, seeds: number): BenchmarkCase[] {
  const base = found.get('FGD')!;
  const ours = found.get('ours')!;
  const savings = (name: string) => found.get(name)!.watts.map((watts, i) => (1 - watts / base.watts[i]!) * 100);
  const others = [...found.keys()].filter((name) => name !== 'ours');
  const combos = others.filter((name) => name.startsWith('PWR') && name !== 'PWR');
  const best = combos.reduce((a, b) => (mean(savings(b)) > mean(savings(a)) ? b : a));
  const rest = others.filter((name) => name !== 'FGD');
  const cases: BenchmarkCase[] = [
    {
      case: trace,
      metric: 'power saved against FGD, 10–80 % of demand',
      unit: '%',
      ours: mean(savings('ours')),
      peers: Object.fromEntries(rest.map((name) => [name, mean(savings(name))])),
      bound: { atLeast: mean(savings(best)) },
    },
    {
      case: trace,
      metric: 'GPUs allocated at a demand of 130 %',
      unit: '%',
      ours: mean(ours.allocated),
      peers: Object.fromEntries(others.map((name) => [name, mean(found.get(name)!.allocated)])),
      bound: { atLeast: mean(base.allocated) },
    },
  ];
  if (seeds < 2) return cases;
  const more = pairedDifference(savings('ours'), savings(best), 'higher');
  const fuller = pairedDifference(ours.allocated, base.allocated, 'higher');
  return [
    ...cases,
    {
      case: trace,
      metric: `saving beyond ${best}, paired: low end of the 95 % interval`,
      unit: 'points',
      ours: more.low,
      peers: { mean: more.mean, 'high end': more.high },
    },
    {
      case: trace,
      metric: 'allocation beyond FGD, paired: low end of the 95 % interval',
      unit: 'points',
      ours: fuller.low,
      peers: { mean: fuller.mean, 'high end': fuller.high },
    },
  ];
}
