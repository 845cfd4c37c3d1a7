import { describe, expect, it } from 'vitest';
import { chartRows, seriesLabel, summarize } from '../../../../dashboard/src/ui/chart-data.ts';

const data = (count: number) => ({
  x: Array.from({ length: count }, (_, index) => index),
  series: [{ label: 'loss', values: Array.from({ length: count }, (_, index) => (index === 1 ? null : 10 - index)) }],
  unit: '',
  xUnit: 'step',
});

describe('the table beside a chart', () => {
  it('holds every point, gaps as gaps', () => {
    expect(chartRows(data(3), 10)).toEqual([
      { x: 0, values: [10] },
      { x: 1, values: [null] },
      { x: 2, values: [8] },
    ]);
  });

  it('holds evenly taken points of a long series, and always the last', () => {
    const rows = chartRows(data(1_001), 100);
    expect(rows.length).toBeLessThanOrEqual(100);
    expect(rows.at(-1)!.x).toBe(1_000);
    expect(new Set(rows.slice(1).map(({ x }, index) => x - rows[index]!.x)).size).toBe(1);
  });

  it('says nothing of what is not there', () => {
    expect(chartRows(data(0), 10)).toEqual([]);
    expect(summarize('Loss', data(0))).toBe('Loss: no values yet.');
  });
});

describe('a chart in words', () => {
  it('tells the last value and the range', () => {
    expect(summarize('Loss', data(3))).toBe('Loss. loss: last 8, 8 to 10.');
  });

  it('names what was not measured', () => {
    expect(seriesLabel({ label: 'Energy', values: [], kind: 'estimated' })).toBe('Energy (estimated)');
    expect(seriesLabel({ label: 'Energy', values: [], kind: 'measured' })).toBe('Energy');
  });
});
