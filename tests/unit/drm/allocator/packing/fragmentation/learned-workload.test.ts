import { describe, expect, it } from 'vitest';
import { LearnedWorkload } from '../../../../../../src/drm/allocator/packing/fragmentation/learned-workload.ts';

const weights = (workload: LearnedWorkload<string>) =>
  Object.fromEntries(workload.shares().map(({ kind, weight }) => [kind, weight]));

function observe(workload: LearnedWorkload<string>, kind: string, times: number): void {
  for (let i = 0; i < times; i += 1) workload.observe(kind, kind);
}

describe('a learned workload', () => {
  it('knows nothing at first, and the first arrival at once', () => {
    const workload = new LearnedWorkload<string>();
    expect(workload.shares()).toEqual([]);
    workload.observe('a', 'a');
    expect(weights(workload)).toEqual({ a: 1 });
  });

  it('weighs kinds by how often they came', () => {
    const workload = new LearnedWorkload<string>(1e9);
    observe(workload, 'a', 300);
    observe(workload, 'b', 100);
    const { a, b } = weights(workload);
    expect(a! / b!).toBeCloseTo(3, 0);
    expect(workload.shares()[0]!.kind).toBe('a');
  });

  it('halves what is a half-life old', () => {
    const workload = new LearnedWorkload<string>(64);
    observe(workload, 'old', 640);
    observe(workload, 'new', 64);
    const { old, new: young } = weights(workload);
    expect(old! / young!).toBeCloseTo(1, 1);
  });

  it('goes on for ever: weights are scaled down together before they grow large', () => {
    const workload = new LearnedWorkload<string>(1);
    observe(workload, 'a', 5000);
    observe(workload, 'b', 65);
    const { a, b } = weights(workload);
    expect(b).toBeLessThan(2 ** 45);
    expect(b! / Math.max(a!, 1e-300)).toBeGreaterThan(1e15);
  });

  it('forgets the rarest kinds', () => {
    const workload = new LearnedWorkload<string>(1e9, 4);
    for (let i = 0; i < 100; i += 1) {
      observe(workload, 'common', 3);
      workload.observe(`rare-${i}`, `rare-${i}`);
    }
    const shares = workload.shares();
    expect(shares).toHaveLength(4);
    expect(shares[0]!.kind).toBe('common');
  });

  it('hands out the same list until a sixteenth more has come, at most 64', () => {
    const workload = new LearnedWorkload<string>();
    observe(workload, 'a', 160);
    const list = workload.shares();
    observe(workload, 'b', 10);
    expect(workload.shares()).toBe(list);
    workload.observe('b', 'b');
    expect(workload.shares()).not.toBe(list);
    observe(workload, 'a', 10_000);
    const later = workload.shares();
    observe(workload, 'b', 64);
    expect(workload.shares()).toBe(later);
    workload.observe('b', 'b');
    expect(workload.shares()).not.toBe(later);
  });

  it('does not depend on the order of equally frequent kinds', () => {
    const one = new LearnedWorkload<string>(1e12);
    const other = new LearnedWorkload<string>(1e12);
    for (const kind of ['b', 'a', 'c']) one.observe(kind, kind);
    for (const kind of ['c', 'b', 'a']) other.observe(kind, kind);
    expect(one.shares().length).toBe(3);
    expect([...one.shares()].map(({ kind }) => kind).sort()).toEqual(
      other
        .shares()
        .map(({ kind }) => kind)
        .sort(),
    );
  });
});
