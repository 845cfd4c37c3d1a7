/** Training metrics of jobs: of one attempt, or one metric of many. Row-level security decides whose they are. */
import type { JobMetrics, MetricSeries as WireSeries } from '../../../common/contract/routes/metrics.ts';
import { type Queryable, type Tx, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import type { Handlers } from '../../../common/http/index.ts';
import type { Bucket } from '../../../common/metric-buckets.ts';
import {
  listMetricSeries,
  type MetricFilter,
  type MetricProgress,
  type MetricSeries,
  readMetricPoints,
  readMetricProgress,
} from '../../../metapod/gateway/index.ts';
import { type AttemptRow, listAttempts } from '../../jobs/index.ts';
import type { ApiDeps } from '../deps.ts';
import { mustGetJob } from '../jobs/read.ts';
import { iso } from '../wire.ts';

/** One picture of several statements. */
const picture = { isolation: 'repeatable read', readOnly: true } as const;
const mostJobs = 16;
/** Attempts of one job that are compared: the newest ones. */
const mostAttempts = 16;

export function metricHandlers({ db }: ApiDeps): Handlers<'getJobMetrics' | 'compareMetrics'> {
  return {
    getJobMetrics: ({ principal, params, query }) =>
      withTenant(db, principal.tenant.id, (tx) => readJobMetrics(tx, params.id, query), picture),

    compareMetrics: ({ principal, query }) =>
      withTenant(
        db,
        principal.tenant.id,
        async (tx) => {
          const ids = [...new Set(query.job)];
          if (ids.length === 0 || ids.length > mostJobs) {
            const message = `name 1 to ${mostJobs} jobs`;
            throw new SolyxError('invalid_query', { issues: [{ at: '/job', message }] });
          }
          const items = [];
          for (const jobId of ids) {
            const job = await mustGetJob(tx, jobId);
            const attempts = (await listAttempts(tx, jobId)).slice(query.attempts === 'newest' ? -1 : -mostAttempts);
            const filter = { names: [query.name], rank: query.rank };
            const found = await listMetricSeries(
              tx,
              attempts.map(({ id }) => id),
              filter,
            );
            for (const attempt of attempts) {
              const series = found.find(({ attemptId }) => attemptId === attempt.id);
              if (series === undefined) continue;
              const from = originOf(attempt);
              items.push({
                job: { id: job.id, name: job.name },
                attempt: attempt.number,
                from: iso(from),
                series: await toWireSeries(tx, series, from, query.resolution),
              });
            }
          }
          return { name: query.name, items };
        },
        picture,
      ),
  };
}

export interface MetricsQuery {
  /** Number; undefined: the newest. */
  readonly attempt?: number | undefined;
  readonly rank?: number | undefined;
  readonly name?: readonly string[] | undefined;
  /** Most points of a series, ≥ 1. */
  readonly resolution: number;
}

/** Metrics of an attempt of a job, in a transaction of its tenant. @throws not_found */
export async function readJobMetrics(tx: Tx, jobId: string, query: MetricsQuery): Promise<JobMetrics> {
  const attempt = await findAttempt(tx, jobId, query.attempt);
  if (attempt === undefined) {
    return { attempt: null, from: null, revision: 0, complete: false, ignored: 0, series: [] };
  }
  const filter: MetricFilter = { names: query.name, rank: query.rank };
  const progress = await readMetricProgress(tx, [attempt.id]);
  const from = originOf(attempt);
  const series: WireSeries[] = [];
  for (const one of await listMetricSeries(tx, [attempt.id], filter)) {
    series.push(await toWireSeries(tx, one, from, query.resolution));
  }
  return { ...toFields(attempt, progress), series };
}

/** What is said of an attempt's metrics beside the series. */
export function toFields(attempt: AttemptRow, progress: readonly MetricProgress[]): Omit<JobMetrics, 'series'> {
  return {
    attempt: attempt.number,
    from: iso(originOf(attempt)),
    revision: progress.reduce((sum, { revision }) => sum + revision, 0),
    complete: attempt.state === 'ended' && progress.every(({ complete }) => complete),
    ignored: progress.reduce((sum, { ignored }) => sum + ignored, 0),
  };
}

/** The attempt of this number, or the newest; undefined before the first. @throws not_found */
export async function findAttempt(tx: Queryable, jobId: string, number?: number): Promise<AttemptRow | undefined> {
  await mustGetJob(tx, jobId);
  const attempts = await listAttempts(tx, jobId);
  if (number === undefined) return attempts.at(-1);
  const found = attempts.find((attempt) => attempt.number === number);
  if (found === undefined) throw new SolyxError('not_found', `The job has no attempt ${number}.`);
  return found;
}

/** Where the times of an attempt's curves count from. */
export const originOf = (attempt: AttemptRow): Date => attempt.running_at ?? attempt.placed_at;

/** A series with its points. @param most points at most */
export async function toWireSeries(tx: Queryable, series: MetricSeries, from: Date, most: number): Promise<WireSeries> {
  const { width, buckets } = await readMetricPoints(tx, series, most);
  return {
    ...toHead(series, width),
    points: {
      step: buckets.map(({ step }) => step),
      offsetSeconds: buckets.map((bucket) => offsetOf(bucket, from)),
      mean: buckets.map(({ mean }) => mean),
      min: buckets.map(({ low }) => low),
      max: buckets.map(({ high }) => high),
    },
  };
}

export const offsetOf = (bucket: Bucket, from: Date): number => (bucket.at - from.getTime()) / 1000;

/** What is said of a series beside its points. */
export function toHead(series: MetricSeries, stepsPerPoint: number): Omit<WireSeries, 'points'> {
  const { name, rank, counted, gaps, low, high, last } = series;
  return {
    name,
    rank,
    values: counted,
    gaps,
    min: low,
    max: high,
    last: last === null ? null : { step: last.step, value: last.value, at: iso(last.at) },
    stepsPerPoint,
  };
}
