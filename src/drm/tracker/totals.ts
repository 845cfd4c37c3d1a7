/** Sums over the fleet: how much there is, and how much of it is given away. */
import type { Queryable } from '../../common/database/queryable.ts';

/** Of nodes that are ready, but for `nodesTotal`, which counts all that were not removed. */
export interface FleetTotals {
  readonly nodesReady: number;
  readonly nodesTotal: number;
  readonly devicesTotal: number;
  /** Thousandths of devices, and of cores. */
  readonly deviceMilli: number;
  readonly deviceUsedMilli: number;
  readonly cpuMilli: number;
  readonly cpuUsedMilli: number;
}

/** Adds up nodes and devices; both tables have one row per real thing, so reading them whole is cheap. */
export async function readFleetTotals(db: Queryable): Promise<FleetTotals> {
  const { rows } = await db.query<FleetTotals>(
    `select n.ready as "nodesReady", n.total as "nodesTotal", n.cpu as "cpuMilli", n.used_cpu as "cpuUsedMilli",
       d.total as "devicesTotal", d.milli as "deviceMilli", d.used_milli as "deviceUsedMilli"
     from (select count(*) filter (where presence = 'ready')::int as ready, count(*)::int as total,
             coalesce(sum(cpu_milli) filter (where presence = 'ready'), 0)::float8 as cpu,
             coalesce(sum(used_cpu_milli) filter (where presence = 'ready'), 0)::float8 as used_cpu
           from drm_nodes where presence <> 'removed') n,
          (select count(*)::int as total, coalesce(sum(device.milli), 0)::float8 as milli,
             coalesce(sum(device.used_milli), 0)::float8 as used_milli
           from drm_devices device join drm_nodes node on node.id = device.node_id
           where node.presence = 'ready' and device.milli > 0) d`,
  );
  return rows[0]!;
}
