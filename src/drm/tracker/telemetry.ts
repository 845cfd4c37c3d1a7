/**
 * What nodes and devices measured over a time: roll-ups of ten seconds, joined to as few points as are asked for.
 *
 * Counts and sums add up to any longer span, so means stay right; the ten seconds that are not over yet come from the
 * latest samples, so that a chart ends now and not up to ten seconds ago.
 */
import type { Queryable } from '../../common/database/queryable.ts';
import { rollupKeptHours } from './samples.ts';

/** Of the roll-ups, seconds. */
const slotSeconds = 10;

export interface TelemetrySubject {
  readonly id: string;
  readonly nodeId: string;
  readonly kind: 'node' | 'device';
  /** Name of the node, or model of the device. */
  readonly name: string;
  readonly index: number | null;
}

export interface TelemetrySeries {
  readonly name: string;
  /** Begin of each interval. */
  readonly at: readonly Date[];
  readonly mean: readonly number[];
  readonly max: readonly number[];
}

export interface Telemetry {
  /** The asked-for time, widened to whole intervals. */
  readonly from: Date;
  readonly to: Date;
  readonly intervalSeconds: number;
  readonly keptFrom: Date;
  /** By subject. */
  readonly series: ReadonlyMap<string, readonly TelemetrySeries[]>;
}

const readStatement = `
  select subject_id, name, slot, sum(count) as count, sum(total) as total, max(highest) as highest
  from (
    select r.subject_id, e.key as name, date_bin(make_interval(secs => $4), r.slot, 'epoch') as slot,
      (e.value ->> 0)::float8 as count, (e.value ->> 1)::float8 as total, (e.value ->> 2)::float8 as highest
    from (
      select subject_id, slot, data from drm_rollups where subject_id = any($1::text[]) and slot >= $2 and slot < $3
      union all
      select subject_id, slot, sums from drm_samples where subject_id = any($1::text[]) and slot >= $2 and slot < $3
    ) as r cross join jsonb_each(r.data) as e
  ) as value
  group by subject_id, name, slot having sum(count) > 0
  order by subject_id, name, slot`;

/**
 * Reads what subjects measured between two instants.
 * @param most points of a series at most, ≥ 1
 */
export async function readTelemetry(
  tx: Queryable,
  subjectIds: readonly string[],
  span: { readonly from: Date; readonly to: Date },
  most: number,
): Promise<Telemetry> {
  const seconds = Math.max(0, (span.to.getTime() - span.from.getTime()) / 1000);
  const intervalSeconds = slotSeconds * Math.max(1, Math.ceil(seconds / most / slotSeconds));
  const step = intervalSeconds * 1000;
  const from = new Date(Math.floor(span.from.getTime() / step) * step);
  // A span of no length has one interval.
  const to = new Date(Math.max(Math.ceil(span.to.getTime() / step) * step, from.getTime() + step));
  const { rows } = await tx.query<{
    subject_id: string;
    name: string;
    slot: Date;
    count: number;
    total: number;
    highest: number;
  }>(readStatement, [[...subjectIds], from, to, intervalSeconds]);
  const series = new Map<string, { name: string; at: Date[]; mean: number[]; max: number[] }[]>();
  for (const row of rows) {
    const of = series.get(row.subject_id) ?? [];
    series.set(row.subject_id, of);
    let last = of.at(-1);
    if (last?.name !== row.name) {
      last = { name: row.name, at: [], mean: [], max: [] };
      of.push(last);
    }
    last.at.push(row.slot);
    last.mean.push(row.total / row.count);
    last.max.push(row.highest);
  }
  const keptFrom = new Date(Date.now() - rollupKeptHours * 3_600_000);
  return { from, to, intervalSeconds, keptFrom, series };
}

/** Who they are, as people call them; those that do not exist are left out. Nodes come before their devices. */
export async function telemetrySubjects(tx: Queryable, ids: readonly string[]): Promise<TelemetrySubject[]> {
  const { rows } = await tx.query<TelemetrySubject>(
    `select id, id as "nodeId", 'node' as kind, name, null::int as index from drm_nodes where id = any($1::text[])
     union all
     select id, node_id, 'device', model, local_index from drm_devices where id = any($1::text[])
     order by 2, kind desc, index, id`,
    [[...ids]],
  );
  return rows;
}
