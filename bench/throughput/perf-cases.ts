/**
 * The cases of kube-scheduler's own benchmark (kubernetes/kubernetes test/integration/scheduler_perf), as decisions of ours: jobs that ask
 * for what its pods ask for, on as many nodes, beside the rate that its CI requires, which includes API server and etcd.
 *
 * Arrivals only, as there. Its gated pods stand on one node, which would have to hold 20,000 of ours: ours are gated on 5,000.
 */
import { defaultPolicy } from '../../src/cmo/scheduler/core/policy.ts';
import type { Policy } from '../../src/cmo/scheduler/core/snapshot.ts';
import type { BenchmarkCase } from '../harness.ts';
import { seededRandom } from '../packing/random.ts';
import { shape } from './shapes.ts';
import { type Arriving, World } from './world.ts';

interface PerfCase {
  readonly name: string;
  /** Pods a second that its CI requires. */
  readonly quoted: number;
  readonly nodes?: number;
  readonly labelsOf?: (index: number) => Record<string, string>;
  /** What is there, or waits, before anything is measured. */
  readonly before?: readonly Arriving[];
  job(index: number): Arriving;
  /** What else happens before each round. */
  churn?(world: World, round: number): void;
  readonly policy?: Policy;
}

const pod = { cpu: 0.1, memory: '500MiB' };
const basic: Arriving = { shape: shape({ resources: pod }) };
const zones = ['moon-1', 'moon-2', 'moon-3'];
/** Zones are pods of a site here; hosts are nodes, which are parts of their own. */
const inZones = (index: number) => ({ pod: zones[index % zones.length]! });
const color = { color: 'green' };

const ruled = (placement: Parameters<typeof shape>[0]['placement']): Arriving => ({
  shape: shape({ resources: pod, labels: color, placement }),
  labels: color,
});

const spread = (required: boolean): Arriving => ({
  shape: shape({ resources: pod, array: { count: 2 }, placement: { spread: { over: 'pod', maxSkew: 5, required } } }),
  array: 'arr_1',
});

const many = (count: number, one: Arriving): Arriving[] => Array.from({ length: count }, () => one);

const beside = { jobs: color, within: 'pod' } as const;
const apart = { jobs: color, within: 'node' } as const;

const cases: readonly PerfCase[] = [
  { name: 'SchedulingBasic', quoted: 810, job: () => basic },
  {
    name: 'SchedulingWhileGated',
    quoted: 910,
    before: many(10_000, { ...basic, notBefore: 8e15 }),
    job: () => basic,
  },
  {
    name: 'SchedulingWithMixedChurn',
    quoted: 710,
    job: () => basic,
    churn: (world, round) => {
      for (let i = 0; i < 20; i += 1) world.cordon((round * 20 + i) % 5000, round % 2 === 0);
    },
  },
  {
    name: 'Unschedulable',
    quoted: 590,
    before: many(200, { shape: shape({ resources: { cpu: 1000, memory: '500MiB' } }) }),
    job: () => basic,
  },
  {
    name: 'PreemptionAsync',
    quoted: 570,
    before: many(5000, { shape: shape({ resources: { cpu: 40, memory: '500MiB' } }) }),
    job: () => ({ shape: shape({ resources: { cpu: 30, memory: '500MiB', devices: [] } }), priority: 10 }),
    policy: {
      ...defaultPolicy,
      maxReservations: 0,
      preemption: { ...defaultPolicy.preemption, minRunSeconds: 0, maxPerRound: 10_000, maxPerHour: 1_000_000 },
    },
  },
  { name: 'TopologySpreading', quoted: 460, labelsOf: inZones, job: () => spread(true) },
  { name: 'PreferredTopologySpreading', quoted: 340, labelsOf: inZones, job: () => spread(false) },
  {
    name: 'SchedulingNodeAffinity',
    quoted: 220,
    labelsOf: (index) => ({ zone: index % 2 === 0 ? 'zone1' : 'zone2' }),
    job: () => ({ shape: shape({ resources: pod, placement: { require: { zone: 'zone1' } } }) }),
  },
  {
    name: 'ExtendedResource',
    quoted: 180,
    job: () => ({ shape: shape({ resources: { ...pod, devices: [{ count: 1 }] } }) }),
  },
  {
    name: 'MixedSchedulingBasePod',
    quoted: 140,
    labelsOf: inZones,
    before: [
      ...many(500, ruled({ affinity: [beside] })),
      ...many(500, ruled({ antiAffinity: [{ ...apart, required: false }] })),
      ...many(500, basic),
    ],
    job: () => basic,
  },
  {
    name: 'SchedulingPodAntiAffinity',
    quoted: 60,
    before: many(500, ruled({ antiAffinity: [apart] })),
    job: () => ruled({ antiAffinity: [apart] }),
  },
  { name: 'SchedulingPodAffinity', quoted: 35, labelsOf: inZones, job: () => ruled({ affinity: [beside] }) },
  {
    name: 'SchedulingPreferredPodAffinity',
    quoted: 90,
    labelsOf: inZones,
    job: () => ruled({ affinity: [{ ...beside, required: false }] }),
  },
  {
    name: 'DRA ResourceClaimTemplate',
    quoted: 56,
    nodes: 500,
    job: () => ({
      shape: shape({ resources: { ...pod, devices: [{ model: 'H100', minMemory: '40GiB', fraction: 0.25 }] } }),
    }),
  },
];

export const perfNames: readonly string[] = cases.map(({ name }) => name);

/** @param name one of `perfNames` */
export function perfCase(name: string): BenchmarkCase {
  const one = cases.find((known) => known.name === name)!;
  const { quoted, nodes = 5000, labelsOf, before = [], churn } = one;
  const random = seededRandom(1);
  const world = new World(
    nodes,
    one.policy ?? { ...defaultPolicy, maxReservations: 0 },
    labelsOf === undefined ? {} : { labelsOf },
  );
  if (before.length > 0) for (let i = 0; i < 6; i += 1) world.step(i === 0 ? before : [], 0, random);
  const each = nodes < 1000 ? 50 : 500;
  let placed = 0;
  let cpuMs = 0;
  for (let round = 0; round < 11; round += 1) {
    churn?.(world, round);
    const found = world.step(
      Array.from({ length: each }, (_, i) => one.job(round * each + i)),
      0,
      random,
    );
    const took = world.take();
    // In the first round everything is seen for the first time.
    if (round === 0) continue;
    placed += found;
    cpuMs += took.cpuMs;
  }
  return {
    case: `${name}, ${nodes} nodes`,
    metric: `decisions a second of processor time, ${placed} jobs`,
    unit: '/s',
    ours: (1000 * placed) / cpuMs,
    peers: {
      'kube-scheduler, required by its CI (with API server)': { quoted, source: 'reference/scheduling.md §3.1' },
    },
    bound: { atLeast: quoted },
  };
}
