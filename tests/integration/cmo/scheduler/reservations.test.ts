import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attemptLedger, insertJob } from '../../../../src/cmo/jobs/index.ts';
import { setAccount } from '../../../../src/cmo/scheduler/accounts/account-rows.ts';
import type { WorkloadScheduler } from '../../../../src/cmo/scheduler/index.ts';
import { jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';
import { type Tx, withSystem, withTenant } from '../../../../src/common/database/index.ts';
import { LocalWake } from '../../../../src/common/events/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import {
  bookedAmounts,
  bookNodes,
  cancelBooking,
  commitPlan,
  getReservation,
  keepReservations,
  type NewReservation,
  readBookings,
} from '../../../../src/drm/allocator/index.ts';
import { createSite, registerNode, type Site } from '../../../../src/drm/tracker/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { until } from '../../../support/until.ts';
import type { SpecInput } from '../../../unit/cmo/scheduler/support/builders.ts';
import { addJobs, addTenant, device, inventory, placement, rank } from '../../drm/support/fleet.ts';
import { jobReaches, startScheduler } from './support/running-scheduler.ts';

type Owner = { readonly tenant: string; readonly project: string };

let database: TestDatabase;
let site: Site;
let wake: LocalWake;
let scheduler: WorkloadScheduler | undefined;
let mine: Owner;
let others: Owner;
const system = <T>(fn: (tx: Tx) => Promise<T>) => withSystem(database.db, fn);

beforeEach(async () => {
  database = await createTestDatabase();
  site = await system((tx) => createSite(tx, { name: 'here' }, 'test'));
  wake = new LocalWake();
  mine = await system(addTenant);
  others = await system(addTenant);
});
afterEach(async () => {
  await scheduler?.stop();
  scheduler = undefined;
  await database?.drop();
});

async function addNode(labels: Record<string, string> = {}, gpus = 2, model = 'H100'): Promise<string> {
  const nodeId = newId('node') as string;
  const devices = Array.from({ length: gpus }, (_, index) => device(`g${index}`, { index, model }));
  await system((tx) => registerNode(tx, { nodeId, siteId: site.id, inventory: inventory({ devices, labels }) }));
  return nodeId;
}

const seconds = (count: number) => new Date(Date.now() + count * 1000);
const wish = (more: Partial<NewReservation> = {}): NewReservation => ({
  tenant: mine.tenant,
  project: null,
  name: 'demo',
  wanted: { nodes: 1, labels: {} },
  startsAt: seconds(3600),
  endsAt: seconds(7200),
  by: 'key_test',
  ...more,
});
const book = (more: Partial<NewReservation> = {}) => system((tx) => bookNodes(tx, wish(more)));
const nodesOf = async (id: string) =>
  (await system((tx) => getReservation(tx, id, null)))!.nodes.map((node) => node.id);

async function start(): Promise<void> {
  scheduler = await startScheduler(database.db, wake);
}

async function submit(owner: Owner, more: SpecInput = {}): Promise<string> {
  const spec = jobSpecSchema.parse({ name: 'job', command: 'true', resources: { devices: [{ count: 1 }] }, ...more });
  const [job] = await system((tx) => insertJob(tx, { ...owner, spec, submittedBy: 'key_test' }));
  wake.wake('scheduler');
  return job!.id;
}

const reaches = (id: string, wanted: Readonly<Record<string, string>>) => jobReaches(database.db, id, wanted);

