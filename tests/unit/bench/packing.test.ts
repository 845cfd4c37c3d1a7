import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runKnown, runLearning } from '../../../bench/packing/ours.ts';
import { runPeer } from '../../../bench/packing/peer-run.ts';
import { anyNode, bestFit, dotProduct, fgd, gpuPacking, type PeerNode, withPod } from '../../../bench/packing/peers.ts';
import { distanceBeyondChance, publishedAllocation } from '../../../bench/packing/published.ts';
import { seededRandom } from '../../../bench/packing/random.ts';
import {
  arrivals,
  capacityOf,
  gpuMilliOf,
  readNodes,
  readPods,
  shuffled,
  type TraceNode,
  type TracePod,
} from '../../../bench/packing/trace.ts';
import { fragmentationOf, typicalPods } from '../../../bench/packing/typical.ts';
import { Meter } from '../../../bench/power/meter.ts';
import { nodeWatts } from '../../../bench/power/model.ts';
import { runPowerAware } from '../../../bench/power/ours.ts';
import { combined, pwr } from '../../../bench/power/pwr.ts';

const folder = mkdtempSync(join(tmpdir(), 'solyx-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const pod = (more: Partial<TracePod> = {}): TracePod => ({
  cpuMilli: 4000,
  memoryMib: 1024,
  gpus: 1,
  gpuMilli: 1000,
  models: [],
  ...more,
});
const kinds = [
  pod(),
  pod({ gpuMilli: 300 }),
  pod({ gpuMilli: 700, cpuMilli: 2000 }),
  pod({ gpus: 0, gpuMilli: 0 }),
  pod({ gpus: 4 }),
  pod({ models: ['T4'] }),
];
const nodes: TraceNode[] = Array.from({ length: 12 }, (_, i) => ({
  name: `node-${i}`,
  cpuMilli: 32_000,
  memoryMib: 65_536,
  gpus: i % 2 === 0 ? 4 : 2,
  model: i % 3 === 0 ? 'T4' : 'G2',
}));
const pods = Array.from({ length: 90 }, (_, i) => kinds[(i * 7) % kinds.length]!);

describe('the trace', () => {
  it('is read by the names of its columns, pods sorted by name', () => {
    const path = file(
      'pods.csv',
      'name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\nb,1000,512,1,500,V100M32|V100M16\na,2000,256,0,0,\n',
    );
    expect(readPods(path)).toEqual([
      { cpuMilli: 2000, memoryMib: 256, gpus: 0, gpuMilli: 0, models: [] },
      { cpuMilli: 1000, memoryMib: 512, gpus: 1, gpuMilli: 500, models: ['V100M16', 'V100M32'] },
    ]);
    expect(readNodes(file('nodes.csv', 'sn,cpu_milli,memory_mib,gpu,model\nn,64000,1024,2,T4\n'))).toEqual([
      { name: 'n', cpuMilli: 64_000, memoryMib: 1024, gpus: 2, model: 'T4' },
    ]);
  });

  it('is refused with line and column when it is none', () => {
    const head = 'name,cpu_milli,memory_mib,num_gpu,gpu_milli';
    expect(() => readPods(file('short.csv', 'name,cpu_milli\n'))).toThrow(/line 1: there is no column memory_mib/);
    expect(() => readPods(file('bad.csv', `${head}\na,1,1,1,1\nb,-5,1,1,1\n`))).toThrow(/line 3: cpu_milli is "-5"/);
    expect(() => readPods(file('none.csv', `${head}\na,,1,1,1\n`))).toThrow(/line 2: cpu_milli is ""/);
  });

  it('is filled up to the demand and never far beyond, or thinned out', () => {
    const capacity = capacityOf(nodes);
    for (const ratio of [0.5, 1.3, 4]) {
      const list = arrivals(pods, capacity, ratio, seededRandom(1));
      const demand = list.reduce((sum, one) => sum + gpuMilliOf(one), 0);
      expect(demand).toBeGreaterThan(capacity * ratio - 4000);
      expect(demand).toBeLessThan(capacity * ratio + 4000);
    }
  });

  it('is shuffled alike for the same seed and otherwise for another', () => {
    expect(shuffled(pods, seededRandom(5))).toEqual(shuffled(pods, seededRandom(5)));
    expect(shuffled(pods, seededRandom(5))).not.toEqual(shuffled(pods, seededRandom(6)));
  });
});

