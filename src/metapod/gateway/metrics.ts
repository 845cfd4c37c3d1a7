/**
 * Training metrics into the database: each batch of a rank once, in bounded room.
 *
 * The row of the rank's stream says which batch comes next and is locked while it is taken, so two gateways that hold a
 * node's old and new socket cannot both take it. Points fall into slots of `width` steps (see `metric-buckets.ts`);
 * when a series has too many, it is read, joined and written anew in the same transaction, which happens at most once for
 * each doubling of a step's range. The agent is hostile input: the bounds hold whatever it sends.
 */
import { type MetricsFrame, metricLimits, type WireSeries } from '../../common/contract/agent/metrics.ts';
import type { Queryable, Transaction } from '../../common/database/queryable.ts';
import { type Bucket, fitBuckets, widen } from '../../common/metric-buckets.ts';
import { addSeries, type Series, saveSeries } from './metric-series.ts';
import { lockStreams, type MetricStream, saveStreams } from './metric-streams.ts';

export type MetricsVerdict =
  | { readonly kind: 'next'; readonly next: number; readonly position: string; readonly complete: boolean }
  | { readonly kind: 'refused' };

/**
 * Takes frames of one node, in their order.
 * @returns one verdict a frame; `refused` when that rank was not placed on this node under that token
 */
export async function appendMetrics(
  tx: Transaction,
  nodeId: string,
  frames: readonly MetricsFrame[],
): Promise<MetricsVerdict[]> {
  const streams = await lockStreams(tx, nodeId, frames);
  const verdicts: MetricsVerdict[] = [];
  for (const frame of frames) {
    const stream = streams.find(frame);
    if (stream === undefined) {
      verdicts.push({ kind: 'refused' });
      continue;
    }
    if (frame.batch !== null && frame.seq === stream.next && !stream.complete) {
      stream.ignored += frame.batch.ignored + (await takeSeries(tx, stream, frame.batch.series));
      stream.next += 1;
      stream.position = frame.batch.position;
      stream.complete = frame.batch.complete;
      stream.grown = true;
    }
    verdicts.push({ kind: 'next', next: stream.next, position: stream.position, complete: stream.complete });
  }
  await saveStreams(tx, streams.all);
  return verdicts;
}

/** @returns how many values were not taken, because there is no room for their series */
async function takeSeries(tx: Transaction, stream: MetricStream, sent: readonly WireSeries[]): Promise<number> {
  // One name comes once; a liar's second is dropped with the rest that has no room.
  const named = new Map(sent.map((series) => [series.name, series]));
  const known = await addSeries(tx, stream, [...named.keys()]);
  let ignored = 0;
  const grown: { series: Series; came: readonly Bucket[]; buckets: readonly Bucket[] }[] = [];
  for (const { name, width, points } of named.values()) {
    const series = known.get(name);
    if (series === undefined) {
      ignored += points.reduce((sum, point) => sum + point[2] + point[3], 0);
      continue;
    }
    const came = points.map(toBucket).filter((bucket) => bucket.count + bucket.gaps > 0);
    if (width > series.width) await rewrite(tx, stream, series, width);
    grown.push({ series, came, buckets: widen(came, series.width) });
  }
  await mergePoints(tx, stream, grown);
  for (const { series, came } of grown) {
    // As they came: of joined steps nobody knows the last value.
    for (const bucket of came) account(series, bucket);
    if (series.points > metricLimits.pointsPerSeries) await rewrite(tx, stream, series, series.width);
  }
  await saveSeries(
    tx,
    grown.map(({ series }) => series),
  );
  return ignored;
}

function toBucket([step, at, count, gaps, low, high, mean]: WireSeries['points'][number]): Bucket {
  // Without all three there is no value, whatever was counted.
  if (count === 0 || low === null || high === null || mean === null) {
    return { step, at, count: 0, gaps: gaps + count, low: null, high: null, mean: null };
  }
  return { step, at, count, gaps, low, high, mean };
}

