/** What a chart shows, apart from how it is drawn: its table twin and its spoken summary come from the same data. */
import { formatInstant, formatNumber, type Zone } from './format.ts';

export interface ChartSeries {
  readonly label: string;
  /** Value at each x; null is a gap, undefined is nothing measured here: the curve goes on to the next value. */
  readonly values: readonly (number | null | undefined)[];
  /** Index of its colour, 1–6; default: by its place. */
  readonly color?: 1 | 2 | 3 | 4 | 5 | 6;
  /** What the values are worth: forecasts are dashed; estimated and replayed ones are hatched and named. */
  readonly kind?: 'measured' | 'forecast' | 'estimated' | 'replayed';
}

export interface ChartData {
  /** Ascending: seconds since 1970, or numbers of `xUnit`. */
  readonly x: readonly number[];
  readonly series: readonly ChartSeries[];
  /** Unit of the values, like `W` or `%`; empty for pure numbers. */
  readonly unit: string;
  /** What x counts when it is no time, like `step`. */
  readonly xUnit?: string | undefined;
}

/** Label of a series with what it is worth. */
export const seriesLabel = ({ label, kind }: ChartSeries): string =>
  kind === undefined || kind === 'measured' ? label : `${label} (${kind})`;

export const formatX = (x: number, xUnit: string | undefined, zone: Zone): string =>
  xUnit === undefined ? formatInstant(x * 1000, zone) : formatNumber(x);

export const formatValue = (value: number | null | undefined, unit: string): string =>
  value === null || value === undefined ? '–' : `${formatNumber(value)}${unit === '' ? '' : `\u2009${unit}`}`;

export interface ChartRow {
  readonly x: number;
  readonly values: readonly (number | null)[];
}

/** Rows of the table twin: all of them, or at most `limit` evenly taken ones, always with the last. */
export function chartRows({ x, series }: ChartData, limit: number): ChartRow[] {
  const step = Math.max(1, Math.ceil(x.length / limit));
  const rows: ChartRow[] = [];
  for (let i = (x.length - 1) % step; i < x.length; i += step) {
    if (i >= 0) rows.push({ x: x[i]!, values: series.map(({ values }) => values[i] ?? null) });
  }
  return rows;
}

/** One sentence for those who cannot see the curve. */
export function summarize(title: string, { x, series, unit }: ChartData): string {
  const parts = series.map((one) => {
    const known = one.values.filter((value): value is number => typeof value === 'number');
    if (known.length === 0) return `${seriesLabel(one)}: no values`;
    const [low, high] = [Math.min(...sampled(known)), Math.max(...sampled(known))];
    const range = `${formatValue(low, unit)} to ${formatValue(high, unit)}`;
    return `${seriesLabel(one)}: last ${formatValue(known.at(-1), unit)}, ${range}`;
  });
  return x.length === 0 ? `${title}: no values yet.` : `${title}. ${parts.join('; ')}.`;
}

/** `Math.min(...list)` takes no list of any length. */
const sampled = (values: readonly number[]): readonly number[] =>
  values.length <= 50_000 ? values : values.filter((_, index) => index % Math.ceil(values.length / 50_000) === 0);
