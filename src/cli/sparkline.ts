/** A curve in one line of text. */

const bars = '▁▂▃▄▅▆▇█';

/**
 * Draws values from the lowest to the highest of them; a gap is a space.
 * @param width characters at most, ≥ 1; beyond, neighbours are averaged
 */
export function sparkline(values: readonly (number | null)[], width: number): string {
  const shown = values.length <= width ? values : shrink(values, width);
  const numbers = shown.filter((value) => value !== null);
  const low = Math.min(...numbers);
  const high = Math.max(...numbers);
  return shown
    .map((value) => {
      if (value === null) return ' ';
      // A flat curve is drawn in the middle. Halves first: the difference of two huge numbers may be infinite.
      const share = high === low ? 0.5 : (value / 2 - low / 2) / (high / 2 - low / 2);
      return bars[Math.min(bars.length - 1, Math.floor(share * bars.length))];
    })
    .join('');
}

function shrink(values: readonly (number | null)[], width: number): (number | null)[] {
  return Array.from({ length: width }, (_, index) => {
    const from = Math.floor((index * values.length) / width);
    const to = Math.floor(((index + 1) * values.length) / width);
    const part = values.slice(from, to).filter((value) => value !== null);
    return part.length === 0 ? null : part.reduce((sum, value) => sum + value / part.length, 0);
  });
}
