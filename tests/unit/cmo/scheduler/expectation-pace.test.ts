import { describe, expect, it } from 'vitest';
import { drift, ExpectationPace, sampleError } from '../../../../src/cmo/scheduler/core/expectation-pace.ts';
import type { ExpectedShape } from '../../../../src/cmo/scheduler/core/snapshot.ts';
import { LearnedWorkload } from '../../../../src/drm/allocator/packing/index.ts';
import { job } from './support/builders.ts';

const shapeNo = (i: number) => job(`job_${i}`, { resources: { cpu: i + 1 } }).shape;

/** Arrivals of `kinds` kinds, equally often, in an order that only the seed decides. */
function* arrivals(kinds: number, seed: number, from = 0) {
  let state = seed;
  for (;;) {
    state = (state * 48_271) % 2_147_483_647;
    yield from + (state % kinds);
  }
}

/** How often a new expectation is used over so many arrivals, asked at every 100th. */
function uses(count: number, kindAt: (i: number) => number, verdicts = 1e6): number[] {
  const learned = new LearnedWorkload<ExpectedShape['kind']>();
  const pace = new ExpectationPace();
  const shapes = Array.from({ length: 240 }, (_, i) => shapeNo(i));
  const used: number[] = [];
  for (let i = 1; i <= count; i += 1) {
    const shape = shapes[kindAt(i)]!;
    learned.observe(shape.key, shape);
    if (i % 100 !== 0) continue;
    const latest = { shapes: learned.shares(), arrivals: learned.arrivals };
    if (i > 100 && !pace.isDue(latest, verdicts)) continue;
    pace.used(latest);
    used.push(i);
  }
  return used;
}

describe('when a new expectation is used', () => {
  it('is seldom while the same kinds come, once enough of them are known', () => {
    const source = arrivals(120, 7);
    const used = uses(30_000, () => source.next().value!);
    expect(used.length).toBeLessThan(10);
    expect(used.at(-1)!).toBeLessThan(8000);
  });

  it('is soon after other kinds come', () => {
    const before = arrivals(120, 7);
    const after = arrivals(120, 11, 120);
    const used = uses(40_000, (i) => (i <= 20_000 ? before : after).next().value!);
    const first = used.find((at) => at > 20_000)!;
    expect(first).toBeGreaterThan(20_000);
    expect(first).toBeLessThan(22_500);
  });

  it('is not before so many arrivals that few verdicts are worked out for each', () => {
    const before = arrivals(12, 7);
    const after = arrivals(12, 11, 120);
    const used = uses(60_000, (i) => (i <= 20_000 ? before : after).next().value!, 128 * 30_000);
    expect(used.filter((at) => at > 20_000 && at < 30_000)).toEqual([]);
    expect(used.some((at) => at >= 30_000)).toBe(true);
  });

  it('is known to err by what samples of a workload differ from it', () => {
    const shapes = Array.from({ length: 120 }, (_, i) => ({ kind: shapeNo(i), weight: 1 }));
    for (const size of [400, 4000]) {
      let sum = 0;
      for (let seed = 1; seed <= 30; seed += 1) {
        const source = arrivals(120, seed * 7919);
        const counts = new Float64Array(120);
        for (let i = 0; i < size; i += 1) counts[source.next().value!]! += 1;
        sum += drift(
          shapes,
          shapes.map(({ kind }, i) => ({ kind, weight: counts[i]! })),
        );
      }
      expect(sum / 30 / sampleError(shapes, size)).toBeCloseTo(1, 1);
    }
    expect(sampleError(shapes, 0)).toBe(1);
    expect(sampleError(shapes, 1e9)).toBe(sampleError(shapes, 20_000));
  });
});
