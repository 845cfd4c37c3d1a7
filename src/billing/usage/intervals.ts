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

/**
 * Opens the interval of a rank that began to run, with the allocation's resources and the site's prices of now.
 * Opening it again changes nothing.
 * @param startedAt by the server's clock
 */
export async function openInterval(
  tx: Transaction,
  rank: { readonly attemptId: string; readonly rank: number },
  startedAt: Date,
): Promise<void> {
  await tx.query(
    `insert into billing_usage_intervals (id, tenant, project, job_id, attempt_id, rank, node_id, site_id, cpu_milli,
            memory_bytes, device_milli, devices, device_usd_per_hour, cpu_usd_per_hour, memory_usd_per_hour, started_at)
     select $1, job.tenant, job.project, job.id, attempt.id, held.rank, held.node_id, site.id, held.cpu_milli,
            held.memory_bytes, coalesce(device.milli, 0), coalesce(device.list, '[]'), site.device_usd_per_hour,
            site.cpu_usd_per_hour, site.memory_usd_per_hour, $4
     from cmo_attempts attempt
     join cmo_jobs job on job.id = attempt.job_id
     join drm_allocations allocation on allocation.attempt_id = attempt.id
     join drm_allocation_nodes held on held.allocation_id = allocation.id and held.rank = $3
     join drm_sites site on site.id = attempt.site_id
     left join lateral (
       select sum(share.milli) as milli,
              jsonb_agg(jsonb_build_object('deviceId', share.device_id, 'model', d.model, 'milli', share.milli)) as list
       from drm_allocation_devices share join drm_devices d on d.id = share.device_id
       where share.allocation_id = allocation.id and share.rank = held.rank
     ) device on true
     where attempt.id = $2
     on conflict (attempt_id, rank) do nothing`,
    [newId('usage'), rank.attemptId, rank.rank, startedAt],
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

/** Closes the interval of a rank. A rank that never ran has none, and a closed one stays as it is. */
export async function closeInterval(tx: Transaction, end: IntervalEnd): Promise<void> {
  const { rows } = await tx.query<{
    id: string;
    started_at: Date;
    cpu_milli: bigint;
    memory_bytes: bigint;
    device_milli: bigint;
    device_usd_per_hour: bigint;
    cpu_usd_per_hour: bigint;
    memory_usd_per_hour: bigint;
  }>(
    `select id, started_at, cpu_milli, memory_bytes, device_milli, device_usd_per_hour, cpu_usd_per_hour, memory_usd_per_hour
     from billing_usage_intervals where attempt_id = $1 and rank = $2 and ended_at is null for no key update`,
    [end.attemptId, end.rank],
  );
  const open = rows[0];
  if (!open) return;
  const endedAt = new Date(Math.max(end.endedAt.getTime(), open.started_at.getTime()));
  const cost = intervalCost(
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
  await tx.query(
    `update billing_usage_intervals
     set ended_at = $2, cost_micro_usd = $3, energy_joules = $4, energy_source = $5, cpu_seconds = $6, peak_memory_bytes = $7
     where id = $1`,
    [open.id, endedAt, cost, end.energyJoules, end.energySource, end.cpuSeconds, end.peakMemoryBytes],
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
