/** Attempts, allocations and usage name rows of others: what does not exist, or is another tenant's, is refused, and what is named stays. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attemptLedger } from '../../../src/cmo/jobs/index.ts';
import { withClient } from '../../../src/common/database/connection.ts';
import { withSystem } from '../../../src/common/database/index.ts';
import { newId } from '../../../src/common/ids.ts';
import { commitPlan } from '../../../src/drm/allocator/index.ts';
import { createSite, registerNode } from '../../../src/drm/tracker/index.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { addJobs, addTenant, device, deviceIds, inventory, placement, rank } from './support/fleet.ts';

let database: TestDatabase;
let other: { tenant: string; project: string };
/** Of the one placement: names of rows that exist. */
let known: Record<'tenant' | 'job' | 'idle' | 'attempt' | 'allocation' | 'node' | 'device' | 'spare', string>;

beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database;
  const owner = await withSystem(db, addTenant);
  other = await withSystem(db, addTenant);
  const site = await withSystem(db, (tx) => createSite(tx, { name: 'here' }, 'test'));
  const node = newId('node') as string;
  const reported = [device('g0'), device('g1', { index: 1 })];
  await withSystem(db, (tx) =>
    registerNode(tx, { nodeId: node, siteId: site.id, inventory: inventory({ devices: reported }) }),
  );
  const [gpu, spare] = [...(await withSystem(db, (tx) => deviceIds(tx, node))).values()];
  const [job, idle, third] = await withSystem(db, (tx) => addJobs(tx, owner, 3));
  const plan = { placements: [placement(job!, site.id, rank(node, [gpu!]))] };
  const { committed } = await commitPlan(db, plan, attemptLedger);
  const { attemptId, allocationId } = committed[0]!;
  known = {
    tenant: owner.tenant,
    job: job!,
    idle: idle!,
    attempt: attemptId,
    allocation: allocationId,
    node,
    device: gpu!,
    spare: spare!,
  };
  await run(attempt, { id: 'bare', idle: third! });
});
afterAll(() => database?.drop());

/** Runs a statement in which `:name` stands for a value of `known`, or of `over`. */
function run(statement: string, over: Record<string, string> = {}): Promise<unknown> {
  const values = { ...known, bare: 'bare', ...over } as Record<string, string>;
  const text = statement.replace(/:([a-z]+)/g, (_, name: string) => `'${values[name]}'`);
  return withClient(database.admin, (client) => client.query(text));
}

const attempt = `insert into cmo_attempts (id, tenant, job_id, number, backend, site_id, explanation) values (:id, :tenant, :idle, 1, 'agent', 's', '{}')`;
const attemptRank = `insert into cmo_attempt_ranks (attempt_id, tenant, rank, node_id) values (:attempt, :tenant, 7, :node)`;
const allocation = `insert into drm_allocations (id, tenant, job_id, attempt_id, token) values (:id, :tenant, :job, :bare, 1)`;
const part = `insert into drm_allocation_nodes (allocation_id, tenant, rank, node_id, cpu_milli, memory_bytes, disk_bytes) values (:allocation, :tenant, 7, :node, 1, 1, 1)`;
const share = `insert into drm_allocation_devices (allocation_id, tenant, rank, device_id, milli) values (:allocation, :tenant, 0, :spare, 1)`;
const usage = `insert into billing_usage_intervals (id, tenant, project, job_id, attempt_id, rank, node_id, site_id, cpu_milli, memory_bytes, device_milli, devices, device_usd_per_hour, cpu_usd_per_hour, memory_usd_per_hour, started_at) values (:id, :tenant, 'p', :job, :id, 0, 'n', 's', 1, 1, 0, '[]', 0, 0, 0, now())`;

const refused = { code: '23503' };

describe('rows that name others', () => {
  it.each([
    ['an attempt', attempt, ['idle', 'tenant']],
    ['a rank of an attempt', attemptRank, ['attempt', 'tenant']],
    ['an allocation', allocation, ['bare', 'tenant']],
    ['a part of an allocation', part, ['allocation', 'node', 'tenant']],
    ['a share of a device', share, ['allocation', 'spare', 'tenant']],
    ['usage', usage, ['job', 'tenant']],
  ] as const)(
    'of %s are refused when the other does not exist or is not of the tenant',
    async (_, statement, names) => {
      for (const name of names) {
        const value = name === 'tenant' ? other.tenant : 'nothing';
        await expect(run(statement, { id: 'new', [name]: value }), name).rejects.toMatchObject(refused);
      }
    },
  );

  it('are refused together, when one of many names nothing', async () => {
    const many = `${attemptRank}, ('nothing', :tenant, 8, :node)`;
    await expect(run(many)).rejects.toMatchObject(refused);
    await run(attemptRank);
  });

  it.each([
    ['a job with an attempt', 'cmo_jobs', 'id = :job'],
    ['an attempt with ranks', 'cmo_attempts', 'id = :attempt'],
    ['an allocation with parts', 'drm_allocations', 'id = :allocation'],
    ['a part with shares', 'drm_allocation_nodes', 'allocation_id = :allocation and rank = 0'],
    ['a node that is held', 'drm_nodes', 'id = :node'],
    ['a device that is held', 'drm_devices', 'id = :device'],
  ])('keep %s', async (_, table, where) => {
    const key = table === 'drm_allocation_nodes' ? 'allocation_id' : 'id';
    const kept = { ...refused, message: expect.stringContaining(`a row of ${table} is named by`) };
    await expect(run(`delete from ${table} where ${where}`)).rejects.toMatchObject(kept);
    await expect(run(`update ${table} set ${key} = 'another' where ${where}`)).rejects.toMatchObject(kept);
  });

  it('keep a job that was billed and has no attempt any more', async () => {
    await run(usage, { id: 'use_idle', job: known.idle });
    await expect(run('delete from cmo_jobs where id = :idle')).rejects.toMatchObject(refused);
  });

  it('let go of what nothing names', async () => {
    await run(`delete from billing_usage_intervals where id = 'use_idle'`);
    await run('delete from cmo_jobs where id = :idle');
  });
});
