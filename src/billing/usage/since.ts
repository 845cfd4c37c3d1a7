/**
 * What a tenant spent since an instant, such as midnight, counting of each interval only the part that lies after it: a
 * training of a week costs something today, although it neither began nor ended today.
 *
 * Read by an index over ends, so it costs what ended since then and what is open, never all intervals. Above
 * `mostIntervals` it stops and says so, because it is asked for whenever somebody looks at the overview.
 */
import type { Queryable } from '../../common/database/queryable.ts';
import { type MicroUsd, microUsd } from '../../common/money.ts';
import { intervalCost, type UsageInterval } from './intervals.ts';

/** Most closed intervals, and most open ones, that are added up. */
const mostIntervals = 100_000;

export interface RecentUsage {
  readonly costMicroUsd: MicroUsd;
  /** Of what is closed; an open interval has no energy yet. */
  readonly energyJoules: number;
  /** `modelled` when any part of it was; null when there is none. */
  readonly energySource: 'measured' | 'modelled' | null;
  /** What the open intervals cost at their prices, micro-dollars an hour. */
  readonly burnMicroUsdPerHour: MicroUsd;
  /** There were more than can be added up while somebody waits: the sums are lower bounds. */
  readonly capped: boolean;
}

interface ClosedRow {
  n: number;
  cost: bigint;
  energy: number;
  measured: boolean;
  modelled: boolean;
}

/** @param from instants at or after this count. @param now for what is still open */
export async function usageSince(db: Queryable, tenant: string, from: Date, now: Date): Promise<RecentUsage> {
  const { rows } = await db.query<ClosedRow>(
    `select count(*)::int as n, coalesce(sum(round(cost_micro_usd * share)), 0)::bigint as cost,
            coalesce(sum(energy_joules * share), 0)::float8 as energy,
            coalesce(bool_or(energy_source = 'measured'), false) as measured,
            coalesce(bool_or(energy_source = 'modelled'), false) as modelled
     from (select cost_micro_usd, energy_joules, energy_source,
             case when started_at >= $2 then 1
                  else extract(epoch from ended_at - $2) / extract(epoch from ended_at - started_at) end as share
           from billing_usage_intervals where tenant = $1 and ended_at > $2 order by ended_at desc limit $3) closed`,
    [tenant, from, mostIntervals + 1],
  );
  const open = await db.query<UsageInterval>(
    `select started_at, cpu_milli, memory_bytes, device_milli, device_usd_per_hour, cpu_usd_per_hour, memory_usd_per_hour
     from billing_usage_intervals where tenant = $1 and ended_at is null limit $2`,
    [tenant, mostIntervals + 1],
  );
  const closed = rows[0]!;
  let cost = closed.cost;
  let burn = 0n;
  for (const interval of open.rows) {
    const held = {
      cpuMilli: interval.cpu_milli,
      memoryBytes: interval.memory_bytes,
      deviceMilli: interval.device_milli,
      cpuUsdPerHour: interval.cpu_usd_per_hour,
      memoryUsdPerHour: interval.memory_usd_per_hour,
      deviceUsdPerHour: interval.device_usd_per_hour,
    };
    const began = Math.max(interval.started_at.getTime(), from.getTime());
    cost += intervalCost(held, BigInt(Math.max(0, now.getTime() - began)));
    burn += intervalCost(held, 3_600_000n);
  }
  return {
    costMicroUsd: microUsd(cost),
    energyJoules: closed.energy,
    energySource: closed.modelled ? 'modelled' : closed.measured ? 'measured' : null,
    burnMicroUsdPerHour: microUsd(burn),
    capped: closed.n > mostIntervals || open.rows.length > mostIntervals,
  };
}
