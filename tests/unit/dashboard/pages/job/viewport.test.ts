import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  contentHeight,
  isAtEnd,
  lastTop,
  mostPixels,
  offsetOf,
  scrollOfTop,
  topAfterKey,
  topOfScroll,
  topToCentre,
  visibleRows,
} from '../../../../../dashboard/src/pages/job/log/viewport.ts';

const small = { rowCount: 1_000, rowHeight: 20, height: 400 };
const huge = { rowCount: 50_000_000, rowHeight: 20, height: 400 };

describe('a window over many rows', () => {
  it('gives each row its own pixels while the browser has enough', () => {
    expect(contentHeight(small)).toBe(20_000);
    expect(topOfScroll(small, 2_000)).toBeCloseTo(100);
    expect(scrollOfTop(small, 100)).toBeCloseTo(2_000);
  });

  it('reaches the first and the last of fifty million rows', () => {
    expect(contentHeight(huge)).toBe(mostPixels);
    expect(topOfScroll(huge, 0)).toBe(0);
    const last = topOfScroll(huge, mostPixels - huge.height);
    expect(last).toBe(lastTop(huge));
    expect(visibleRows(huge, last).to).toBe(huge.rowCount);
    expect(offsetOf(huge, last, huge.rowCount)).toBeCloseTo(huge.height);
  });

  it('moves by rows with the keys, also where a pixel stands for many', () => {
    expect(topAfterKey(huge, 1_000, 'ArrowDown')).toBe(1_001);
    expect(topAfterKey(huge, 1_000, 'PageUp')).toBe(981);
    expect(topAfterKey(huge, 1_000, 'End')).toBe(lastTop(huge));
    expect(topAfterKey(huge, 1_000, 'Home')).toBe(0);
    expect(topAfterKey(huge, 0, 'ArrowUp')).toBe(0);
    expect(topAfterKey(huge, 1_000, 'a')).toBeUndefined();
  });

  it('does not scroll when everything fits', () => {
    const few = { rowCount: 3, rowHeight: 20, height: 400 };
    expect(lastTop(few)).toBe(0);
    expect(topOfScroll(few, 10)).toBe(0);
    expect(scrollOfTop(few, 1)).toBe(0);
    expect(isAtEnd(few, 0)).toBe(true);
    expect(visibleRows(few, 0)).toEqual({ from: 0, to: 3 });
  });

  it('knows when the end is in sight and brings a row into the middle', () => {
    expect(isAtEnd(small, lastTop(small))).toBe(true);
    expect(isAtEnd(small, lastTop(small) - 2)).toBe(false);
    expect(topToCentre(small, 500)).toBe(490.5);
    expect(topToCentre(small, 0)).toBe(0);
  });

  it('comes back to the same row from the place of the bar', () => {
    const geometry = fc.record({
      rowCount: fc.integer({ min: 0, max: 100_000_000 }),
      rowHeight: fc.integer({ min: 12, max: 40 }),
      height: fc.integer({ min: 0, max: 2_000 }),
    });
    fc.assert(
      fc.property(geometry, fc.double({ min: 0, max: 1, noNaN: true }), (given, share) => {
        const top = share * lastTop(given);
        expect(topOfScroll(given, scrollOfTop(given, top))).toBeCloseTo(top, 2);
        const { from, to } = visibleRows(given, top, 0);
        expect(from).toBeGreaterThanOrEqual(0);
        expect(to).toBeLessThanOrEqual(given.rowCount);
      }),
    );
  });
});
