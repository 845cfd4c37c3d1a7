/**
 * The allocator's SQL. Every statement is batched by unnest: a chunk costs the same eight round trips for 1 or 200 placements.
 *
 * Locks come only from `select … order by id for no key update`. An `update … from unnest` locks in whatever order the join
 * yields and deadlocks with another, so updates only touch rows that are locked already. `no key update` lets foreign
 * keys of new rows (key share) pass.
 */

const nodeColumns = `
  id, site_id as "siteId", backend, presence, scheduling, health, health_reasons as "healthReasons",
  json_build_object('cpuMilli', observed_cpu_milli, 'memoryBytes', observed_memory_bytes,
                     'diskBytes', observed_disk_bytes) as observed,
  json_build_object('cpuMilli', cpu_milli, 'memoryBytes', memory_bytes, 'diskBytes', disk_bytes) as capacity,
  json_build_object('cpuMilli', used_cpu_milli, 'memoryBytes', used_memory_bytes, 'diskBytes', used_disk_bytes) as used`;

const deviceCounters = `
  id, node_id as "nodeId", parent_id as "parentId", health, observed_milli as "observedMilli", milli,
  used_milli as "usedMilli"`;

const deviceColumns = `${deviceCounters}, kind, vendor, model, local_index as index, uuid,
  memory_bytes::float8 as "memoryBytes", driver, facts`;

export const lockNodes = `
  select ${nodeColumns}, coalesce(promised_until > now(), false) as "isPromised" from drm_nodes where id = any($1::text[]) order by id for no key update`;

/** What is promised of nodes that are locked: read after the lock, since who promises locks them, too. */
export const promisesOf = `
  select node_id as "nodeId", json_agg(json_build_object('reservation', reservation,
           'startsAt', extract(epoch from lower(span)) * 1000) order by lower(span)) as promises
  from drm_calendar where node_id = any($1::text[]) and upper(span) > now() group by node_id`;

export const lockDevices = `
  select ${deviceCounters} from drm_devices where id = any($1::text[]) order by id for no key update`;

export const lockDevicesOfNode = `
  select ${deviceColumns} from drm_devices where node_id = $1 order by id for no key update`;

/** Devices with their whole families: a parent and all its slices. Stable, because the node is locked. */
export const lockFamilies = `
  with family as (
    select distinct coalesce(parent_id, id) as head from drm_devices where id = any($1::text[])
  )
  select ${deviceCounters} from drm_devices d
  where exists (select from family where head = d.id or head = d.parent_id)
    and node_id = any($2::text[])
  order by id for no key update of d`;

export const lockHeldAllocations = `
  select id, tenant, job_id as "jobId", attempt_id as "attemptId" from drm_allocations
  where attempt_id = any($1::text[]) and state <> 'released' order by id for update`;

export const holdings = `
  select n.allocation_id as "allocationId", n.node_id as "nodeId",
    json_build_object('cpuMilli', n.cpu_milli, 'memoryBytes', n.memory_bytes, 'diskBytes', n.disk_bytes) as amounts,
    coalesce((select json_agg(json_build_object('deviceId', d.device_id, 'milli', d.milli))
              from drm_allocation_devices d
              where d.allocation_id = n.allocation_id and d.rank = n.rank and not d.released), '[]') as devices
  from drm_allocation_nodes n where n.allocation_id = any($1::text[]) and not n.released
  order by n.allocation_id, n.rank`;

/** Allocations with what they hold of which nodes and devices. Their attempts' events tell of them: no event of their own. */
export const insertAllocations = `
  with allocation as (
    insert into drm_allocations (id, tenant, job_id, attempt_id, token)
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
  ), node as (
    insert into drm_allocation_nodes (allocation_id, tenant, rank, node_id, cpu_milli, memory_bytes, disk_bytes)
    select * from unnest($6::text[], $7::text[], $8::int[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[])
  )
  insert into drm_allocation_devices (allocation_id, tenant, rank, device_id, milli)
  select * from unnest($13::text[], $14::text[], $15::int[], $16::text[], $17::int[])`;

export const markReleased = `
  with nodes as (
    update drm_allocation_nodes set released = true where allocation_id = any($1::text[]) and not released
  ), devices as (
    update drm_allocation_devices set released = true where allocation_id = any($1::text[]) and not released
  )
  update drm_allocations set state = 'released', released_at = clock_timestamp() where id = any($1::text[])`;

/** What is held now of nodes and devices; the nodes become dirty. */
export const writeUsed = `
  with node as (
    update drm_nodes n
    set used_cpu_milli = v.cpu, used_memory_bytes = v.memory, used_disk_bytes = v.disk, revision = n.revision + 1
    from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) as v (id, cpu, memory, disk)
    where n.id = v.id
  ), device as (
    update drm_devices d set used_milli = v.used, revision = d.revision + 1
    from unnest($5::text[], $6::int[]) as v (id, used) where d.id = v.id
  )
  insert into feed_dirty (kind, key) select 'node', id from unnest($1::text[]) as id`;

export const writeNodeCounters = `
  update drm_nodes n
  set used_cpu_milli = v.used_cpu, used_memory_bytes = v.used_memory, used_disk_bytes = v.used_disk,
      cpu_milli = v.cpu, memory_bytes = v.memory, disk_bytes = v.disk,
      observed_cpu_milli = v.observed_cpu, observed_memory_bytes = v.observed_memory, observed_disk_bytes = v.observed_disk,
      health = v.health, health_reasons = v.reasons, revision = n.revision + 1, updated_at = now()
  from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
              $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::jsonb[])
    as v (id, used_cpu, used_memory, used_disk, cpu, memory, disk,
          observed_cpu, observed_memory, observed_disk, health, reasons)
  where n.id = v.id`;

export const writeDeviceCounters = `
  update drm_devices d
  set used_milli = v.used, milli = v.milli, observed_milli = v.observed, revision = d.revision + 1
  from unnest($1::text[], $2::int[], $3::int[], $4::int[]) as v (id, used, milli, observed)
  where d.id = v.id and (d.used_milli, d.milli, d.observed_milli) is distinct from (v.used, v.milli, v.observed)`;

export const insertDevices = `
  insert into drm_devices (id, node_id, parent_id, kind, vendor, model, local_index, uuid, memory_bytes, driver, facts,
                           health, observed_milli, milli, used_milli)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::text[],
                       $9::bigint[], $10::text[], $11::jsonb[], $12::text[], $13::int[], $14::int[], $15::int[])`;

export const writeDeviceFacts = `
  update drm_devices d
  set parent_id = v.parent_id, kind = v.kind, vendor = v.vendor, model = v.model, local_index = v.local_index,
      memory_bytes = v.memory_bytes, driver = v.driver, facts = v.facts, health = v.health, revision = d.revision + 1
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bigint[], $8::text[],
              $9::jsonb[], $10::text[])
    as v (id, parent_id, kind, vendor, model, local_index, memory_bytes, driver, facts, health)
  where d.id = v.id`;