describe('every policy', () => {
  const peers = [
    fgd(typicalPods(pods)),
    bestFit,
    gpuPacking,
    dotProduct,
    anyNode,
    pwr,
    combined(typicalPods(pods), 100),
  ];

  it.each(peers.map((peer) => [peer.name, peer] as const))('%s never gives more than there is', (_, peer) => {
    const left = new Map<number, PeerNode>();
    const placed = runPeer(peer, nodes, pods, seededRandom(3), (_arrival, row, node) => left.set(row, node));
    expect(placed.length).toBeGreaterThan(20);
    for (const node of left.values()) {
      expect(node.cpuMilli).toBeGreaterThanOrEqual(0);
      expect(node.memoryMib).toBeGreaterThanOrEqual(0);
      for (const milli of node.gpuMilli) expect(milli).toBeGreaterThanOrEqual(0);
    }
  });

  it('places the first pods of an empty cluster, since it must place what fits', () => {
    const few = pods.slice(0, 10);
    const all = [...few.keys()];
    for (const peer of peers) expect(runPeer(peer, nodes, few, seededRandom(3))).toEqual(all);
    expect(runLearning(nodes, few)).toEqual(all);
    expect(runKnown(nodes, few, pods)).toEqual(all);
    expect(runPowerAware(nodes, few, new Meter(nodes, few))).toEqual(all);
  });

  it('of ours gives the same plan each time', () => {
    expect(runLearning(nodes, pods)).toEqual(runLearning(nodes, pods));
    expect(runKnown(nodes, pods, pods)).toEqual(runKnown(nodes, pods, pods));
  });
});

describe('the ports', () => {
  const node = (gpuMilli: number[], cpuMilli = 32_000): PeerNode => ({
    model: 'G2',
    cpuCapacity: 32_000,
    cpuMilli,
    memoryMib: 65_536,
    gpuMilli,
  });

  it('measure fragmentation as published: everything for who cannot run, the pieces that are too small for who can', () => {
    const typical = [
      { pod: pod(), share: 0.5 },
      { pod: pod({ gpuMilli: 300 }), share: 0.25 },
      { pod: pod({ cpuMilli: 64_000 }), share: 0.25 },
    ];
    expect(fragmentationOf(typical, node([1000, 400, 200]))).toBe(0.5 * 600 + 0.25 * 200 + 0.25 * 1600);
  });

  it('keep the most frequent kinds that make up 95 %', () => {
    const many = [...Array.from({ length: 97 }, () => pod()), ...Array.from({ length: 3 }, () => pod({ gpus: 2 }))];
    expect(typicalPods(many)).toEqual([{ pod: pod(), share: 1 }]);
  });

  it('take the first whole devices, and the one that was picked for a part', () => {
    expect(withPod(node([500, 1000, 1000]), pod({ gpus: 2 }), -1).gpuMilli).toEqual([500, 0, 0]);
    expect(withPod(node([500, 1000]), pod({ gpuMilli: 300 }), 0).gpuMilli).toEqual([200, 1000]);
  });

  it('draw power as the model says', () => {
    const idle = 4 * 30 + 15;
    expect(nodeWatts(node([1000, 1000, 1000, 1000]))).toBe(idle);
    expect(nodeWatts(node([1000, 1000, 1000, 500], 31_000))).toBe(3 * 30 + 150 + 120);
  });

  it('meter the mean between 10 % and 80 % of demand', () => {
    const one: TraceNode[] = [{ name: 'n', cpuMilli: 32_000, memoryMib: 1, gpus: 10, model: 'G2' }];
    const list = Array.from({ length: 10 }, () => pod({ cpuMilli: 0 }));
    const meter = new Meter(one, list);
    expect(new Meter(one, list).meanWatts()).toBe(315);
    meter.onPlaced(0, 0, { ...node(Array.from({ length: 10 }, (_, i) => (i === 0 ? 0 : 1000))) });
    expect(meter.meanWatts()).toBe(435);
  });
});

describe('the published table', () => {
  const table =
    'workload,sc_policy,tune,seed,total_gpus,0,130\nopenb_pod_list_x,06-FGD,1.3,42,6212,0,95\nopenb_pod_list_x,06-FGD,1.3,43,6212,0,97\n';

  it('is read by trace, policy and demand', () => {
    const path = file('published.csv', table);
    expect(publishedAllocation(path, 'x', '06-FGD')).toEqual([95, 97]);
    expect(publishedAllocation(path, 'y', '06-FGD')).toEqual([]);
    expect(() => publishedAllocation(file('cut.csv', 'workload\n'), 'x', '06-FGD')).toThrow(/no column 130/);
  });

  it('is missed only beyond what chance explains', () => {
    expect(distanceBeyondChance([95], [96])).toBe(1);
    expect(distanceBeyondChance([95, 97], [96, 96])).toBe(0);
    expect(distanceBeyondChance([90, 90.1, 89.9], [95, 95.1, 94.9])).toBeGreaterThan(4.8);
  });
});
