/**
 * Turns what the server measured into curves on one axis.
 *
 * Each series has points of its own; a chart needs one ascending x for all of them. Where a series has no point at an x there
 * is nothing to draw, and that is no gap: uPlot joins over `undefined` and breaks at `null`, so both are kept apart.
 */
import type { ChartData, ChartSeries } from './chart-data.ts';

export interface Curve {
  readonly label: string;
  /** Ascending; equal to the length of `values`. */
  readonly x: readonly number[];
  /** Null is a gap. */
  readonly values: readonly (number | null)[];
  readonly kind?: ChartSeries['kind'];
}

/** Joins curves on the union of their x. */
export function joinCurves(curves: readonly Curve[], unit: string, xUnit?: string): ChartData {
  const x = [...new Set(curves.flatMap((curve) => curve.x))].sort((a, b) => a - b);
  const series = curves.map((curve): ChartSeries => {
    const values = new Array<number | null>(x.length).fill(undefined as unknown as null);
    let at = 0;
    curve.x.forEach((position, index) => {
      while (x[at]! < position) at += 1;
      values[at] = curve.values[index] ?? null;
    });
    return { label: curve.label, values, ...(curve.kind !== undefined && { kind: curve.kind }) };
  });
  return { x, series, unit, xUnit };
}

/** What x is: an instant, seconds since the attempt began, or the step that the job counted. */
export type Axis = 'time' | 'elapsed' | 'step';

interface Points {
  readonly step: readonly number[];
  readonly offsetSeconds: readonly number[];
  readonly mean: readonly (number | null)[];
}

/**
 * One metric as a curve.
 * @param from instant where `offsetSeconds` count from, ISO 8601
 */
export function metricCurve(label: string, points: Points, from: string, axis: Axis): Curve {
  const base = axis === 'time' ? Date.parse(from) / 1000 : 0;
  const raw = axis === 'step' ? points.step : points.offsetSeconds.map((seconds) => base + seconds);
  // A job's clock may go back; x may not.
  const order = raw.map((_, index) => index).sort((a, b) => raw[a]! - raw[b]! || a - b);
  return {
    label,
    x: order.map((index) => raw[index]!),
    values: order.map((index) => points.mean[index] ?? null),
  };
}

/** Telemetry: where more than this many intervals are missing, the curve breaks. */
const mostMissing = 2.5;

/**
 * What a device or node measured, as a curve with its gaps.
 * @param intervalSeconds what one point covers
 */
export function telemetryCurve(
  label: string,
  series: { readonly offsetSeconds: readonly number[]; readonly mean: readonly number[] },
  place: { readonly from: string; readonly intervalSeconds: number; readonly scale: number },
): Curve {
  const base = Date.parse(place.from) / 1000;
  const x: number[] = [];
  const values: (number | null)[] = [];
  series.offsetSeconds.forEach((offset, index) => {
    const before = series.offsetSeconds[index - 1];
    if (before !== undefined && offset - before > mostMissing * place.intervalSeconds) {
      x.push(base + before + place.intervalSeconds);
      values.push(null);
    }
    x.push(base + offset);
    values.push(series.mean[index]! * place.scale);
  });
  return { label, x, values };
}

export interface TelemetryChart {
  readonly title: string;
  readonly unit: string;
  /** From the wire's unit to the one that is shown. */
  readonly scale: number;
}

/** A counter of joules as power: what was used between two points, over the time between them. */
export function powerCurve(counter: Curve): Curve {
  const x: number[] = [];
  const values: (number | null)[] = [];
  counter.x.forEach((at, index) => {
    const before = counter.values[index - 1];
    const now = counter.values[index];
    if (index === 0) return;
    const seconds = at - counter.x[index - 1]!;
    // A counter that went back began anew; what it used meanwhile is not known.
    const known = typeof before === 'number' && typeof now === 'number' && now >= before && seconds > 0;
    x.push(at);
    values.push(known ? (now - before) / seconds : null);
  });
  return { ...counter, x, values };
}

/** Charts of what devices and nodes measure, by the name of the series, in the order of the page. */
export const telemetryCharts: Readonly<Record<string, TelemetryChart>> = {
  utilizationRatio: { title: 'Device use', unit: '%', scale: 100 },
  memoryUsedBytes: { title: 'Memory used', unit: 'GiB', scale: 2 ** -30 },
  powerWatts: { title: 'Power', unit: 'W', scale: 1 },
  temperatureCelsius: { title: 'Temperature', unit: '°C', scale: 1 },
  cpuUtilizationRatio: { title: 'CPU use of the node', unit: '%', scale: 100 },
  cpuEnergyJoulesTotal: { title: 'CPU power of the node', unit: 'W', scale: 1 },
};

/** Whether a series counts up for ever, and its growth is what is shown. */
export const isCounter = (name: string): boolean => name.endsWith('JoulesTotal');

/** A series that is not in the table: title and unit from its name, which ends with the unit. */
export function chartOf(name: string): TelemetryChart {
  const known = telemetryCharts[name];
  if (known !== undefined) return known;
  const match = /^(.*?)(Ratio|Bytes|Watts|Celsius|Seconds|Mhz|BytesPerSecond)?$/.exec(name)!;
  const [unit, scale] = units[match[2] ?? ''] ?? ['', 1];
  const words = match[1]!.replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`).trim();
  return { title: words.charAt(0).toUpperCase() + words.slice(1), unit, scale };
}

const units: Readonly<Record<string, readonly [string, number]>> = {
  Ratio: ['%', 100],
  Bytes: ['GiB', 2 ** -30],
  BytesPerSecond: ['MiB/s', 2 ** -20],
  Watts: ['W', 1],
  Celsius: ['°C', 1],
  Seconds: ['s', 1],
  Mhz: ['MHz', 1],
};
