/**
 * Opens, closes and sums usage intervals. The caller's transaction also records the rank's start or end, so that usage
 * and state can never disagree.
 */
import type { Queryable, Transaction } from '../../common/database/queryable.ts';
import { newId } from '../../common/ids.ts';
import { costOf, divideHalfUp, type MicroUsd, microUsd } from '../../common/money.ts';

const bytesPerGib = 2n ** 30n;
const msPerHour = 3_600_000n;

/** What was held over the interval, and at which prices (micro-dollars an hour). */
export interface HeldResources {
  readonly cpuMilli: bigint;
  readonly memoryBytes: bigint;
  /** Thousandths of whole devices, summed. */
  readonly deviceMilli: bigint;
  readonly cpuUsdPerHour: bigint;
  readonly memoryUsdPerHour: bigint;
  readonly deviceUsdPerHour: bigint;
}

/**
 * Cost of holding resources: devices, cores and GiB of memory, each × price × time and each rounded once, half up. So the
 * parts of an interval that is split in n differ from the whole by at most 1.5 × (n + 1) micro-dollars.
 * @param durationMs milliseconds ≥ 0
 */
export function intervalCost(held: HeldResources, durationMs: bigint): MicroUsd {
  return microUsd(
    costOf(held.deviceUsdPerHour, durationMs, held.deviceMilli) +
      costOf(held.cpuUsdPerHour, durationMs, held.cpuMilli) +
      divideHalfUp(held.memoryUsdPerHour * durationMs * held.memoryBytes, msPerHour * bytesPerGib),
  );
}

export interface IntervalStart {
  readonly attemptId: string;
  readonly rank: number;
  /** By the server's clock. */
  readonly startedAt: Date;
}

/**
 * Opens the intervals of ranks that began to run, with the allocation's resources and the site's prices of now.
 * Opening one again changes nothing.
 */
export async function openIntervals(tx: Transaction, starts: readonly IntervalStart[]): Promise<void> {
  if (starts.length === 0) return;
  await tx.query(
    `insert into billing_usage_intervals (id, tenant, project, job_id, attempt_id, rank, node_id, site_id, cpu_milli,
            memory_bytes, device_milli, devices, device_usd_per_hour, cpu_usd_per_hour, memory_usd_per_hour, started_at)
     select began.id, job.tenant, job.project, job.id, attempt.id, held.rank, held.node_id, site.id, held.cpu_milli,
            held.memory_bytes, coalesce(device.milli, 0), coalesce(device.list, '[]'), site.device_usd_per_hour,
            site.cpu_usd_per_hour, site.memory_usd_per_hour, began.at
     from unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[]) as began (id, attempt_id, rank, at)
     join cmo_attempts attempt on attempt.id = began.attempt_id
     join cmo_jobs job on job.id = attempt.job_id
     join drm_allocations allocation on allocation.attempt_id = attempt.id
     join drm_allocation_nodes held on held.allocation_id = allocation.id and held.rank = began.rank
     join drm_sites site on site.id = attempt.site_id
     left join lateral (
       select sum(share.milli) as milli,
              jsonb_agg(jsonb_build_object('deviceId', share.device_id, 'model', d.model, 'milli', share.milli)) as list
       from drm_allocation_devices share join drm_devices d on d.id = share.device_id
       where share.allocation_id = allocation.id and share.rank = held.rank
     ) device on true
     on conflict (attempt_id, rank) do nothing`,
    [
      starts.map(() => newId('usage')),
      starts.map(({ attemptId }) => attemptId),
      starts.map(({ rank }) => rank),
      starts.map(({ startedAt }) => startedAt),
    ],
  );
}

export interface IntervalEnd {
  readonly attemptId: string;
  readonly rank: number;
  readonly endedAt: Date;
  readonly energyJoules: number | null;
  readonly energySource: 'measured' | 'modelled' | null;
  readonly cpuSeconds: number | null;
  readonly peakMemoryBytes: number | null;
}

/** An open interval, as far as its cost goes. */
interface OpenRow {
  id: string;
  attempt_id: string;
  rank: number;
  started_at: Date;
  cpu_milli: bigint;
  memory_bytes: bigint;
  device_milli: bigint;
  device_usd_per_hour: bigint;
  cpu_usd_per_hour: bigint;
  memory_usd_per_hour: bigint;
}

