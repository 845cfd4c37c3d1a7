import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogBuffer, type LogLine, pageLines } from '../../../../../dashboard/src/pages/job/log/log-buffer.ts';

const line = (number: number, text = `line ${number}`): LogLine => ({
  line: number,
  at: '2026-11-22T00:00:00.000Z',
  stream: 'stdout',
  text,
  partial: false,
});
const lines = (from: number, count: number, text?: string) =>
  Array.from({ length: count }, (_, index) => line(from + index, text));

describe('a log of a million lines', () => {
  it('has rows for all of them while only some are held', () => {
    const buffer = new LogBuffer();
    buffer.grow(1_000_000);
    buffer.add(lines(999_500, 500));
    expect(buffer.rowCount).toBe(1_000_000);
    expect(buffer.row(999_999)).toMatchObject({ kind: 'line', line: { line: 999_999 } });
    expect(buffer.row(5)).toEqual({ kind: 'missing', number: 5 });
  });

  it('names the page to read for what is on screen, and none when all is held', () => {
    const buffer = new LogBuffer();
    buffer.grow(1_000_000);
    expect(buffer.firstMissing(500_123, 500_160)).toEqual({ from: 500_000, limit: pageLines });
    buffer.add(lines(500_000, pageLines));
    expect(buffer.firstMissing(500_123, 500_160)).toBeUndefined();
    expect(buffer.firstMissing(500_480, 500_520)).toEqual({ from: 500_500, limit: pageLines });
  });

  it('throws away what was read longest ago and never the newest page', () => {
    const buffer = new LogBuffer(100_000);
    for (let page = 0; page < 20; page += 1) buffer.add(lines(page * pageLines, pageLines, 'x'.repeat(20)));
    expect(buffer.characters).toBeLessThanOrEqual(100_000);
    expect(buffer.row(0)).toEqual({ kind: 'missing', number: 0 });
    expect(buffer.row(20 * pageLines - 1).kind).toBe('line');
    expect(buffer.rowCount).toBe(20 * pageLines);
  });

  it('keeps what was looked at last', () => {
    const buffer = new LogBuffer(50_000);
    buffer.add(lines(0, pageLines, 'x'.repeat(20)));
    for (let page = 1; page < 10; page += 1) {
      buffer.line(3);
      buffer.add(lines(page * pageLines, pageLines, 'x'.repeat(20)));
    }
    expect(buffer.line(3)).toBeDefined();
  });

  it('counts a line that comes twice once', () => {
    const buffer = new LogBuffer();
    buffer.add(lines(0, 10));
    buffer.add(lines(5, 10));
    expect(buffer.lineCount).toBe(15);
    expect(buffer.characters).toBe(lines(0, 15).reduce((sum, { text }) => sum + text.length, 0));
  });

  it('ignores numbers that are none', () => {
    const buffer = new LogBuffer();
    buffer.add([line(-1), line(Number.NaN), line(1.5)]);
    expect(buffer.rowCount).toBe(0);
  });
});

describe('gaps', () => {
  it('are one row that says how many lines it stands for', () => {
    const buffer = new LogBuffer();
    buffer.add(lines(0, 3));
    buffer.addGap(3, 1_000);
    buffer.add(lines(1_003, 2));
    expect(buffer.rowCount).toBe(6);
    expect(buffer.row(3)).toEqual({ kind: 'gap', from: 3, count: 1_000 });
    expect(buffer.row(4)).toMatchObject({ line: { line: 1_003 } });
    expect(buffer.rowOf(1_004)).toBe(5);
    expect(buffer.rowOf(500)).toBe(3);
  });

  it('that touch become one', () => {
    const buffer = new LogBuffer();
    buffer.grow(100);
    buffer.addGap(10, 10);
    buffer.addGap(30, 10);
    buffer.addGap(20, 10);
    expect(buffer.rowCount).toBe(71);
    expect(buffer.row(10)).toEqual({ kind: 'gap', from: 10, count: 30 });
  });

  it('leave rows and lines in step, however they lie', () => {
    const gap = fc.record({ from: fc.nat(400), count: fc.integer({ min: 1, max: 60 }) });
    fc.assert(
      fc.property(fc.array(gap, { maxLength: 8 }), (gaps) => {
        const buffer = new LogBuffer();
        buffer.grow(500);
        const gone = new Set<number>();
        for (const { from, count } of gaps) {
          buffer.addGap(from, count);
          for (let number = from; number < from + count; number += 1) gone.add(number);
        }
        let next = 0;
        for (let index = 0; index < buffer.rowCount; index += 1) {
          const row = buffer.row(index);
          if (row.kind === 'gap') {
            expect(row.from).toBe(next);
            for (let number = row.from; number < row.from + row.count; number += 1) {
              expect(gone.has(number)).toBe(true);
              expect(buffer.rowOf(number)).toBe(index);
            }
            next = row.from + row.count;
          } else {
            const number = row.kind === 'line' ? row.line.line : row.number;
            expect(number).toBe(next);
            expect(gone.has(number)).toBe(false);
            expect(buffer.rowOf(number)).toBe(index);
            next += 1;
          }
        }
        expect(next).toBe(buffer.lineCount);
      }),
    );
  });
});
