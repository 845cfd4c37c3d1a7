/** A database as it is after a year: a million jobs of twenty tenants, and a fleet of ten thousand nodes. */
import { jobSpecSchema } from '../../src/common/contract/job-spec.ts';
import { withClient } from '../../src/common/database/connection.ts';
import { newId } from '../../src/common/ids.ts';
import { makeKey } from '../../src/common/keys.ts';
import type { BenchDatabase } from '../product/database.ts';

export interface Tenant {
  readonly id: string;
  readonly project: string;
  readonly key: string;
}

/** An id of the right form that sorts before every real one of its kind. */
export const oldId = (prefix: string, index: number): string => `${prefix}_${index.toString(16).padStart(26, '0')}`;

/** Tenants with a project and an admin key each. */
export async function addTenants(database: BenchDatabase, count: number): Promise<Tenant[]> {
  return withClient(database.admin, async (client) => {
    const tenants: Tenant[] = [];
    for (let index = 0; index < count; index += 1) {
      const [id, project] = [oldId('ten', index + 1), oldId('prj', index + 1)];
      const key = makeKey('api');
      await client.query('insert into cmo_tenants (id, name) values ($1, $2)', [id, `tenant-${index}`]);
      await client.query(`insert into cmo_projects (id, tenant, name) values ($1, $2, 'default')`, [project, id]);
      await client.query(
        `insert into cmo_api_keys (id, tenant, project, name, kind, role, hash) values ($1, $2, $3, 'bench', 'api', 'admin', $4)`,
        [oldId('key', index + 1), id, project, key.hash],
      );
      tenants.push({ id, project, key: key.text });
    }
    return tenants;
  });
}

/** Jobs in their final states, spread over the tenants, each with a label. */
export async function addEndedJobs(database: BenchDatabase, tenants: readonly Tenant[], count: number): Promise<void> {
  const spec = jobSpecSchema.parse({
    name: 'train',
    command: ['python', 'train.py', '--lr', '0.001'],
    resources: { cpu: 1, memory: '2GiB' },
    env: { WANDB_MODE: 'offline', EPOCHS: '10' },
  });
  await withClient(database.admin, async (client) => {
    await client.query('set synchronous_commit = off');
    for (let from = 0; from < count; from += 100_000) {
      await client.query(
        `insert into cmo_jobs (id, tenant, project, name, state, priority, spec, submitted_by, submitted_at, started_at, ended_at,
                               exit_code, reason, attempt_count, revision)
         select 'job_' || lpad(to_hex(i), 26, '0'), ($1::text[])[1 + i % $3], ($2::text[])[1 + i % $3], 'train-' || i % 1000,
           case when i % 10 = 0 then 'failed' when i % 23 = 0 then 'cancelled' else 'succeeded' end, 0,
           $4::jsonb || jsonb_build_object('name', 'train-' || i % 1000, 'labels', jsonb_build_object('team', 'team-' || i % 40)),
           $5, now() - make_interval(secs => 30 * ($6 - i)), now() - make_interval(secs => 30 * ($6 - i) - 5),
           now() - make_interval(secs => 30 * ($6 - i) - 25), case when i % 10 = 0 then 1 else 0 end,
           case when i % 10 = 0 then 'exit' end, 1, 6
         from generate_series($7::int, $8::int - 1) as i`,
        [
          tenants.map(({ id }) => id),
          tenants.map(({ project }) => project),
          tenants.length,
          JSON.stringify(spec),
          oldId('key', 1),
          count,
          from,
          Math.min(count, from + 100_000),
        ],
      );
      await client.query(
        `insert into cmo_job_labels (tenant, key, value, job_id)
         select ($1::text[])[1 + i % $2], 'team', 'team-' || i % 40, 'job_' || lpad(to_hex(i), 26, '0')
         from generate_series($3::int, $4::int - 1) as i`,
        [tenants.map(({ id }) => id), tenants.length, from, Math.min(count, from + 100_000)],
      );
    }
    // As autovacuum has long done in a database of that age; or it would begin while the load runs.
    await client.query('vacuum (analyze)');
    await client.query('checkpoint');
  });
}

/**
 * Queued jobs that fit, as the intake would have written them, and their dirty keys. All before anything is measured: how jobs come
 * in is measured by the submits, and a bulk insert beside them would stand in the way of each of their commits.
 */
export async function addQueuedJobs(database: BenchDatabase, tenant: Tenant, count: number): Promise<void> {
  const spec = jobSpecSchema.parse({ name: 'filler', command: ['true'], resources: { cpu: 1, memory: '1GiB' } });
  await withClient(database.admin, async (client) => {
    await client.query('set synchronous_commit = off');
    for (let from = 0; from < count; from += 10_000) {
      const ids = Array.from({ length: Math.min(10_000, count - from) }, () => newId('job'));
      await client.query(
        `with job as (
           insert into cmo_jobs (id, tenant, project, name, pending_reason, priority, spec, submitted_by)
           select id, $2, $3, 'filler', 'new', 0, $4, 'bench' from unnest($1::text[]) as id
         )
         insert into feed_dirty (kind, key) select 'job', id from unnest($1::text[]) as id`,
        [ids, tenant.id, tenant.project, JSON.stringify(spec)],
      );
    }
    // As autovacuum has done when a queue of that length has been there for a while.
    await client.query('vacuum (analyze) cmo_jobs');
    await client.query('checkpoint');
  });
}

/** Ready nodes of 64 cores and 8 devices each. Their backend is the simulator's, so nobody expects heartbeats of them. */
export async function addFleet(database: BenchDatabase, count: number): Promise<void> {
  await withClient(database.admin, async (client) => {
    const site = oldId('site', 1);
    await client.query(`insert into drm_sites (id, name, backend) values ($1, 'bench', 'simulator')`, [site]);
    await client.query(
      `insert into drm_nodes (id, site_id, name, backend, presence, isolation, observed_cpu_milli, observed_memory_bytes,
                              observed_disk_bytes, cpu_milli, memory_bytes, disk_bytes)
       select 'node_' || lpad(to_hex(i), 26, '0'), $1, 'n' || i, 'simulator', 'ready', '{sandbox}',
         64000, 549755813888, 4398046511104, 64000, 549755813888, 4398046511104
       from generate_series(1, $2::int) as i`,
      [site, count],
    );
    await client.query(
      `insert into drm_devices (id, node_id, kind, vendor, model, local_index, uuid, memory_bytes)
       select 'dev_' || lpad(to_hex(i * 8 + d), 26, '0'), 'node_' || lpad(to_hex(i), 26, '0'), 'gpu', 'nvidia', 'H100', d,
         'GPU-' || i || '-' || d, 85899345920
       from generate_series(1, $1::int) as i, generate_series(0, 7) as d`,
      [count],
    );
    // As autovacuum has long done in a database of that age; or it would begin while the load runs.
    await client.query('vacuum (analyze)');
  });
}
