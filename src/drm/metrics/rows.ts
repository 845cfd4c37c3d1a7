/** What a scrape reads of the inventory: two statements, whatever the number of metrics. */
import { type Database, withSystem } from '../../common/database/index.ts';

/** A sample older than this says nothing about now, seconds. */
const freshSeconds = 30;

export interface DeviceReading {
  readonly site: string;
  readonly node: string;
  /** Index on the node; slices share that of their parent. */
  readonly device: string;
  readonly uuid: string;
  readonly model: string;
  readonly kind: string;
  readonly driver: string;
  /** Thousandths that may be given, and that are. */
  readonly milli: number;
  readonly usedMilli: number;
  readonly healthy: boolean;
  /** The latest sample, if it is fresh. */
  readonly data: Readonly<Record<string, number>> | null;
}

export interface FleetReading {
  readonly nodes: ReadonlyMap<string, number>;
  readonly devices: readonly DeviceReading[];
}

const devicesStatement = `
  select s.name as site, n.name as node, d.local_index::text as device, d.uuid, d.model, d.kind,
    coalesce(d.driver, '') as driver, d.milli, d.used_milli as "usedMilli",
    d.health = 'ok' and d.observed_milli > 0 as healthy, sample.data
  from drm_devices d join drm_nodes n on n.id = d.node_id join drm_sites s on s.id = n.site_id
  left join drm_samples sample
    on sample.subject_id = d.id and sample.at > clock_timestamp() - make_interval(secs => $1)
  where n.presence <> 'removed' and d.milli > 0`;

/** Counts of nodes by presence, and every device that may be given or is held. */
export function readFleetNow(db: Database): Promise<FleetReading> {
  return withSystem(
    db,
    async (tx) => {
      const nodes = await tx.query<{ presence: string; n: number }>(
        'select presence, count(*)::int as n from drm_nodes group by presence',
      );
      const devices = await tx.query<DeviceReading>(devicesStatement, [freshSeconds]);
      return { nodes: new Map(nodes.rows.map(({ presence, n }) => [presence, n])), devices: devices.rows };
    },
    { readOnly: true },
  );
}
