/** The fleet as the scheduler's feed reads it: few columns, one statement, so that a node and its devices are of one moment. */
import type { IsolationLevel, NodeHealth, NodePresence, NodeScheduling } from '../../common/contract/states/node.ts';
import type { Queryable } from '../../common/database/queryable.ts';
import type { DeviceKind } from '../allocator/index.ts';

/** Prices are micro-dollars an hour as doubles, exact below 2^53. */
export interface FleetSite {
  readonly id: string;
  readonly deviceUsdPerHour: number;
  readonly cpuUsdPerHour: number;
  readonly memoryUsdPerHour: number;
  readonly pue: number;
  /** What the operator says of it, its `name`, and its `zone` if it has one. */
  readonly labels: Readonly<Record<string, string>>;
  readonly revision: number;
}

export interface FleetDevice {
  readonly id: string;
  readonly kind: DeviceKind;
  readonly model: string;
  readonly driver: string | null;
  readonly memoryBytes: number;
  readonly milli: number;
  readonly usedMilli: number;
  /** Reported by the node, and in good health. */
  readonly healthy: boolean;
  /** What it draws at most, watts > 0; null when its agent does not know. */
  readonly watts: number | null;
}

export interface FleetNode {
  readonly id: string;
  readonly name: string;
  readonly siteId: string;
  readonly presence: NodePresence;
  readonly scheduling: NodeScheduling;
  /** Of the node itself: a device that is unwell closes only itself. */
  readonly health: NodeHealth;
  readonly isolation: readonly IsolationLevel[];
  readonly hostNetwork: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly usedCpuMilli: number;
  readonly usedMemoryBytes: number;
  readonly usedDiskBytes: number;
  /** Devices that are there or held, by local index, then id. */
  readonly devices: readonly FleetDevice[];
  /** Sum over the node and every device: grows whenever one of them changes. */
  readonly revision: number;
}

const nodesStatement = `
  select n.id, n.name, n.site_id as "siteId", n.presence, n.scheduling, n.isolation, n.host_network as "hostNetwork", n.labels,
    case when exists (select from jsonb_array_elements(n.health_reasons) reason where not starts_with(reason ->> 'code', 'device_'))
      then 'degraded' else 'ok' end as health,
    n.cpu_milli::float8 as "cpuMilli", n.memory_bytes::float8 as "memoryBytes", n.disk_bytes::float8 as "diskBytes",
    n.used_cpu_milli::float8 as "usedCpuMilli", n.used_memory_bytes::float8 as "usedMemoryBytes",
    n.used_disk_bytes::float8 as "usedDiskBytes",
    coalesce(d.devices, '[]') as devices, (n.revision + coalesce(d.revision, 0))::float8 as revision
  from drm_nodes n
  left join lateral (
    select sum(revision) as revision,
      json_agg(json_build_object('id', id, 'kind', kind, 'model', model, 'driver', driver, 'memoryBytes', memory_bytes,
        'milli', milli, 'usedMilli', used_milli, 'healthy', health = 'ok' and observed_milli > 0,
        'watts', case when jsonb_typeof(facts -> 'tdpWatts') = 'number' then facts -> 'tdpWatts' end)
        order by local_index, id) filter (where milli > 0) as devices
    from drm_devices where node_id = n.id
  ) d on true`;

/**
 * Nodes that were not removed, by id. Ids that are missing from the answer are no more.
 *
 * @param after with 'all': only ids above this one, for reading in chunks
 * @param limit with 'all': most rows, > 0
 */
export async function readFleet(
  tx: Queryable,
  nodeIds: readonly string[] | 'all',
  { after = '', limit = 5_000 }: { readonly after?: string; readonly limit?: number } = {},
): Promise<FleetNode[]> {
  if (nodeIds === 'all') {
    const statement = `${nodesStatement} where n.presence <> 'removed' and n.id > $1 order by n.id limit $2`;
    return (await tx.query<FleetNode>(statement, [after, limit])).rows;
  }
  if (nodeIds.length === 0) return [];
  const statement = `${nodesStatement} where n.presence <> 'removed' and n.id = any($1::text[]) order by n.id`;
  return (await tx.query<FleetNode>(statement, [nodeIds])).rows;
}

/** Prices, PUE and labels of sites, by id. */
export async function readFleetSites(tx: Queryable, siteIds: readonly string[] | 'all'): Promise<FleetSite[]> {
  const { rows } = await tx.query<FleetSite>(
    `select id, device_usd_per_hour::float8 as "deviceUsdPerHour", cpu_usd_per_hour::float8 as "cpuUsdPerHour",
       memory_usd_per_hour::float8 as "memoryUsdPerHour", pue,
       labels || jsonb_strip_nulls(jsonb_build_object('name', name, 'zone', grid_zone)) as labels, revision::float8 as revision
     from drm_sites where $1::text[] is null or id = any($1) order by id`,
    [siteIds === 'all' ? null : siteIds],
  );
  return rows;
}