/** Closes the intervals of ranks. A rank that never ran has none, and a closed one stays as it is. @param ends each of another rank */
export async function closeIntervals(tx: Transaction, ends: readonly IntervalEnd[]): Promise<void> {
  if (ends.length === 0) return;
  const { rows } = await tx.query<OpenRow>(
    `select id, attempt_id, rank, started_at, cpu_milli, memory_bytes, device_milli, device_usd_per_hour, cpu_usd_per_hour,
            memory_usd_per_hour
     from billing_usage_intervals where attempt_id = any($1::text[]) and ended_at is null order by id for no key update`,
    [[...new Set(ends.map(({ attemptId }) => attemptId))]],
  );
  const endOf = new Map(ends.map((end) => [`${end.attemptId}/${end.rank}`, end]));
  const closed = rows.flatMap((open) => {
    const end = endOf.get(`${open.attempt_id}/${open.rank}`);
    if (end === undefined) return [];
    const endedAt = new Date(Math.max(end.endedAt.getTime(), open.started_at.getTime()));
    return [{ ...end, id: open.id, endedAt, cost: costUntil(open, endedAt) }];
  });
  if (closed.length === 0) return;
  await tx.query(
    `update billing_usage_intervals u
     set ended_at = v.ended_at, cost_micro_usd = v.cost, energy_joules = v.joules, energy_source = v.source,
         cpu_seconds = v.cpu_seconds, peak_memory_bytes = v.peak
     from unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::float8[], $5::text[], $6::float8[], $7::bigint[])
       as v (id, ended_at, cost, joules, source, cpu_seconds, peak)
     where u.id = v.id`,
    [
      closed.map(({ id }) => id),
      closed.map(({ endedAt }) => endedAt),
      closed.map(({ cost }) => cost),
      closed.map(({ energyJoules }) => energyJoules),
      closed.map(({ energySource }) => energySource),
      closed.map(({ cpuSeconds }) => cpuSeconds),
      closed.map(({ peakMemoryBytes }) => peakMemoryBytes),
    ],
  );
}

function costUntil(open: OpenRow, endedAt: Date): MicroUsd {
  return intervalCost(
    {
      cpuMilli: open.cpu_milli,
      memoryBytes: open.memory_bytes,
      deviceMilli: open.device_milli,
      cpuUsdPerHour: open.cpu_usd_per_hour,
      memoryUsdPerHour: open.memory_usd_per_hour,
      deviceUsdPerHour: open.device_usd_per_hour,
    },
    BigInt(endedAt.getTime() - open.started_at.getTime()),
  );
}

/** Sums of intervals; what is still open counts with its cost up to now and no energy. */
export interface UsageSum {
  readonly intervals: number;
  readonly open: number;
  readonly runSeconds: number;
  readonly deviceSeconds: number;
  readonly cpuSeconds: number;
  readonly energyJoules: number;
  /** `modelled` when any part of the energy was modelled. */
  readonly energySource: 'measured' | 'modelled' | null;
  readonly costMicroUsd: MicroUsd;
}

interface IntervalRow {
  attempt_id: string;
  rank: number;
  node_id: string;
  site_id: string;
  cpu_milli: bigint;
  memory_bytes: bigint;
  device_milli: bigint;
  devices: { deviceId: string; model: string; milli: number }[];
  device_usd_per_hour: bigint;
  cpu_usd_per_hour: bigint;
  memory_usd_per_hour: bigint;
  started_at: Date;
  ended_at: Date | null;
  energy_joules: number | null;
  energy_source: 'measured' | 'modelled' | null;
  cpu_seconds: number | null;
  peak_memory_bytes: bigint | null;
  cost_micro_usd: bigint | null;
}
export type UsageInterval = IntervalRow;

/** Intervals of a job in the order of their start. */
export async function jobIntervals(db: Queryable, jobId: string): Promise<UsageInterval[]> {
  const { rows } = await db.query<IntervalRow>(
    'select * from billing_usage_intervals where job_id = $1 order by started_at, attempt_id, rank',
    [jobId],
  );
  return rows;
}

/** Sums intervals. @param now for those still open */
export function sumUsage(intervals: readonly UsageInterval[], now: Date): UsageSum {
  let runSeconds = 0;
  let deviceSeconds = 0;
  let cpuSeconds = 0;
  let energyJoules = 0;
  let energySource: UsageSum['energySource'] = null;
  let cost = 0n;
  let open = 0;
  for (const interval of intervals) {
    const endedAt = interval.ended_at ?? now;
    const ms = Math.max(0, endedAt.getTime() - interval.started_at.getTime());
    if (interval.ended_at === null) open += 1;
    runSeconds += ms / 1000;
    deviceSeconds += ((ms / 1000) * Number(interval.device_milli)) / 1000;
    cpuSeconds += interval.cpu_seconds ?? 0;
    energyJoules += interval.energy_joules ?? 0;
    if (interval.energy_source === 'modelled') energySource = 'modelled';
    else energySource ??= interval.energy_source;
    cost += interval.cost_micro_usd ?? costSoFar(interval, BigInt(ms));
  }
  return {
    intervals: intervals.length,
    open,
    runSeconds,
    deviceSeconds,
    cpuSeconds,
    energyJoules,
    energySource,
    costMicroUsd: microUsd(cost),
  };
}

function costSoFar(interval: IntervalRow, durationMs: bigint): bigint {
  return intervalCost(
    {
      cpuMilli: interval.cpu_milli,
      memoryBytes: interval.memory_bytes,
      deviceMilli: interval.device_milli,
      cpuUsdPerHour: interval.cpu_usd_per_hour,
      memoryUsdPerHour: interval.memory_usd_per_hour,
      deviceUsdPerHour: interval.device_usd_per_hour,
    },
    durationMs,
  );
}
