/**
 * How fast are decisions? Full scoring of every node, 120 kinds of jobs at once, arrivals and departures, explanations included.
 *
 * Processor time stands beside the clock, since machines are shared. `one a round` is what a single submit costs when nothing else waits.
 */
import type { Benchmark, BenchmarkCase } from '../harness.ts';
import { commitCases } from './commit.ts';
import { decideCases, equalityCase } from './decide.ts';
import { largeRound } from './large-round.ts';
import { perfCase, perfNames } from './perf-cases.ts';

const sizes = [1000, 5000, 10_000, 100_000];

export const benchmark: Benchmark = {
  name: 'throughput',
  question: 'How fast are decisions?',
  async run(context) {
    await context.measure('1,000 nodes against the reference', () => [equalityCase()]);
    const cost = new Map<number, number>();
    for (const nodes of sizes) {
      await context.measure(`${nodes} nodes`, () => {
        const { cases, cpuPerDecision } = decideCases(nodes);
        cost.set(nodes, cpuPerDecision);
        return cases;
      });
    }
    await context.measure('cost by size', () => [ratioCase(cost)]);
    for (const name of perfNames) await context.measure(name, () => [perfCase(name)]);
    await context.measure('100,000 nodes, a million queued in arrays', () => largeRound(1000));
    await context.measure('100,000 nodes, a million queued', () => largeRound(1));
    await context.measure('PostgreSQL', commitCases);
  },
};

function ratioCase(cost: ReadonlyMap<number, number>): BenchmarkCase {
  return {
    case: '100k against 1k nodes',
    metric: 'processor time of a decision, ratio',
    unit: '',
    ours: cost.get(100_000)! / cost.get(1000)!,
    peers: {},
    bound: { atMost: 3 },
  };
}
