/** What there is and what is given, summed over sites, for people and metrics. */
import type { Queryable } from '../../common/database/queryable.ts';
import type { Amounts } from './packing/amounts.ts';
import type { DeviceKind } from './packing/shape.ts';

/** Devices of one kind and model at a site; a device cut into slices counts by its slices. */
export interface ModelCapacity {
  readonly kind: DeviceKind;
  readonly vendor: string;
  readonly model: string;
  /** Devices that may be given at all. */
  readonly devices: number;
  /** Those that take work now: healthy, on a ready and open node. */
  readonly usableDevices: number;
  /** Thousandths of devices. */
  readonly capacityMilli: number;
  readonly usedMilli: number;
}

export interface SiteCapacity {
  readonly siteId: string;
  /** Nodes that are ready, and nodes that were not removed. */
  readonly readyNodes: number;
  readonly nodes: number;
  readonly capacity: Amounts;
  readonly used: Amounts;
  readonly models: readonly ModelCapacity[];
}

const capacityStatement = `
  with node as (
    select site_id, count(*)::int as nodes, (count(*) filter (where presence = 'ready'))::int as ready,
      jsonb_build_object('cpuMilli', sum(cpu_milli), 'memoryBytes', sum(memory_bytes), 'diskBytes', sum(disk_bytes))
        as capacity,
      jsonb_build_object('cpuMilli', sum(used_cpu_milli), 'memoryBytes', sum(used_memory_bytes),
                         'diskBytes', sum(used_disk_bytes)) as used
    from drm_nodes where presence <> 'removed' group by site_id
  ), model as (
    select n.site_id, d.kind, d.vendor, d.model, count(*) as devices, sum(d.milli) as capacity, sum(d.used_milli) as used,
      count(*) filter (where n.presence = 'ready' and n.scheduling = 'open' and d.health = 'ok' and d.observed_milli > 0)
        as usable
    from drm_devices d join drm_nodes n on n.id = d.node_id
    where n.presence <> 'removed' and d.milli > 0
    group by n.site_id, d.kind, d.vendor, d.model
  )
  select s.id as "siteId", coalesce(node.ready, 0) as "readyNodes", coalesce(node.nodes, 0) as nodes,
    coalesce(node.capacity, '{"cpuMilli": 0, "memoryBytes": 0, "diskBytes": 0}') as capacity,
    coalesce(node.used, '{"cpuMilli": 0, "memoryBytes": 0, "diskBytes": 0}') as used,
    coalesce((
      select jsonb_agg(jsonb_build_object('kind', kind, 'vendor', vendor, 'model', model, 'devices', devices,
        'usableDevices', usable, 'capacityMilli', capacity, 'usedMilli', used) order by kind, vendor, model)
      from model where model.site_id = s.id), '[]') as models
  from drm_sites s left join node on node.site_id = s.id
  order by s.id`;

/** Sums of every site, also of those without nodes, by site id. */
export async function capacity(tx: Queryable): Promise<SiteCapacity[]> {
  return (await tx.query<SiteCapacity>(capacityStatement)).rows;
}
