/** Decisions alone: jobs arrive, others end, rounds place them; at four sizes of the cluster, with 120 kinds of jobs at once. */
import { defaultPolicy } from '../../src/cmo/scheduler/core/policy.ts';
import type { Policy, Shape } from '../../src/cmo/scheduler/core/snapshot.ts';
import type { BenchmarkCase } from '../harness.ts';
import { type Random, seededRandom } from '../packing/random.ts';
import { percentile } from '../statistics.ts';
import { bestNodes } from './brute-force.ts';
import { mixedShapes } from './shapes.ts';
import { type Arriving, World } from './world.ts';

/** Nothing is kept for jobs that wait, since arrivals are few enough to fit. */
const policy: Policy = { ...defaultPolicy, maxReservations: 0 };

const some = (shapes: readonly Shape[], count: number, random: Random): Arriving[] =>
  Array.from({ length: count }, () => ({ shape: shapes[random.below(shapes.length)]! }));

interface Run {
  readonly placed: number;
  /** Milliseconds of the engine by the clock, and of the whole process by its processor time. */
  readonly engineMs: number;
  readonly cpuMs: number;
  /** Milliseconds of the engine of each round. */
  readonly rounds: number[];
}

/** Rounds in which `each` jobs arrive and as many end. */
function run(world: World, shapes: readonly Shape[], each: number, rounds: number, random: Random): Run {
  const took: number[] = [];
  let placed = 0;
  let cpuMs = 0;
  world.take();
  for (let i = 0; i < rounds; i += 1) {
    placed += world.step(some(shapes, each, random), each, random);
    const one = world.take();
    took.push(one.ms);
    cpuMs += one.cpuMs;
  }
  return { placed, engineMs: took.reduce((sum, ms) => sum + ms, 0), cpuMs, rounds: took };
}

const worldOf = (nodes: number, shapes: readonly Shape[], random: Random): World =>
  new World(nodes, policy, { filled: { shapes, random } });

export function decideCases(nodes: number): { cases: BenchmarkCase[]; cpuPerDecision: number } {
  const random = seededRandom(nodes);
  const shapes = mixedShapes();
  const world = worldOf(nodes, shapes, random);
  // Every shape is seen for the first time, and what is expected is learned: shown, but not what is asked.
  const first = run(world, shapes, 200, 15, random);
  run(world, shapes, 200, 25, random);
  const many = run(world, shapes, 100, 100, random);
  const single = run(world, shapes, 1, 500, random);
  const of = (metric: string, unit: string, ours: number): BenchmarkCase => ({
    case: `${nodes} nodes`,
    metric,
    unit,
    ours,
    peers: {},
  });
  const rate = ({ placed, cpuMs }: Run) => (1000 * placed) / cpuMs;
  const bound = nodes === 5000 ? { bound: { atLeast: 10_000 } } : {};
  const latencyBound = nodes === 10_000 ? { bound: { atMost: 10 } } : {};
  return {
    cpuPerDecision: many.cpuMs / many.placed,
    cases: [
      of('decisions a second of processor time, the first 3,000 after a start', '/s', rate(first)),
      { ...of('decisions a second of processor time, 100 a round', '/s', rate(many)), ...bound },
      of('decisions a second by the clock', '/s', (1000 * many.placed) / many.engineMs),
      of('decisions a second of processor time, one a round', '/s', rate(single)),
      of('one decision, p50', 'ms', percentile(single.rounds, 0.5)),
      { ...of('one decision, p99', 'ms', percentile(single.rounds, 0.99)), ...latencyBound },
    ],
  };
}

/** Decisions on 1,000 nodes that differ from those of the reference. */
export function equalityCase(): BenchmarkCase {
  const random = seededRandom(11);
  const shapes = mixedShapes();
  const world = worldOf(1000, shapes, random);
  run(world, shapes, 200, 15, random);
  const decisions = 1000;
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
