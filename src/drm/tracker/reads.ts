/** Nodes and devices as people see them, with their latest samples. Lists are paged by id. */
import type { IsolationLevel, NodeHealth, NodePresence, NodeScheduling } from '../../common/contract/states/node.ts';
import type { Queryable } from '../../common/database/queryable.ts';
import { SolyxError } from '../../common/errors/index.ts';
import type { Amounts, DeviceKind, HealthReason } from '../allocator/index.ts';

export interface Sample {
  readonly at: Date;
  readonly data: Readonly<Record<string, number>>;
}

export interface Device {
  readonly id: string;
  readonly nodeId: string;
  readonly parentId: string | null;
  readonly kind: DeviceKind;
  readonly vendor: string;
  readonly model: string;
  readonly index: number;
  readonly uuid: string;
  readonly memoryBytes: number;
  readonly driver: string | null;
  readonly health: NodeHealth;
  /** Capacity and what of it is given, thousandths. */
  readonly milli: number;
  readonly usedMilli: number;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly sample: Sample | null;
}

export interface Node {
  readonly id: string;
  readonly name: string;
  readonly site: { readonly id: string; readonly name: string };
  readonly backend: string;
  readonly presence: NodePresence;
  readonly scheduling: NodeScheduling;
  readonly health: NodeHealth;
  readonly healthReasons: readonly HealthReason[];
  readonly isolation: readonly IsolationLevel[];
  readonly hostNetwork: boolean;
  readonly capacity: Amounts;
  readonly used: Amounts;
  readonly labels: Readonly<Record<string, string>>;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly lastHeartbeatAt: Date | null;
  readonly sample: Sample | null;
  /** Devices that are there or held. */
  readonly deviceCount: number;
  readonly joinedAt: Date;
  readonly updatedAt: Date;
  readonly revision: bigint;
}

type WithSample<T> = Omit<T, 'sample'> & { readonly sampledAt: Date | null; readonly data: Sample['data'] | null };

const nodesStatement = `
  select n.id, n.name, jsonb_build_object('id', s.id, 'name', s.name) as site, n.backend, n.presence, n.scheduling, n.health,
    n.health_reasons as "healthReasons", n.isolation, n.host_network as "hostNetwork",
    jsonb_build_object('cpuMilli', n.cpu_milli, 'memoryBytes', n.memory_bytes, 'diskBytes', n.disk_bytes) as capacity,
    jsonb_build_object('cpuMilli', n.used_cpu_milli, 'memoryBytes', n.used_memory_bytes,
                       'diskBytes', n.used_disk_bytes) as used,
    n.labels, n.facts, h.last_acked_at as "lastHeartbeatAt", sample.at as "sampledAt", sample.data,
    (select count(*)::int from drm_devices d where d.node_id = n.id and d.milli > 0) as "deviceCount",
    n.joined_at as "joinedAt", n.updated_at as "updatedAt", n.revision
  from drm_nodes n join drm_sites s on s.id = n.site_id
  left join drm_heartbeats h on h.node_id = n.id
  left join drm_samples sample on sample.subject_id = n.id`;

const devicesStatement = `
  select d.id, d.node_id as "nodeId", d.parent_id as "parentId", d.kind, d.vendor, d.model, d.local_index as index, d.uuid,
    d.memory_bytes::float8 as "memoryBytes", d.driver, d.health, d.milli, d.used_milli as "usedMilli", d.facts,
    sample.at as "sampledAt", sample.data
  from drm_devices d join drm_nodes n on n.id = d.node_id
  left join drm_samples sample on sample.subject_id = d.id`;

/** A device that is neither reported, nor held, nor the parent of one that is, is history. */
const present = `(d.observed_milli > 0 or d.used_milli > 0
  or exists (select from drm_devices slice where slice.parent_id = d.id and slice.observed_milli > 0))`;

function withSample<T>(row: WithSample<T>): T {
  const { sampledAt, data, ...rest } = row;
  return { ...rest, sample: sampledAt && data ? { at: sampledAt, data } : null } as T;
}

export interface NodeFilter {
  readonly siteId?: string | undefined;
  /** Removed nodes come only when asked for. */
  readonly presence?: NodePresence | undefined;
  /** Only these. */
  readonly ids?: readonly string[] | undefined;
  /** Only ids above this one. */
  readonly after?: string | undefined;
  /** Most rows, > 0; default 100. */
  readonly limit?: number | undefined;
}

export async function listNodes(tx: Queryable, filter: NodeFilter = {}): Promise<Node[]> {
  const { rows } = await tx.query<WithSample<Node>>(
    `${nodesStatement}
     where n.id > $1 and ($2::text is null or n.site_id = $2)
       and case when $3::text is null then n.presence <> 'removed' else n.presence = $3 end
       and ($5::text[] is null or n.id = any($5))
     order by n.id limit $4`,
    [filter.after ?? '', filter.siteId ?? null, filter.presence ?? null, filter.limit ?? 100, filter.ids ?? null],
  );
  return rows.map((row) => withSample(row));
}

/** @throws SolyxError `not_found` */
export async function getNode(tx: Queryable, id: string): Promise<Node & { readonly devices: readonly Device[] }> {
  const { rows } = await tx.query<WithSample<Node>>(`${nodesStatement} where n.id = $1`, [id]);
  if (!rows[0]) throw new SolyxError('not_found', { detail: `There is no node ${id}.` });
  const devices = await tx.query<WithSample<Device>>(
    `${devicesStatement} where d.node_id = $1 and ${present} order by d.local_index, d.id`,
    [id],
  );
  return { ...withSample(rows[0]), devices: devices.rows.map((row) => withSample(row)) };
}

export interface DeviceFilter {
  readonly nodeId?: string | undefined;
  /** Only of these nodes. */
  readonly nodeIds?: readonly string[] | undefined;
  readonly kind?: DeviceKind | undefined;
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
}

/** Devices of nodes that were not removed, by id. */
export async function listDevices(tx: Queryable, filter: DeviceFilter = {}): Promise<Device[]> {
  const { rows } = await tx.query<WithSample<Device>>(
    `${devicesStatement}
     where d.id > $1 and ($2::text is null or d.node_id = $2) and ($3::text is null or d.kind = $3)
       and n.presence <> 'removed' and ${present} and ($5::text[] is null or d.node_id = any($5))
     order by d.id limit $4`,
    [filter.after ?? '', filter.nodeId ?? null, filter.kind ?? null, filter.limit ?? 100, filter.nodeIds ?? null],
  );
  return rows.map((row) => withSample(row));
}
