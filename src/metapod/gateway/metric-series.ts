/** Series of a rank's metrics: their rows, made as long as there is room for them. */
import { metricLimits } from '../../common/contract/agent/metrics.ts';
import type { Transaction } from '../../common/database/queryable.ts';
import type { MetricStream } from './metric-streams.ts';

export interface Series {
  readonly id: bigint;
  readonly name: string;
  width: number;
  points: number;
  counted: number;
  gaps: number;
  low: number | null;
  high: number | null;
  lastStep: number | null;
  lastValue: number | null;
  lastAt: Date | null;
}

interface SeriesRow {
  id: bigint;
  name: string;
  width: bigint;
  points: number;
  counted: bigint;
  gaps: bigint;
  low: number | null;
  high: number | null;
  last_step: bigint | null;
  last_value: number | null;
  last_at: Date | null;
}

/** The rank's series of these names; new ones are made while the rank and its attempt have room, in their order. */
export async function addSeries(
  tx: Transaction,
  { attemptId, rank, tenant }: MetricStream,
  names: readonly string[],
): Promise<Map<string, Series>> {
  const known = await readSeries(tx, attemptId, rank);
  const fresh = names.filter((name) => !known.has(name));
  const roomOfRank = metricLimits.seriesPerRank - known.size;
  if (fresh.length === 0 || roomOfRank <= 0) return known;
  // Locked by all ranks of the attempt that add series, after each has locked its stream.
  const { rows } = await tx.query<{ series: number }>(
    'select series from metapod_metric_attempts where attempt_id = $1 for no key update',
    [attemptId],
  );
  const roomOfAttempt = metricLimits.seriesPerAttempt - (rows[0]?.series ?? metricLimits.seriesPerAttempt);
  const taken = fresh.slice(0, Math.min(roomOfRank, roomOfAttempt));
  if (taken.length === 0) return known;
  await tx.query(
    `insert into metapod_metric_series (attempt_id, rank, tenant, name)
     select $1, $2, $3, name from unnest($4::text[]) with ordinality as n (name, position) order by position`,
    [attemptId, rank, tenant, taken],
  );
  await tx.query('update metapod_metric_attempts set series = series + $2 where attempt_id = $1', [
    attemptId,
    taken.length,
  ]);
  return readSeries(tx, attemptId, rank);
}

async function readSeries(tx: Transaction, attemptId: string, rank: number): Promise<Map<string, Series>> {
  const { rows } = await tx.query<SeriesRow>(
    `select id, name, width, points, counted, gaps, low, high, last_step, last_value, last_at
     from metapod_metric_series where attempt_id = $1 and rank = $2 order by id`,
    [attemptId, rank],
  );
  return new Map(
    rows.map((row) => [
      row.name,
      {
        id: row.id,
        name: row.name,
        width: Number(row.width),
        points: row.points,
        counted: Number(row.counted),
        gaps: Number(row.gaps),
        low: row.low,
        high: row.high,
        lastStep: row.last_step === null ? null : Number(row.last_step),
        lastValue: row.last_value,
        lastAt: row.last_at,
      },
    ]),
  );
}

/** Writes back what changed of series. */
export async function saveSeries(tx: Transaction, series: readonly Series[]): Promise<void> {
  if (series.length === 0) return;
  await tx.query(
    `update metapod_metric_series s set width = n.width, points = n.points, counted = n.counted, gaps = n.gaps,
       low = n.low, high = n.high, last_step = n.last_step, last_value = n.last_value, last_at = n.last_at
     from unnest($1::bigint[], $2::bigint[], $3::int[], $4::bigint[], $5::bigint[], $6::float8[], $7::float8[],
                 $8::bigint[], $9::float8[], $10::timestamptz[])
       as n (id, width, points, counted, gaps, low, high, last_step, last_value, last_at)
     where s.id = n.id`,
    [
      series.map(({ id }) => id),
      series.map(({ width }) => width),
      series.map(({ points }) => points),
      series.map(({ counted }) => counted),
      series.map(({ gaps }) => gaps),
      series.map(({ low }) => low),
      series.map(({ high }) => high),
      series.map(({ lastStep }) => lastStep),
      series.map(({ lastValue }) => lastValue),
      series.map(({ lastAt }) => lastAt),
    ],
  );
}
