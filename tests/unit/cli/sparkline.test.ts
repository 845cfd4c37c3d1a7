import { describe, expect, it } from 'vitest';
import { sparkline } from '../../../src/cli/sparkline.ts';

describe('a curve in one line', () => {
  it('goes from the lowest to the highest value', () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8)).toBe('▁▂▃▄▅▆▇█');
    expect(sparkline([3, 2, 1], 8)).toBe('█▅▁');
  });
  it('has a space where there is a gap, and the middle where nothing changes', () => {
    expect(sparkline([1, null, 1], 8)).toBe('▅ ▅');
    expect(sparkline([null], 8)).toBe(' ');
    expect(sparkline([], 8)).toBe('');
  });
  it('is as wide as it may be, however many the values', () => {
    const falling = Array.from({ length: 1000 }, (_, index) => 1000 - index);
    expect(sparkline(falling, 8)).toBe('█▇▆▅▄▃▂▁');
    expect(sparkline([...Array(50).fill(null), ...Array(50).fill(1)], 4)).toBe('  ▅▅');
  });
  it('stands the largest numbers', () => {
    expect(sparkline([-1e290, 0, 1e290], 8)).toBe('▁▅█');
    expect(sparkline([-1.7e308, 1.7e308], 8)).toBe('▁█');
  });
});
