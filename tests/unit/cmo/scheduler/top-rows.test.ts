import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BestRows } from '../../../../src/cmo/scheduler/core/best-rows.ts';
import { mostTop, TopRows } from '../../../../src/cmo/scheduler/core/top-rows.ts';

const rowCount = 100;
/** A row gets a score (few different ones, so that many are equal), or none. */
const changeArb = fc.tuple(fc.nat(rowCount - 1), fc.option(fc.nat(12)));

function sortedRows(scores: ReadonlyMap<number, number>): number[] {
  return [...scores].sort((a, b) => a[1] - b[1] || a[0] - b[0]).map(([row]) => row);
}

function bestOf(scores: ReadonlyMap<number, number>): BestRows {
  const best = new BestRows(mostTop);
  for (const row of [...scores.keys()].sort((a, b) => a - b)) {
    if (scores.get(row)! < best.threshold) best.offer(scores.get(row)!, row);
  }
  return best;
}

describe('the best rows of a board', () => {
  it('are those of a sort of all rows, however rows came and left', () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.nat(12)), { minLength: rowCount, maxLength: rowCount }),
        fc.array(changeArb, { maxLength: 1000 }),
        fc.integer({ min: 1, max: mostTop }),
        (start, changes, asked) => {
          const scores = new Map<number, number>();
          for (const [row, score] of start.entries()) if (score !== null) scores.set(row, score);
          const top = new TopRows<string>();
          for (const [row, score] of changes) {
            const before = scores.get(row);
            if (before !== undefined) top.leave(row);
            scores.delete(row);
            if (score !== null) {
              scores.set(row, score);
              top.enter(score, row);
            }
            const found = Math.min(asked, scores.size);
            if (top.length < found) top.fill(bestOf(scores), (one) => scores.get(one)!);
            expect([...top.rows.subarray(0, top.length)]).toEqual(sortedRows(scores).slice(0, top.length));
            expect(top.length).toBeGreaterThanOrEqual(found);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are filled again only when fewer are left than are asked for', () => {
    const scores = new Map(Array.from({ length: rowCount }, (_, row) => [row, row % 7] as const));
    const top = new TopRows<string>();
    top.fill(bestOf(scores), (row) => scores.get(row)!);
    for (const row of [...top.rows.subarray(0, 40)]) top.leave(row);
    expect(top.length).toBe(mostTop - 40);
    top.clear();
    expect(top.length).toBe(0);
    top.enter(0, 3);
    expect(top.length).toBe(0);
  });
});
