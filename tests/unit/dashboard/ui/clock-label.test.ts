import { describe, expect, it } from 'vitest';
import { chartOptions, clockLabel } from '../../../../dashboard/src/ui/chart-options.ts';

const at = Date.UTC(2026, 10, 22, 17, 5, 9) / 1000;

describe('a label of a time axis', () => {
  it('has 24 hours, and as much of the instant as the distance of labels needs', () => {
    expect(clockLabel(at, 5, 'utc')).toBe('17:05:09');
    expect(clockLabel(at, 300, 'utc')).toBe('17:05');
    expect(clockLabel(at, 86_400, 'utc')).toBe('11-22');
  });

  it('has room for hours, minutes and seconds, also on a telephone', () => {
    const [time] = chartOptions({
      series: [],
      unit: '',
      xUnit: undefined,
      zone: 'utc',
      fromZero: false,
      cursor: 'any',
      width: 300,
      height: 160,
      onCursor: () => {},
    }).axes!;
    // Eight characters of 12 px Inter are 54 px wide.
    expect(time!.space).toBeGreaterThan(60);
  });
});
