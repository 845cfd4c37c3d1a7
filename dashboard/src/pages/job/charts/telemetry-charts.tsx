/** What the devices and nodes of a job measured while it had them. */
import { useQuery } from '@tanstack/react-query';
import type { JobDetail, Output } from '../../../api/contract.ts';
import { read } from '../../../api/queries.ts';
import { Chart } from '../../../ui/chart.tsx';
import { Panel } from '../../../ui/panel.tsx';
import { Time } from '../../../ui/time.tsx';
import classes from './charts.module.css';
import { type Curve, chartOf, isCounter, joinCurves, powerCurve, telemetryCharts, telemetryCurve } from './curves.ts';

type Telemetry = Output<'GET /v1/jobs/:id/telemetry'>;
type Attempt = JobDetail['attempts'][number];

/** Most curves of one chart; a gang of hundreds of devices has a fleet page for itself. */
const mostCurves = 16;

interface DeviceChartsProps {
  readonly job: JobDetail;
  readonly attempt: Attempt;
  readonly axis: 'time' | 'elapsed';
}

export function DeviceCharts({ job, attempt, axis }: DeviceChartsProps) {
  const query = useQuery({
    ...read('GET /v1/jobs/:id/telemetry', { params: { id: job.id }, query: { attempt: attempt.number } }),
    refetchInterval: attempt.endedAt === null ? 5_000 : false,
  });
  const { data } = query;
  const isCut = data !== undefined && Date.parse(data.keptFrom) > Date.parse(attempt.placedAt);
  return (
    <Panel
      title="Devices and nodes"
      query={query}
      isEmpty={({ subjects }) => subjects.every(({ series }) => series.length === 0)}
      empty={{
        why: isCut
          ? 'What was measured meanwhile has been deleted for its age.'
          : 'Nothing was measured yet. Nodes send a sample every few seconds while they work.',
      }}
      partial={
        isCut ? (
          <>
            Samples older than <Time at={data.keptFrom} /> have been deleted.
          </>
        ) : null
      }
    >
      {(telemetry) => (
        <div className={classes.grid}>
          {chartsOf(telemetry, axis).map(({ key, title, unit, curves, left }) => (
            <div key={key}>
              <Chart title={title} {...joinCurves(curves, unit, axis === 'time' ? undefined : 's')} />
              {left > 0 && <p className={classes.note}>{left} more are not drawn; their node’s page has them.</p>}
            </div>
          ))}
        </div>
      )}
    </Panel>
  );
}

interface TelemetryPicture {
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  readonly curves: readonly Curve[];
  /** Curves beyond the most that one chart has. */
  readonly left: number;
}

function chartsOf({ subjects, from, intervalSeconds }: Telemetry, axis: 'time' | 'elapsed'): TelemetryPicture[] {
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
  const rank = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  return [...found]
    .sort(([, a], [, b]) => a.kind.localeCompare(b.kind) || rank(a.name) - rank(b.name))
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
