/** What devices and nodes measured, a chart for each thing measured. */
import { Chart } from './chart.tsx';
import { type Curve, chartOf, isCounter, joinCurves, powerCurve, telemetryCharts, telemetryCurve } from './curves.ts';
import classes from './telemetry-charts.module.css';

/** As `GET /v1/jobs/:id/telemetry` and `GET /v1/nodes/:id/telemetry` answer. */
export interface Telemetry {
  readonly from: string;
  readonly intervalSeconds: number;
  readonly subjects: readonly {
    readonly kind: 'node' | 'device';
    readonly name: string;
    readonly index: number | null;
    readonly rank: number | null;
    readonly series: readonly {
      readonly name: string;
      readonly offsetSeconds: readonly number[];
      readonly mean: readonly number[];
    }[];
  }[];
}

/** Most curves of one chart. */
const mostCurves = 16;

interface TelemetryChartsProps {
  readonly telemetry: Telemetry;
  /** `elapsed`: seconds since the telemetry begins. */
  readonly axis: 'time' | 'elapsed';
}

export function TelemetryCharts({ telemetry, axis }: TelemetryChartsProps) {
  return (
    <div className={classes.grid}>
      {picturesOf(telemetry, axis).map(({ key, title, unit, curves, left }) => (
        <div key={key}>
          <Chart title={title} {...joinCurves(curves, unit, axis === 'time' ? undefined : 's')} />
          {left > 0 && <p className={classes.note}>{left} more are not drawn; the pages of their nodes have them.</p>}
        </div>
      ))}
    </div>
  );
}

interface Picture {
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  readonly curves: readonly Curve[];
  /** Curves beyond the most that one chart has. */
  readonly left: number;
}

function picturesOf({ subjects, from, intervalSeconds }: Telemetry, axis: 'time' | 'elapsed'): Picture[] {
  const found = new Map<string, { kind: string; name: string; curves: Curve[] }>();
  for (const subject of subjects) {
    for (const series of subject.series) {
      const key = `${subject.kind} ${series.name}`;
      const picture = found.get(key) ?? { kind: subject.kind, name: series.name, curves: [] };
      found.set(key, picture);
      const label = subject.index === null ? subject.name : `${subject.name} ${subject.index}`;
      const ranked = subject.rank !== null && subject.rank > 0 ? `${label}, rank ${subject.rank}` : label;
      const { scale } = chartOf(series.name);
      const curve = telemetryCurve(ranked, series, { from, intervalSeconds, scale });
      const shown = isCounter(series.name) ? powerCurve(curve) : curve;
      const base = axis === 'time' ? 0 : Date.parse(from) / 1000;
      picture.curves.push({ ...shown, x: shown.x.map((at) => at - base) });
    }
  }
  const order = Object.keys(telemetryCharts);
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  return [...found]
    .sort(([, a], [, b]) => a.kind.localeCompare(b.kind) || place(a.name) - place(b.name))
    .map(([key, { kind, name, curves }]) => {
      const { title, unit } = chartOf(name);
      const isOfNode = kind === 'node' && !title.includes('node');
      return {
        key,
        title: isOfNode ? `${title} on the node` : title,
        unit,
        curves: curves.slice(0, mostCurves),
        left: Math.max(0, curves.length - mostCurves),
      };
    });
}