/** What the series row says without its points. */
function account(series: Series, bucket: Bucket): void {
  series.counted = Math.min(Number.MAX_SAFE_INTEGER, series.counted + bucket.count);
  series.gaps = Math.min(Number.MAX_SAFE_INTEGER, series.gaps + bucket.gaps);
  if (bucket.mean === null) return;
  series.low = series.low === null ? bucket.low : Math.min(series.low, bucket.low!);
  series.high = series.high === null ? bucket.high : Math.max(series.high, bucket.high!);
  if (series.lastStep !== null && bucket.step < series.lastStep) return;
  series.lastStep = bucket.step;
  series.lastValue = bucket.mean;
  series.lastAt = new Date(bucket.at);
}

const mergeStatement = `
  with merged as (
    insert into metapod_metric_points as p (series_id, tenant, slot, step, at, counted, gaps, low, high, mean, batch)
    select series_id, $1::text, slot, step, to_timestamp(at / 1000.0), counted, gaps, low, high, mean, $2::bigint
    from unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::float8[], $7::bigint[], $8::bigint[],
                $9::float8[], $10::float8[], $11::float8[])
      as n (series_id, slot, step, at, counted, gaps, low, high, mean)
    on conflict (series_id, slot) do update set
      step = least(p.step, excluded.step), at = greatest(p.at, excluded.at),
      counted = p.counted + excluded.counted, gaps = p.gaps + excluded.gaps,
      low = least(p.low, excluded.low), high = greatest(p.high, excluded.high),
      mean = case when excluded.mean is null then p.mean when p.mean is null then excluded.mean
        else p.mean + (excluded.mean - p.mean) * (excluded.counted::float8 / (p.counted + excluded.counted)) end,
      batch = excluded.batch
    returning series_id, xmax = 0 as fresh
  )
  select series_id, count(*)::int as fresh from merged where fresh group by series_id`;

async function mergePoints(
  tx: Transaction,
  stream: MetricStream,
  grown: readonly { readonly series: Series; readonly buckets: readonly Bucket[] }[],
): Promise<void> {
  const rows = grown.flatMap(({ series, buckets }) => buckets.map((bucket) => ({ series, ...bucket })));
  if (rows.length === 0) return;
  const merged = await tx.query<{ series_id: bigint; fresh: number }>(mergeStatement, [
    stream.tenant,
    stream.next,
    rows.map(({ series }) => series.id),
    rows.map(({ series, step }) => Math.floor(step / series.width)),
    rows.map(({ step }) => step),
    rows.map(({ at }) => at),
    rows.map(({ count }) => count),
    rows.map(({ gaps }) => gaps),
    rows.map(({ low }) => low),
    rows.map(({ high }) => high),
    rows.map(({ mean }) => mean),
  ]);
  const fresh = new Map(merged.rows.map((row) => [row.series_id, row.fresh]));
  for (const { series } of grown) series.points += fresh.get(series.id) ?? 0;
}

interface PointRow {
  step: bigint;
  at: Date;
  counted: bigint;
  gaps: bigint;
  low: number | null;
  high: number | null;
  mean: number | null;
}

/** Points of a series by step, each a bucket. @param fromSlot only from this slot on, by the series' own width */
export async function readPoints(tx: Queryable, seriesId: bigint, fromSlot = 0): Promise<Bucket[]> {
  const { rows } = await tx.query<PointRow>(
    `select step, at, counted, gaps, low, high, mean from metapod_metric_points
     where series_id = $1 and slot >= $2 order by slot`,
    [seriesId, fromSlot],
  );
  return rows.map(({ step, at, counted, gaps, ...values }) => ({
    step: Number(step),
    at: at.getTime(),
    count: Number(counted),
    gaps: Number(gaps),
    ...values,
  }));
}

/** Writes a series anew with at least this width and no more points than it may have. */
async function rewrite(tx: Transaction, stream: MetricStream, series: Series, width: number): Promise<void> {
  const fitted = fitBuckets(widen(await readPoints(tx, series.id), width), width, metricLimits.pointsPerSeries);
  await tx.query('delete from metapod_metric_points where series_id = $1', [series.id]);
  series.width = fitted.width;
  series.points = 0;
  await mergePoints(tx, stream, [{ series, buckets: fitted.buckets }]);
}
