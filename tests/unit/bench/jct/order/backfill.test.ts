import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cluster } from '../../../../../bench/jct/cluster.ts';
import { type Held, reserve } from '../../../../../bench/jct/order/backfill.ts';

const pool = (free: number) => Int32Array.of(free);
const wanting = (amount: number) => (free: Int32Array) => (free[0]! >= amount ? [{ node: 0, amount }] : undefined);
const ends = (endsAt: number, amount: number) => ({ endsAt, held: [{ node: 0, amount }] });

describe('a reservation', () => {
  it('is the first moment at which enough has ended', () => {
    const reservation = reserve(pool(2), [ends(10, 3), ends(20, 4), ends(30, 5)], wanting(8))!;
    expect(reservation.at).toBe(20);
    expect(reservation.held).toEqual([{ node: 0, amount: 8 }]);
    expect([...reservation.spare]).toEqual([1]);
  });

  it('counts all that ends at one instant', () => {
    const reservation = reserve(pool(0), [ends(10, 3), ends(10, 4)], wanting(5))!;
    expect(reservation.at).toBe(10);
    expect([...reservation.spare]).toEqual([2]);
  });

  it('is none for a job that never fits, nor on an idle cluster', () => {
    expect(reserve(pool(2), [ends(10, 3)], wanting(6))).toBeUndefined();
    expect(reserve(pool(2), [], wanting(1))).toBeUndefined();
  });

  it('leaves what was free now as it was', () => {
    const free = pool(2);
    reserve(free, [ends(10, 3)], wanting(4));
    expect([...free]).toEqual([2]);
  });

  it('names the nodes: spare capacity elsewhere stays usable', () => {
    const cluster = new Cluster(2, 8);
    const free = Int32Array.of(3, 1);
    const running = [
      { endsAt: 5, held: [{ node: 1, amount: 7 }] },
      { endsAt: 9, held: [{ node: 0, amount: 5 }] },
    ];
    const reservation = reserve(free, running, (after) => cluster.place(8, after))!;
    expect(reservation).toMatchObject({ at: 5, held: [{ node: 1, amount: 8 }] });
    expect([...reservation.spare]).toEqual([3, 0]);
  });

  it('is the earliest that trying every moment finds', () => {
    const running = fc.array(fc.record({ endsAt: fc.nat(50), amount: fc.integer({ min: 1, max: 6 }) }), {
      maxLength: 10,
    });
    fc.assert(
      fc.property(running, fc.nat(5), fc.integer({ min: 1, max: 30 }), (jobs, free, wanted) => {
        const sorted = jobs.map(({ endsAt, amount }) => ends(endsAt, amount)).sort((a, b) => a.endsAt - b.endsAt);
        const freeAt = (at: number) =>
          free + jobs.filter(({ endsAt }) => endsAt <= at).reduce((sum, { amount }) => sum + amount, 0);
        const moments = [...new Set(jobs.map(({ endsAt }) => endsAt))].sort((a, b) => a - b);
        const expected = moments.find((at) => freeAt(at) >= wanted);
        const reservation = reserve(pool(free), sorted, wanting(wanted));
        expect(reservation?.at).toBe(expected);
        if (expected !== undefined) expect(reservation!.spare[0]).toBe(freeAt(expected) - wanted);
      }),
    );
  });
});

describe('placing on a cluster', () => {
  const total = (held: readonly Held[]) => held.reduce((sum, { amount }) => sum + amount, 0);

  it('takes the tightest node for a job that fits one', () => {
    const cluster = new Cluster(3, 8);
    expect(cluster.place(2, Int32Array.of(8, 3, 5))).toEqual([{ node: 1, amount: 2 }]);
  });

  it('takes whole nodes and the tightest remainder for a larger one', () => {
    const cluster = new Cluster(4, 8);
    expect(cluster.place(19, Int32Array.of(8, 4, 8, 8))).toEqual([
      { node: 0, amount: 8 },
      { node: 2, amount: 8 },
      { node: 1, amount: 3 },
    ]);
    expect(cluster.place(24, Int32Array.of(8, 7, 8, 7))).toBeUndefined();
  });

  it('never takes more than is free, nor than it may, and all that was asked for', () => {
    const counts = fc.array(fc.nat(8), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(counts, counts, fc.integer({ min: 1, max: 40 }), (free, within, size) => {
        const held = new Cluster(5, 8).place(size, Int32Array.from(free), Int32Array.from(within));
        if (held === undefined) return;
        expect(total(held)).toBe(size);
        expect(new Set(held.map(({ node }) => node)).size).toBe(held.length);
        for (const { node, amount } of held) expect(amount).toBeLessThanOrEqual(Math.min(free[node]!, within[node]!));
      }),
    );
  });
});