describe('nodes are reserved', () => {
  it('by labels, site and devices, those with least work first', async () => {
    const red = await addNode({ rack: 'red' });
    const blue = await addNode({ rack: 'blue' }, 4);
    const old = await addNode({ rack: 'blue' }, 4, 'V100');
    expect(await nodesOf(await book({ wanted: { nodes: 1, labels: { rack: ['red', 'green'] } } }))).toEqual([red]);
    const h100 = { kind: 'gpu', model: 'h100', count: 3 } as const;
    expect(await nodesOf(await book({ wanted: { devices: h100, labels: { rack: ['blue'] } } }))).toEqual([blue]);
    const conflict = book({ wanted: { devices: h100, labels: {} } });
    await expect(conflict).rejects.toThrow(
      '3 × h100 wanted; 2 nodes that are ready match, of which 0 are not reserved',
    );
    await expect(book({ wanted: { nodes: 1, labels: {}, site: 'elsewhere' } })).rejects.toThrow('0 nodes');
    expect(await nodesOf(await book({ wanted: { nodes: 1, labels: {} } }))).toEqual([old]);
    expect(await system((tx) => bookedAmounts(tx, mine.tenant, seconds(0), seconds(9999)))).toMatchObject({
      gpu: 10,
      cpuMilli: 48_000,
    });
  }, 60_000);

  it('once at a time: the same nodes before and after, not over', async () => {
    await addNode();
    const [from, to] = [seconds(3600), seconds(7200)];
    const first = await book({ startsAt: from, endsAt: to });
    await book({ startsAt: to, endsAt: seconds(9000) });
    await book({ startsAt: seconds(10), endsAt: from });
    await expect(book({ tenant: others.tenant, startsAt: seconds(7100), endsAt: seconds(7150) })).rejects.toThrow(
      '0 are',
    );
    expect(await system((tx) => cancelBooking(tx, first))).toBe(true);
    expect(await system((tx) => cancelBooking(tx, first))).toBe(false);
    await book({ tenant: others.tenant, startsAt: from, endsAt: to });
  }, 60_000);

  it('by one of two who ask at the same moment', async () => {
    for (let i = 0; i < 2; i += 1) await addNode();
    const two = { wanted: { nodes: 2, labels: {} } };
    const made = await Promise.allSettled(Array.from({ length: 6 }, () => book(two)));
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await system(readBookings)).toHaveLength(1);
    const { rows } = await system((tx) => tx.query('select from drm_calendar'));
    expect(rows).toHaveLength(2);
    await expect(
      system((tx) =>
        tx.query(`insert into drm_calendar select reservation || 'x', tenant, node_id, span from drm_calendar`),
      ),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^23/) });
  }, 60_000);

  it('for who may see them: their tenant, which cannot write them', async () => {
    await addNode();
    await book();
    const seen = (tenant: string, table: string) =>
      withTenant(database.db, tenant, async (tx) => (await tx.query(`select from ${table}`)).rows.length);
    for (const table of ['drm_reservations', 'drm_calendar']) {
      expect([await seen(mine.tenant, table), await seen(others.tenant, table)]).toEqual([1, 0]);
      await expect(
        withTenant(database.db, mine.tenant, (tx) => tx.query(`delete from ${table}`)),
      ).rejects.toMatchObject({ code: '42501' });
    }
  }, 60_000);
});

