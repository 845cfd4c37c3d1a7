/** Training metrics as they are read: series of attempts with what each of them says, and their points. */
import type { Queryable } from '../../common/database/queryable.ts';
import { type Bucket, fitBuckets, widen } from '../../common/metric-buckets.ts';
import { readPoints } from './metrics.ts';

export interface MetricSeries {
  readonly id: bigint;
  readonly attemptId: string;
  readonly rank: number;
  readonly name: string;
  /** Values that came, without gaps. */
  readonly counted: number;
  readonly gaps: number;
  readonly low: number | null;
  readonly high: number | null;
  /** Of the highest step that had a value. */
  readonly last: { readonly step: number; readonly value: number; readonly at: Date } | null;
  /** Steps that one stored point covers. */
  readonly width: number;
}

export interface MetricProgress {
  readonly attemptId: string;
  readonly rank: number;
  /** Number of the next batch: grows with every change. */
  readonly revision: number;
  /** Values and lines that were not taken. */
  readonly ignored: number;
  readonly complete: boolean;
}

interface SeriesRow {
  id: bigint;
  attempt_id: string;
  rank: number;
  name: string;
  counted: bigint;
  gaps: bigint;
  low: number | null;
  high: number | null;
  last_step: bigint | null;
  last_value: number | null;
  last_at: Date | null;
  width: bigint;
}

export interface MetricFilter {
  readonly names?: readonly string[] | undefined;
  readonly rank?: number | undefined;
}

/** Series of attempts, by attempt, rank and name. */
export async function listMetricSeries(
  tx: Queryable,
  attemptIds: readonly string[],
  { names, rank }: MetricFilter = {},
): Promise<MetricSeries[]> {
  const { rows } = await tx.query<SeriesRow>(
    `select id, attempt_id, rank, name, counted, gaps, low, high, last_step, last_value, last_at, width
     from metapod_metric_series
     where attempt_id = any($1::text[]) and ($2::text[] is null or name = any($2)) and ($3::int is null or rank = $3)
     order by attempt_id, rank, name collate "C"`,
    [[...attemptIds], names === undefined ? null : [...names], rank ?? null],
  );
  return rows.map((row) => ({
    id: row.id,
    attemptId: row.attempt_id,
    rank: row.rank,
    name: row.name,
    counted: Number(row.counted),
    gaps: Number(row.gaps),
    low: row.low,
    high: row.high,
    last:
      row.last_step === null || row.last_value === null || row.last_at === null
        ? null
        : { step: Number(row.last_step), value: row.last_value, at: row.last_at },
    width: Number(row.width),
  }));
}

/** How far the ranks of attempts came; ranks without metrics are left out. */
export async function readMetricProgress(tx: Queryable, attemptIds: readonly string[]): Promise<MetricProgress[]> {
  const { rows } = await tx.query<{
    attempt_id: string;
    rank: number;
    next_batch: bigint;
    ignored: bigint;
    complete: boolean;
  }>(
    `select attempt_id, rank, next_batch, ignored, complete from metapod_metric_streams
     where attempt_id = any($1::text[]) order by attempt_id, rank`,
    [[...attemptIds]],
  );
  return rows.map((row) => ({
    attemptId: row.attempt_id,
    rank: row.rank,
    revision: Number(row.next_batch),
    ignored: Number(row.ignored),
    complete: row.complete,
  }));
}

/**
 * Points of a series by step.
 * @param most at most so many, ≥ 1; neighbours are joined until they fit
 */
export async function readMetricPoints(
  tx: Queryable,
  series: Pick<MetricSeries, 'id' | 'width'>,
  most: number,
): Promise<{ width: number; buckets: readonly Bucket[] }> {
  return fitBuckets(await readPoints(tx, series.id), series.width, most);
}

/**
 * Points of a series from the first that changed since a revision on, joined to `width` steps.
 * @param since a `revision` of the series' rank; everything that was not there then is read
 * @param width steps that a point covers; no less than the series'
 */
export async function readMetricTail(
  tx: Queryable,
  series: Pick<MetricSeries, 'id' | 'width'>,
  since: number,
  width: number,
): Promise<Bucket[]> {
  const { rows } = await tx.query<{ slot: bigint | null }>(
    'select min(slot) as slot from metapod_metric_points where series_id = $1 and batch >= $2',
    [series.id, since],
  );
  const slot = rows[0]?.slot;
  if (slot === null || slot === undefined) return [];
  const perPoint = width / series.width;
  return widen(await readPoints(tx, series.id, Math.floor(Number(slot) / perPoint) * perPoint), width);
}

/** Topic that is woken when an attempt's metrics grew. */
export const metricsTopic = (attemptId: string): string => `metrics:${attemptId}`;
