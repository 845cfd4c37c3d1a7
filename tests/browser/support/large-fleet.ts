/**
 * A fleet of any size in the database of a product that runs, for pages that must show it: rows as agents would have made them,
 * whose nodes are heard as long as `keepHeard` runs.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { withClient } from '../../../src/common/database/connection.ts';
import { newId } from '../../../src/common/ids.ts';

export interface FleetShape {
  readonly sites: readonly {
    readonly name: string;
    readonly latitude: number;
    readonly longitude: number;
    readonly gridZone: string;
  }[];
  readonly nodesPerSite: number;
  readonly devicesPerNode: number;
}

/** Three continents, some 1,000 devices. */
export const largeFleet: FleetShape = {
  sites: [
    { name: 'fra-1', latitude: 50.1, longitude: 8.7, gridZone: 'DE' },
    { name: 'lulea-1', latitude: 65.6, longitude: 22.1, gridZone: 'SE-SE1' },
    { name: 'quincy-1', latitude: 47.2, longitude: -119.9, gridZone: 'US-NW-BPAT' },
    { name: 'singapore-1', latitude: 1.35, longitude: 103.8, gridZone: 'SG' },
  ],
  nodesPerSite: 32,
  devicesPerNode: 8,
};

/** Login of the loops on the database of a data directory. */
function loginOf(home: string): pg.ClientConfig {
  const lines = readFileSync(join(home, 'postgres', 'postmaster.pid'), 'utf8').split('\n');
  if (!existsSync(lines[4]!)) throw new Error(`no socket at ${lines[4]}`);
  return { host: lines[4]!, port: 5432, user: 'solyx_system', database: 'solyx' };
}

/** Runs statements on the database of a product, past its API. */
export const onDatabase = <T>(home: string, work: (client: pg.Client) => Promise<T>): Promise<T> =>
  withClient(loginOf(home), work);

/** Adds the fleet. @returns ids of nodes and devices */
export function addFleet(home: string, shape: FleetShape): Promise<{ nodes: string[]; devices: string[] }> {
  return onDatabase(home, async (client) => {
    const nodes: string[] = [];
    const devices: string[] = [];
    for (const [at, site] of shape.sites.entries()) {
      const siteId = newId('site');
      await client.query(
        `insert into drm_sites (id, name, latitude, longitude, grid_zone, pue, device_usd_per_hour) values ($1, $2, $3, $4, $5, 1.1, 2490000)`,
        [siteId, site.name, site.latitude, site.longitude, site.gridZone],
      );
      for (let n = 0; n < shape.nodesPerSite; n++) {
        const nodeId = newId('node');
        nodes.push(nodeId);
        const busy = (n * 7 + at * 3) % (shape.devicesPerNode + 1);
        await client.query(
          `insert into drm_nodes (id, site_id, name, backend, presence, scheduling, isolation, observed_cpu_milli, observed_memory_bytes,
             observed_disk_bytes, cpu_milli, memory_bytes, disk_bytes, used_cpu_milli, used_memory_bytes, labels)
           values ($1, $2, $3, 'agent', 'ready', $4, '{sandbox,container}', 64000, 549755813888, 4e12, 64000, 549755813888, 4e12, $5, $6, '{"rack": "r1"}')`,
          [
            nodeId,
            siteId,
            `${site.name}-n${n + 1}`,
            n % 13 === 5 ? 'cordoned' : 'open',
            busy * 8000,
            busy * 68719476736,
          ],
        );
        await client.query(`insert into drm_heartbeats (node_id, boot_id, last_acked_at) values ($1, 'boot', now())`, [
          nodeId,
        ]);
        for (let d = 0; d < shape.devicesPerNode; d++) {
          const deviceId = newId('device');
          devices.push(deviceId);
          await client.query(
            `insert into drm_devices (id, node_id, kind, vendor, model, local_index, uuid, memory_bytes, used_milli, driver)
             values ($1, $2, 'gpu', 'nvidia', $3, $4, $5, 85899345920, $6, '570.86')`,
            [deviceId, nodeId, at % 2 === 0 ? 'H100' : 'A100', d, `GPU-${deviceId}`, d < busy ? 1000 : 0],
          );
        }
      }
    }
    await sampleFleet(client, nodes, devices, 0);
    return { nodes, devices };
  });
}

/** Goes on hearing from every node, as gateways do. @returns what ends it */
export function keepHeard(home: string): () => void {
  const hear = () =>
    onDatabase(home, (client) => client.query('update drm_heartbeats set last_acked_at = now()')).catch(() => {});
  const timer = setInterval(hear, 4_000);
  return () => clearInterval(timer);
}

/** One sample of every device and node; `round` makes them differ. */
export async function sampleFleet(
  client: pg.Client,
  nodes: readonly string[],
  devices: readonly string[],
  round: number,
): Promise<void> {
  await client.query(
    `insert into drm_samples (subject_id, node_id, at, data, slot)
     select d.id, d.node_id, clock_timestamp(),
            jsonb_build_object('utilizationRatio', case when d.used_milli > 0 then 0.5 + ((d.local_index * 7 + $2) % 5) / 10.0 else 0 end,
              'memoryUsedBytes', d.used_milli::bigint * 70000000, 'powerWatts', 90 + d.used_milli * 0.5, 'temperatureCelsius', 35 + d.used_milli / 40),
            date_trunc('minute', clock_timestamp())
     from drm_devices d where d.id = any($1)
     on conflict (subject_id) do update set at = excluded.at, data = excluded.data`,
    [devices, round],
  );
  await client.query(
    `insert into drm_samples (subject_id, node_id, at, data, slot)
     select n.id, n.id, clock_timestamp(), jsonb_build_object('cpuUtilizationRatio', 0.3, 'memoryUsedBytes', 200000000000),
            date_trunc('minute', clock_timestamp())
     from drm_nodes n where n.id = any($1)
     on conflict (subject_id) do update set at = excluded.at, data = excluded.data`,
    [nodes],
  );
}
