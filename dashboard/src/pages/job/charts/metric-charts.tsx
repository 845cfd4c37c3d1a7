/** Training metrics: every series that the job writes, or the same series of several jobs and attempts over each other. */
import { useQueries, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { JobDetail, Output } from '../../../api/contract.ts';
import { read } from '../../../api/queries.ts';
import { useLive } from '../../../live/hooks.ts';
import { Chart } from '../../../ui/chart.tsx';
import { type Axis, joinCurves, metricCurve } from '../../../ui/curves.ts';
import { formatNumber } from '../../../ui/format.ts';
import { Panel } from '../../../ui/panel.tsx';
import { isFinal, useRefreshMs } from '../use-job.ts';
import classes from './charts.module.css';
import { patchMetrics } from './patch-metrics.ts';

type JobMetrics = Output<'GET /v1/jobs/:id/metrics'>;

const axisUnit = (axis: Axis): string | undefined => (axis === 'time' ? undefined : axis === 'step' ? 'step' : 's');

const empty = {
  why: 'The job writes no metrics. One JSON object a line is enough, in the file that $SOLYX_METRICS names:',
  action: <code>{`echo '{"step": 1, "loss": 2.5}' >> "$SOLYX_METRICS"`}</code>,
};

/** Losses first: they are what people come for. */
const byInterest = (a: string, b: string): number =>
  Number(/loss/i.test(b)) - Number(/loss/i.test(a)) || a.localeCompare(b);

/** Points of a series; the live topic is asked for as many, or its points would not fit into what is held. */
const resolution = 500;

/** Metrics of an attempt, live while it runs. */
function useMetrics(job: JobDetail, attempt: number) {
  const cache = useQueryClient();
  const options = read('GET /v1/jobs/:id/metrics', { params: { id: job.id }, query: { attempt, resolution } });
  const known = cache.getQueryData(options.queryKey);
  const changes = !isFinal(job) || known?.complete !== true;
  useLive(
    changes ? `job/${job.id}/metrics` : null,
    { attempt, resolution },
    {
      onSnapshot: (metrics) => cache.setQueryData(options.queryKey, metrics as JobMetrics),
      onDelta: (delta) => cache.setQueryData(options.queryKey, (held) => held && patchMetrics(held, delta)),
    },
  );
  return useQuery({ ...options, refetchInterval: useRefreshMs(changes) });
}

export function TrainingMetrics({
  job,
  attempt,
  axis,
}: {
  readonly job: JobDetail;
  readonly attempt: number;
  readonly axis: Axis;
}) {
  const query = useMetrics(job, attempt);
  const ignored = query.data?.ignored ?? 0;
  return (
    <Panel
      title="Training metrics"
      query={query}
      isEmpty={({ series }) => series.length === 0}
      empty={empty}
      partial={
        ignored > 0 ? `${formatNumber(ignored)} values were not taken: no numbers, or more series than are kept.` : null
      }
    >
      {({ series, from }) => {
        const byName = Map.groupBy(series, ({ name }) => name);
        const ranks = new Set(series.map(({ rank }) => rank)).size;
        return (
          <div className={classes.grid}>
            {[...byName]
              .sort(([a], [b]) => byInterest(a, b))
              .map(([name, ofName]) => {
                const curves = ofName.map((one) =>
                  metricCurve(ranks > 1 ? `rank ${one.rank}` : name, one.points, from ?? job.submittedAt, axis),
                );
                return <Chart key={name} title={name} fromZero={false} {...joinCurves(curves, '', axisUnit(axis))} />;
              })}
          </div>
        );
      }}
    </Panel>
  );
}

interface ComparedProps {
  readonly job: JobDetail;
  readonly others: readonly string[];
  /** All attempts of each job instead of its newest. */
  readonly all: boolean;
  readonly axis: Axis;
}

/** One chart a metric of this job, with the curves of the others in it. */
export function ComparedMetrics({ job, others, all, axis }: ComparedProps) {
  const query = useMetrics(job, job.attempts.at(-1)!.number);
  const names = useMemo(
    () => [...new Set(query.data?.series.map(({ name }) => name) ?? [])].sort(byInterest),
    [query.data],
  );
  return (
    <Panel title="Training metrics, compared" query={query} isEmpty={({ series }) => series.length === 0} empty={empty}>
      {() => <ComparedCharts job={job} others={others} all={all} axis={axis} names={names} />}
    </Panel>
  );
}

function ComparedCharts({ job, others, all, axis, names }: ComparedProps & { readonly names: readonly string[] }) {
  const queries = useQueries({
    queries: names.map((name) => ({
      ...read('GET /v1/metrics/compare', {
        query: { job: [job.id, ...others], name, attempts: all ? ('all' as const) : ('newest' as const) },
      }),
      refetchInterval: isFinal(job) ? (false as const) : 4_000,
    })),
  });
  return (
    <div className={classes.grid}>
      {queries.map((query, index) => (
        <Panel bare key={names[index]} query={query} isEmpty={({ items }) => items.length === 0}>
          {({ name, items }) => {
            const curves = items.map((item) => metricCurve(labelOf(item, all), item.series.points, item.from, axis));
            return <Chart title={name} fromZero={false} {...joinCurves(curves, '', axisUnit(axis))} />;
          }}
        </Panel>
      ))}
    </div>
  );
}

type Compared = Output<'GET /v1/metrics/compare'>['items'][number];

/** Names need not be unique, so the end of the id tells them apart. */
const labelOf = ({ job, attempt }: Compared, all: boolean): string =>
  `${job.name} …${job.id.slice(-4)}${all ? `, attempt ${attempt}` : ''}`;
