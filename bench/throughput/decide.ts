/** Decisions alone: jobs arrive, others end, rounds place them; at four sizes of the cluster, with 120 kinds of jobs at once. */
import { defaultPolicy } from '../../src/cmo/scheduler/core/policy.ts';
import type { Policy, Shape } from '../../src/cmo/scheduler/core/snapshot.ts';
import type { BenchmarkCase } from '../harness.ts';
import { type Random, seededRandom } from '../packing/random.ts';
import { percentile } from '../statistics.ts';
import { bestNodes } from './brute-force.ts';
import { mixedShapes, type PerfCase } from './shapes.ts';
import { World } from './world.ts';

/** Nothing is kept for jobs that wait, since arrivals are few enough to fit. */
const policy: Policy = { ...defaultPolicy, maxReservations: 0 };

const some = (shapes: readonly Shape[], count: number, random: Random): Shape[] =>
  Array.from({ length: count }, () => shapes[random.below(shapes.length)]!);

interface Run {
  readonly placed: number;
  /** Milliseconds of the engine by the clock, and of the whole process by its processor time. */
  readonly engineMs: number;
  readonly cpuMs: number;
  /** Milliseconds of the engine of each round. */
  readonly rounds: number[];
}

/** Rounds in which `each` jobs arrive and `ending` end. */
function run(world: World, shapes: readonly Shape[], each: number, rounds: number, random: Random, ending = each): Run {
  const took: number[] = [];
  let placed = 0;
  let cpuMs = 0;
  world.take();
  for (let i = 0; i < rounds; i += 1) {
    placed += world.step(some(shapes, each, random), ending, random);
    const one = world.take();
    took.push(one.ms);
    cpuMs += one.cpuMs;
  }
  return { placed, engineMs: took.reduce((sum, ms) => sum + ms, 0), cpuMs, rounds: took };
}

/** A cluster in use, warm: every shape was seen and what is expected was learned. */
function warmWorld(nodes: number, shapes: readonly Shape[], random: Random): World {
  const world = new World(nodes, policy, shapes, random);
  run(world, shapes, 200, 15, random);
  return world;
}

export function decideCases(nodes: number): { cases: BenchmarkCase[]; cpuPerDecision: number } {
  const random = seededRandom(nodes);
  const shapes = mixedShapes();
  const world = warmWorld(nodes, shapes, random);
  const many = run(world, shapes, 100, 30, random);
  const single = run(world, shapes, 1, 500, random);
  const of = (metric: string, unit: string, ours: number): BenchmarkCase => ({
    case: `${nodes} nodes`,
    metric,
    unit,
    ours,
    peers: {},
  });
  const bound = nodes === 5000 ? { bound: { atLeast: 10_000 } } : {};
  const latencyBound = nodes === 10_000 ? { bound: { atMost: 10 } } : {};
  return {
    cpuPerDecision: many.cpuMs / many.placed,
    cases: [
      { ...of('decisions a second of processor time, 100 a round', '/s', (1000 * many.placed) / many.cpuMs), ...bound },
      of('decisions a second by the clock', '/s', (1000 * many.placed) / many.engineMs),
      of('decisions a second of processor time, one a round', '/s', (1000 * single.placed) / single.cpuMs),
      of('one decision, p50', 'ms', percentile(single.rounds, 0.5)),
      { ...of('one decision, p99', 'ms', percentile(single.rounds, 0.99)), ...latencyBound },
    ],
  };
}

/** kube-scheduler's own cases: 5,000 nodes, equal pods, arrivals only. */
export function perfCase({ name, shape, quoted }: PerfCase): BenchmarkCase {
  const random = seededRandom(1);
  const world = new World(5000, policy);
  run(world, [shape], 100, 3, random);
  const { placed, cpuMs } = run(world, [shape], 500, 10, random);
  return {
    case: `${name}, 5000 nodes`,
    metric: 'decisions a second of processor time',
    unit: '/s',
    ours: (1000 * placed) / cpuMs,
    peers: {
      'kube-scheduler, required by its CI (with API server)': { quoted, source: 'reference/scheduling.md §3.1' },
    },
    bound: { atLeast: 10 * quoted },
  };
}

/** Decisions on 1,000 nodes that differ from those of the reference. */
export function equalityCase(): BenchmarkCase {
  const random = seededRandom(11);
  const shapes = mixedShapes();
  const world = warmWorld(1000, shapes, random);
  const decisions = 250;
  let different = 0;
  for (let i = 0; i < decisions; i += 1) {
    world.step(some(shapes, 1, random), 1, random, ({ snapshot, jobs, outcome }) => {
      for (const job of jobs) {
        const placed = outcome.placements.find(({ jobId }) => jobId === job.id);
        const ours = placed?.ranks.map(({ nodeId }): string => nodeId);
        if (String(ours) !== String(bestNodes(snapshot, job.shape))) different += 1;
      }
    });
  }
  return {
    case: '1000 nodes',
    metric: `of ${decisions} decisions, other than the reference's`,
    unit: '',
    ours: different,
    peers: {},
    bound: { atMost: 0 },
  };
}
