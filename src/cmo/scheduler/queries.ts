/**
 * The rows that scheduling reads. All by key or by pages of keys, so that no statement grows with the fleet or the queue.
 *
 * Numbers are cast to doubles in the database: bytes and micro-dollars are exact below 2^53, and the driver would otherwise make a bigint or a
 * text of each.
 */
import type { Queryable } from '../../common/database/index.ts';
import type { NodeRow, SiteRow } from './core/rows.ts';
import type { ComparedKind } from './worker/messages.ts';

const siteColumns = `
  id, device_usd_per_hour::float8 as "deviceUsdPerHour", cpu_usd_per_hour::float8 as "cpuUsdPerHour",
  memory_usd_per_hour::float8 as "memoryUsdPerHour", pue, revision::float8 as revision`;

/** Sites by id. */
export async function readSites(tx: Queryable, ids: readonly string[]): Promise<SiteRow[]> {
  const { rows } = await tx.query<SiteRow>(`select ${siteColumns} from drm_sites where id = any($1::text[])`, [
    [...ids],
  ]);
  return rows;
}

// The revision sums the node's and its devices': each only grows, so the sum changes whenever one of them does.
const nodeStatement = (filter: string) => `
  select n.id, n.site_id as "siteId", n.presence, n.scheduling, n.health, n.isolation, n.host_network as "hostNetwork",
    n.cpu_milli::float8 as "cpuMilli", n.memory_bytes::float8 as "memoryBytes", n.disk_bytes::float8 as "diskBytes",
    n.used_cpu_milli::float8 as "usedCpuMilli", n.used_memory_bytes::float8 as "usedMemoryBytes",
    n.used_disk_bytes::float8 as "usedDiskBytes",
    n.revision::float8 + coalesce(d.revision, 0) as revision, coalesce(d.devices, '[]') as devices
  from drm_nodes n
  left join lateral (
    select sum(revision)::float8 as revision,
      jsonb_agg(jsonb_build_object('id', id, 'kind', kind, 'model', model, 'driver', driver, 'memoryBytes', memory_bytes,
        'milli', milli, 'usedMilli', used_milli, 'healthy', health = 'ok') order by local_index, id) as devices
    from drm_devices where node_id = n.id
  ) d on true
  ${filter}`;

/** Nodes by id, with their devices; removed ones say so. */
export async function readNodes(tx: Queryable, ids: readonly string[]): Promise<NodeRow[]> {
  const { rows } = await tx.query<NodeRow>(nodeStatement('where n.id = any($1::text[])'), [[...ids]]);
  return rows;
}

const pageStatements: Readonly<Record<ComparedKind, string>> = {
  site: 'select id, revision::float8 as revision from drm_sites where id > $1 order by id limit $2',
  node: `
    select n.id, n.revision::float8 + coalesce((select sum(revision)::float8 from drm_devices where node_id = n.id), 0) as revision
    from drm_nodes n where n.id > $1 and n.presence <> 'removed' order by n.id limit $2`,
  job: `select id, revision::float8 as revision from cmo_jobs where state = 'queued' and id > $1 order by id limit $2`,
};

/** A page of ids and revisions of what the scheduler should hold, in order of id. `after`: last id of the page before, or ''. */
export async function readRevisions(
  tx: Queryable,
  kind: ComparedKind,
  after: string,
  limit: number,
): Promise<(readonly [id: string, revision: number])[]> {
  const { rows } = await tx.query<{ id: string; revision: number }>(pageStatements[kind], [after, limit]);
  return rows.map(({ id, revision }) => [id, revision] as const);
}

const existenceStatements: Readonly<Record<ComparedKind, string>> = {
  site: 'select id from drm_sites where id = any($1::text[])',
  node: `select id from drm_nodes where id = any($1::text[]) and presence <> 'removed'`,
  job: `select id from cmo_jobs where id = any($1::text[]) and state = 'queued'`,
};

/** Those of the ids that the scheduler should hold. */
export async function readExisting(tx: Queryable, kind: ComparedKind, ids: readonly string[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ id: string }>(existenceStatements[kind], [[...ids]]);
  return new Set(rows.map(({ id }) => id));
}