describe('a commit', () => {
  it('refuses who may stand there when the node is promised, also of a plan that knew nothing of it', async () => {
    const nodeId = await addNode({}, 0);
    const [a, b, c, d] = await system((tx) => addJobs(tx, others, 4));
    const id = await book();
    const plan = (job: string, calendar?: { endsBy: number; reservations: string[] }) => ({
      ...placement(job, site.id, rank(nodeId)),
      ...(calendar && { calendar }),
    });
    const at = (count: number) => seconds(count).getTime();
    const { committed, refused } = await commitPlan(
      database.db,
      {
        placements: [
          plan(a!),
          plan(b!, { endsBy: at(5000), reservations: ['rsv_other'] }),
          plan(c!, { endsBy: at(1000), reservations: [] }),
          plan(d!, { endsBy: at(99_999), reservations: [id] }),
        ],
      },
      attemptLedger,
    );
    expect(committed.map(({ jobId }) => jobId)).toEqual([c, d]);
    expect(refused.map(({ jobId, code }) => [jobId, code])).toEqual([
      [a, 'capacity_taken'],
      [b, 'capacity_taken'],
    ]);
    await system((tx) => cancelBooking(tx, id));
    expect((await commitPlan(database.db, { placements: [plan(a!)] }, attemptLedger)).committed).toHaveLength(1);
  }, 60_000);

  it('that waited for who reserves sees what was reserved', async () => {
    const nodeId = await addNode({}, 0);
    const [job] = await system((tx) => addJobs(tx, others, 1));
    let committing: ReturnType<typeof commitPlan> | undefined;
    await system(async (tx) => {
      await bookNodes(tx, wish());
      committing = commitPlan(database.db, { placements: [placement(job!, site.id, rank(nodeId))] }, attemptLedger);
      await until('the commit waits for the node', async () => {
        const { rows } = await database.db.system.query(
          `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
        );
        return rows.length > 0;
      });
    });
    expect((await committing!).refused.map(({ code }) => code)).toEqual(['capacity_taken']);
  }, 60_000);
});

describe('upkeep', () => {
  it('ends what is over and gives the nodes back', async () => {
    await addNode();
    const id = await book({ startsAt: seconds(-20), endsAt: seconds(-10) });
    await system(keepReservations);
    expect(await system((tx) => getReservation(tx, id, null))).toMatchObject({
      state: 'ended',
      nodes: [],
      nodeCount: 1,
    });
    expect(await system((tx) => cancelBooking(tx, id))).toBe(false);
    await system((tx) => tx.query(`update drm_reservations set ended_at = now() - interval '91 days'`));
    await system(keepReservations);
    expect(await system((tx) => getReservation(tx, id, null))).toBeUndefined();
  }, 60_000);

  it('replaces nodes that vanish by others that are as wished, keeps lost ones while there are none, and gives removed ones up', async () => {
    const [first, second] = [await addNode({ rack: 'red' }), await addNode({ rack: 'red' })];
    await addNode({ rack: 'blue' });
    const id = await book({ wanted: { nodes: 2, labels: { rack: ['red'] } } });
    const become = (node: string, presence: string) =>
      system((tx) => tx.query('update drm_nodes set presence = $2 where id = $1', [node, presence]));
    await become(first!, 'lost');
    await system(keepReservations);
    expect((await nodesOf(id)).sort()).toEqual([first, second].sort());
    expect((await system((tx) => getReservation(tx, id, null)))!.nodes.filter(({ ready }) => ready)).toHaveLength(1);

    const third = await addNode({ rack: 'red' });
    await system(keepReservations);
    expect((await nodesOf(id)).sort()).toEqual([second, third].sort());
    await become(second!, 'removed');
    await system(keepReservations);
    expect(await nodesOf(id)).toEqual([third]);
    await become(first!, 'ready');
    await system(keepReservations);
    expect((await nodesOf(id)).sort()).toEqual([first, third].sort());
  }, 60_000);
});

describe('the running scheduler', () => {
  it('keeps jobs of others off, says why, and lets the owner’s on in its time', async () => {
    await addNode();
    const id = await book({ startsAt: seconds(600), endsAt: seconds(1200) });
    await start();
    const long = await submit(others);
    const { message } = await reaches(long, { reason: 'reserved_for_others' });
    expect(message).toContain('nobody knows how long it runs');
    expect(message).not.toContain(mine.tenant);
    await reaches(await submit(others, { timeouts: { run: '2m' } }), { state: 'starting' });
    await reaches(await submit(mine), { state: 'starting' });
    await system((tx) => cancelBooking(tx, id));
    wake.wake('scheduler');
    await reaches(long, { reason: 'insufficient_capacity' });
  }, 120_000);

  it('ends what is there when it begins, whoever it is, and starts its owner’s there', async () => {
    await addNode();
    await start();
    const running = await submit(others);
    await reaches(running, { state: 'starting' });
    await book({ project: mine.project, startsAt: seconds(1), endsAt: seconds(600) });
    wake.wake('scheduler');
    await reaches(running, { state: 'stopping', stop_reason: 'preempt' });
    await reaches(await submit(mine), { state: 'starting' });
  }, 120_000);

  it('looks at quotas as ever: what is reserved is no allowance', async () => {
    await addNode();
    await system((tx) =>
      setAccount(tx, {
        tenant: mine.tenant,
        weight: 1,
        quotas: [{ resource: 'gpu', guaranteed: 0, borrowLimit: 1000 }],
      }),
    );
    await book({ startsAt: seconds(-1), endsAt: seconds(600) });
    await start();
    await reaches(await submit(mine), { state: 'starting' });
    await reaches(await submit(mine), { reason: 'quota_exhausted' });
  }, 120_000);
});
