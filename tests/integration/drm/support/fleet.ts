/** Builders of what the drm's tests stand on: a tenant with queued jobs, nodes with devices, placements. */
import { randomBytes } from 'node:crypto';
import type { WireDevice, WireInventory } from '../../../../src/common/contract/agent/protocol.ts';
import type { Placement, RankPlacement } from '../../../../src/common/contract/plan.ts';
import type { Queryable } from '../../../../src/common/database/queryable.ts';
import { newId } from '../../../../src/common/ids.ts';

export const gib = 2 ** 30;

export async function addTenant(tx: Queryable): Promise<{ tenant: string; project: string }> {
  const tenant = newId('tenant');
  const project = newId('project');
  await tx.query('insert into cmo_tenants (id, name) values ($1, $1)', [tenant]);
  await tx.query('insert into cmo_projects (id, tenant, name) values ($1, $2, $3)', [project, tenant, 'default']);
  return { tenant, project };
}

/** Queued jobs at revision 1. */
export async function addJobs(
  tx: Queryable,
  owner: { tenant: string; project: string },
  count: number,
): Promise<string[]> {
  const ids = Array.from({ length: count }, () => newId('job') as string);
  await tx.query(
    `insert into cmo_jobs (id, tenant, project, name, pending_reason, priority, spec, submitted_by)
     select id, $2, $3, 'job', 'new', 0, '{}', 'test' from unnest($1::text[]) as id`,
    [ids, owner.tenant, owner.project],
  );
  return ids;
}

export function device(uuid: string, over: Partial<WireDevice> = {}): WireDevice {
  return {
    uuid,
    kind: 'gpu',
    vendor: 'nvidia',
    model: 'H100',
    index: 0,
    memoryBytes: 80 * gib,
    driver: '570.1',
    health: 'ok',
    healthReasons: [],
    parentUuid: null,
    facts: {},
    ...over,
  };
}

export function inventory(over: Partial<WireInventory> = {}): WireInventory {
  return {
    name: `n-${randomBytes(4).toString('hex')}`,
    cpuMilli: 16_000,
    memoryBytes: 64 * gib,
    diskBytes: 100 * gib,
    isolation: ['sandbox'],
    isolationMissing: {},
    hostNetwork: false,
    labels: {},
    facts: {},
    devices: [],
    ...over,
  };
}

/** One rank: 1 core, 1 GiB, whole devices unless told otherwise. */
export function rank(
  nodeId: string,
  deviceIds: readonly string[] = [],
  over: Partial<RankPlacement> = {},
): RankPlacement {
  return {
    nodeId: nodeId as RankPlacement['nodeId'],
    cpuMilli: 1000,
    memoryBytes: gib,
    diskBytes: 0,
    devices: deviceIds.map((deviceId) => ({ deviceId: deviceId as never, milli: 1000 })),
    ...over,
  };
}

export function placement(jobId: string, siteId: string, ...ranks: RankPlacement[]): Placement {
  return {
    jobId: jobId as Placement['jobId'],
    jobRevision: 1n,
    siteId: siteId as Placement['siteId'],
    ranks,
    explanation: {
      policy: 'test/1',
      round: 1,
      decidedAt: '2026-01-01T00:00:00.000Z',
      candidates: [],
      feasibleCount: 1,
      rejections: {},
    },
  };
}

/** Ids of a node's devices by uuid. */
export async function deviceIds(tx: Queryable, nodeId: string): Promise<Map<string, string>> {
  const { rows } = await tx.query<{ id: string; uuid: string }>('select id, uuid from drm_devices where node_id = $1', [
    nodeId,
  ]);
  return new Map(rows.map(({ id, uuid }) => [uuid, id]));
}

/** Nodes and devices whose counters say something else than their live allocation rows. Must always be empty. */
export async function miscounted(tx: Queryable): Promise<unknown[]> {
  const { rows } = await tx.query(`
    select n.id from drm_nodes n
    left join (select node_id, sum(cpu_milli) as cpu, sum(memory_bytes) as memory, sum(disk_bytes) as disk
               from drm_allocation_nodes where not released group by node_id) a on a.node_id = n.id
    where (n.used_cpu_milli, n.used_memory_bytes, n.used_disk_bytes)
      is distinct from (coalesce(a.cpu, 0), coalesce(a.memory, 0), coalesce(a.disk, 0))
      or n.cpu_milli <> greatest(n.used_cpu_milli, n.observed_cpu_milli)
    union all
    select d.id from drm_devices d
    left join (select device_id, sum(milli) as milli from drm_allocation_devices where not released group by device_id) a
      on a.device_id = d.id
    where d.used_milli <> coalesce(a.milli, 0)
    union all
    select a.id from drm_allocations a join drm_allocation_nodes n on n.allocation_id = a.id
    where (a.state = 'released') <> n.released`);
  return rows;
}
