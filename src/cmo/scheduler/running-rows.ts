/**
 * What holds capacity, as rows say it: for shares, for when room comes back, and for what may be ended.
 *
 * Read by key like all else. Checkpoints and stops write no key for the scheduler, so once a minute the few columns that tell are compared
 * over all that is active, and what differs is read again.
 */
import type { NeighbourSpec } from '../../common/contract/placement.ts';
import type { StopReason } from '../../common/contract/states/job.ts';
import type { Queryable } from '../../common/database/index.ts';
import { type KeptApart, keptApartOf } from './core/neighbours/rules.ts';
import type { RunningRank } from './core/running.ts';
import { type JobTraits, traitsOf } from './job-traits.ts';

/** A job that holds something now. */
export interface RunningRow {
  readonly id: string;
  readonly tenant: string;
  readonly project: string;
  readonly priority: number;
  readonly ranks: readonly RunningRank[];
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly checkpointAt: number | null;
  readonly stopping: StopReason | null;
  readonly traits: JobTraits;
  /** Left out or null: none. */
  readonly labels?: Readonly<Record<string, string>> | null;
  /** Id of the array that it is a task of, if its tasks are spread. */
  readonly array?: string | null;
  /** As that of `RunningJob`. */
  readonly apart?: readonly KeptApart[] | undefined;
}

interface Row {
  id: string;
  tenant: string;
  project: string;
  priority: number;
  ranks: RunningRank[];
  started: number;
  checkpoint: number | null;
  stop_reason: StopReason | null;
  state: string;
  submitted_by: string;
  name: string;
  devices: number;
  cores: number;
  run_seconds: number | null;
  labels: Readonly<Record<string, string>> | null;
  array_id: string | null;
  apart: NeighbourSpec[] | null;
}

/** Reads those of the jobs that hold something. */
export async function readRunning(db: Queryable, ids: readonly string[]): Promise<RunningRow[]> {
  if (ids.length === 0) return [];
  const { rows } = await db.query<Row>(
    `select j.id, j.tenant, j.project, j.priority, j.state, j.stop_reason, cmo_submitter(j.submitted_by) as submitted_by, j.name, held.ranks,
            held.devices, held.cores, (j.spec #>> '{timeouts,run}')::float8 as run_seconds,
            nullif(j.spec -> 'labels', '{}') as labels,
            case when j.spec #> '{placement,spread}' is not null then j.array_id end as array_id,
            j.spec #> '{placement,antiAffinity}' as apart,
            (extract(epoch from a.placed_at) * 1000)::float8 as started,
            case when j.checkpoint_token = a.token then (extract(epoch from j.checkpoint_at) * 1000)::float8 end as checkpoint
     from cmo_jobs j
     join cmo_attempts a on a.job_id = j.id and a.state <> 'ended'
     join drm_allocations al on al.attempt_id = a.id and al.state <> 'released'
     cross join lateral (
       select json_agg(json_build_object('nodeId', n.node_id, 'cpuMilli', n.cpu_milli, 'memoryBytes', n.memory_bytes,
                'diskBytes', n.disk_bytes, 'devices', d.list) order by n.rank) as ranks,
              (coalesce(sum(d.milli), 0) / 1000)::float8 as devices, (sum(n.cpu_milli) / 1000)::float8 as cores
       from drm_allocation_nodes n
       cross join lateral (
         select coalesce(json_agg(json_build_object('deviceId', device_id, 'milli', milli) order by device_id), '[]') as list,
                sum(milli) as milli
         from drm_allocation_devices where allocation_id = n.allocation_id and rank = n.rank
       ) d
       where n.allocation_id = al.id
     ) held
     where j.id = any($1::text[]) and j.state in ('starting', 'running', 'stopping')`,
    [[...ids]],
  );
  return rows.map((row) => ({
    id: row.id,
    tenant: row.tenant,
    project: row.project,
    priority: row.priority,
    ranks: row.ranks,
    startedAt: row.started,
    checkpointAt: row.checkpoint,
    stopping: row.state === 'stopping' ? row.stop_reason : null,
    labels: row.labels,
    array: row.array_id,
    apart: keptApartOf(row.apart),
    traits: traitsOf({
      user: row.submitted_by,
      name: row.name,
      devices: row.devices,
      cores: row.cores,
      runSeconds: row.run_seconds,
    }),
  }));
}

/** What tells that an active job must be read again, by id. */
export async function readActive(db: Queryable): Promise<Map<string, string>> {
  const { rows } = await db.query<{ id: string; mark: string }>(
    `select id, concat_ws(' ', newest_token, stop_reason, checkpoint_at) as mark from cmo_jobs
     where state in ('starting', 'running', 'stopping')`,
  );
  return new Map(rows.map(({ id, mark }) => [id, mark]));
}

/** Whether jobs hold something now, or ended by themselves; those of which neither is true are left out. */
export async function readStates(db: Queryable, ids: readonly string[]): Promise<Map<string, 'active' | 'finished'>> {
  if (ids.length === 0) return new Map();
  const { rows } = await db.query<{ id: string; active: boolean }>(
    `select id, ended_at is null as active from cmo_jobs
     where id = any($1::text[]) and state in ('starting', 'running', 'stopping', 'succeeded', 'failed')`,
    [[...ids]],
  );
  return new Map(rows.map(({ id, active }) => [id, active ? 'active' : 'finished']));
}
