import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { insertJob } from '../../../../src/cmo/jobs/index.ts';
import { createPreview, setAccount, type WorkloadScheduler } from '../../../../src/cmo/scheduler/index.ts';
import { systemClock } from '../../../../src/common/clock.ts';
import { jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';
import { type Tx, withSystem } from '../../../../src/common/database/index.ts';
import { LocalWake } from '../../../../src/common/events/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { bookNodes } from '../../../../src/drm/allocator/index.ts';
import { createSite, registerNode, type Site } from '../../../../src/drm/tracker/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { until } from '../../../support/until.ts';
import type { SpecInput } from '../../../unit/cmo/scheduler/support/builders.ts';
import { addTenant, device, inventory } from '../../drm/support/fleet.ts';
import { startScheduler } from './support/running-scheduler.ts';

type Owner = { readonly tenant: string; readonly project: string };

let database: TestDatabase;
let owner: Owner;
let site: Site;
let wake: LocalWake;
let scheduler: WorkloadScheduler | undefined;
let preview: ReturnType<typeof createPreview>;
const system = <T>(fn: (tx: Tx) => Promise<T>) => withSystem(database.db, fn);

beforeEach(async () => {
  database = await createTestDatabase();
  owner = await system(addTenant);
  site = await system((tx) => createSite(tx, { name: 'here', labels: { tier: 'gold' } }, 'test'));
  wake = new LocalWake();
  preview = createPreview(database.db, systemClock, { reserveAfterSeconds: 1 });
});
afterEach(async () => {
  await preview.stop();
  await scheduler?.stop();
  scheduler = undefined;
  await database?.drop();
});

async function start(): Promise<void> {
  scheduler = await startScheduler(database.db, wake, { reserveAfterSeconds: 1 });
}

async function addNode(devices: number, more: object = {}, labels: Record<string, string> = {}): Promise<string> {
  const nodeId = newId('node') as string;
  const reported = Array.from({ length: devices }, (_, index) => device(`g${index}`, { index, ...more }));
  const known = inventory({ devices: reported, labels });
  await system((tx) => registerNode(tx, { nodeId, siteId: site.id, inventory: known }));
  return nodeId;
}

const specOf = (spec: SpecInput) => jobSpecSchema.parse({ name: 'job', command: 'true', ...spec });
const gpus = (count: number, more: SpecInput = {}): SpecInput => ({ resources: { devices: [{ count }] }, ...more });

async function submit(spec: SpecInput, whose = owner): Promise<string> {
  const [job] = await system((tx) => insertJob(tx, { ...whose, spec: specOf(spec), submittedBy: 'key_test' }));
  wake.wake('scheduler');
  return job!.id;
}
const ask = (spec: SpecInput, whose = owner) => preview(specOf(spec), { ...whose, submittedBy: 'key_test' });

interface Row {
  readonly state: string;
  readonly reason: string | null;
  readonly message: string | null;
  readonly expected: string | null;
  readonly nodes: readonly string[];
}
async function rowOf(id: string): Promise<Row> {
  const { rows } = await system((tx) =>
    tx.query<Row>(
      `select state, pending_reason as reason, pending_detail ->> 'message' as message, pending_detail ->> 'expectedAt' as expected,
              array(select n.node_id from drm_allocations a join drm_allocation_nodes n on n.allocation_id = a.id
                    where a.job_id = j.id order by n.rank) as nodes
       from cmo_jobs j where id = $1`,
      [id],
    ),
  );
  return rows[0]!;
}
/** Threads start slowly where much else runs. */
const patience = 40_000;
const started = (id: string) =>
  until(`${id} starts`, async () => ((await rowOf(id)).state === 'starting' ? rowOf(id) : undefined), patience);
const waits = (id: string, reason: string) =>
  until(
    `${id} waits with ${reason}`,
    async () => {
      const row = await rowOf(id);
      return row.reason === reason ? row : undefined;
    },
    patience,
  );

describe('a dry run', () => {
  it('says what the queue says: quota, room and when it comes, and how many go before', async () => {
    await addNode(2);
    await start();
    const first = await submit(gpus(2, { timeouts: { run: '30m' } }));
    await started(first);
    const busy = await ask(gpus(1));
    expect(busy).toMatchObject({ startsNow: false, reason: 'insufficient_capacity', ahead: 0 });
    expect(busy.message).toContain(`when ${first} ends.`);
    expect(Date.parse(busy.expectedAt!) - Date.now()).toBeGreaterThan(25 * 60_000);
    const queued = await waits(await submit(gpus(1)), 'insufficient_capacity');
    expect(Math.abs(Date.parse(queued.expected!) - Date.parse(busy.expectedAt!))).toBeLessThan(60_000);

    const other = await system(addTenant);
    const stranger = await until('the queue is read again', async () => {
      const answer = await ask(gpus(1), other);
      return answer.reason === 'insufficient_capacity' ? answer : undefined;
    });
    expect(stranger.message).not.toContain(first);
    expect(stranger.message).toMatch(/when other work there ends|kept for jobs before it, the first of which/);
    expect(stranger.ahead).toBe(0);
    expect((await ask(gpus(1))).ahead).toBe(1);

    await system((tx) =>
      setAccount(tx, {
        tenant: owner.tenant,
        weight: 1,
        quotas: [{ resource: 'gpu', guaranteed: 2000, borrowLimit: 0 }],
      } as never),
    );
    const refused = await until('the quota is known', async () => {
      const answer = await ask(gpus(1));
      return answer.reason === 'quota_exhausted' ? answer : undefined;
    });
    expect(refused.message).toContain('uses 2 of the 2 gpu');
    expect(refused.expectedAt).not.toBeNull();
    expect((await ask(gpus(1), other)).reason).toBe('insufficient_capacity');
  });

  it('foresees ends from what ran before, without any time limit', async () => {
    await addNode(1);
    for (let i = 0; i < 20; i += 1) {
      const id = await submit(gpus(1));
      await system(async (tx) => {
        await tx.query(
          `update cmo_jobs set state = 'succeeded', pending_reason = null, attempt_count = 1, ended_at = now() - interval '1 hour'
           where id = $1`,
          [id],
        );
        await tx.query(
          `insert into cmo_attempts (id, tenant, job_id, number, state, outcome, backend, site_id, explanation, placed_at, ended_at)
           values ($1, $2, $3, 1, 'ended', 'succeeded', 'agent', $4, '{}', now() - interval '2 hours', now() - interval '1 hour')`,
          [newId('attempt'), owner.tenant, id, site.id],
        );
      });
    }
    await start();
    await started(await submit(gpus(1)));
    const busy = await ask(gpus(1));
    expect(busy.reason).toBe('insufficient_capacity');
    expect(busy.expectedAt).not.toBeNull();
  });

  it('says that it would start, how many tasks of an array, and what it would wait for', async () => {
    await addNode(2);
    await start();
    expect(await ask(gpus(1))).toMatchObject({ startsNow: true, reason: null, expectedAt: null });
    const array = await ask(gpus(1, { array: { count: 3 } }));
    expect(array).toMatchObject({ startsNow: false, reason: 'insufficient_capacity' });
    expect(array.message).toContain('2 of 3 tasks would start at once');
    const first = await submit({});
    await started(first);
    const after = await ask(gpus(1, { after: [first] }));
    expect(after).toMatchObject({ startsNow: false, reason: 'waits_for_jobs' });
    expect(after.message).toContain(`It would wait for ${first} (succeeded).`);
    expect((await ask(gpus(1, { after: [{ job: first, when: 'started' }] }))).reason).toBe('waits_for_jobs');
    expect(await ask({ earliestStart: '2999-01-01T00:00:00Z' })).toMatchObject({ reason: 'earliest_start' });
  });
});

describe('a dry run of who has nodes reserved, and of others,', () => {
  it('says what each will be told', async () => {
    await addNode(2);
    const other = await system(addTenant);
    await system((tx) =>
      bookNodes(tx, {
        ...owner,
        name: 'demo',
        wanted: { nodes: 1, labels: {} },
        startsAt: new Date(),
        endsAt: new Date(Date.now() + 3_600_000),
        by: 'test',
      }),
    );
    expect(await ask(gpus(1), other)).toMatchObject({ startsNow: false, reason: 'reserved_for_others' });
    expect(await ask(gpus(1))).toMatchObject({ startsNow: true });
  });
});

describe('placement in the running scheduler', () => {
  it('keeps jobs apart and beside each other by labels, spreads arrays, and matches labels of sites', async () => {
    const a = await addNode(1, {}, { rack: 'r1' });
    const b = await addNode(1, {}, { rack: 'r2' });
    await start();
    const labels = { app: 'db' };
    const placement: SpecInput['placement'] = { antiAffinity: [{ jobs: labels, within: 'rack' }] };
    const one = await started(await submit({ labels, placement }));
    const two = await started(await submit({ labels, placement }));
    expect([...one.nodes, ...two.nodes].sort()).toEqual([a, b].sort());
    const three = await submit({ labels, placement });
    expect((await waits(three, 'placement_rule')).message).toContain('one stands in each of the 2 racks');
    expect(await ask({ labels, placement })).toMatchObject({ startsNow: false, reason: 'placement_rule' });
    // Without a rule of its own it is kept away by theirs, as the running scheduler knows them and as rows tell a dry run.
    expect((await waits(await submit({ labels }), 'placement_rule')).message).toContain('Jobs that stand apart from');
    expect(await ask({ labels })).toMatchObject({ startsNow: false, reason: 'placement_rule' });

    const beside = { affinity: [{ jobs: { app: 'cache' } }] };
    const lonely = await submit({ placement: beside });
    expect((await waits(lonely, 'placement_rule')).message).toContain('none holds a node. It goes on when one starts.');
    const other = await system(addTenant);
    await started(await submit({ labels: { app: 'cache' } }, other));
    const cache = await started(await submit({ labels: { app: 'cache' } }));
    expect((await started(lonely)).nodes).toEqual(cache.nodes);

    const [task] = await system((tx) =>
      insertJob(tx, {
        ...owner,
        spec: specOf({ array: { count: 4 }, placement: { spread: { over: 'rack' } } }),
        submittedBy: 'key_test',
      }),
    );
    wake.wake('scheduler');
    await started(task!.id);
    const racks = await until('all tasks start', async () => {
      const { rows } = await system((tx) =>
        tx.query<{ node: string; tasks: number }>(
          `select n.node_id as node, count(*)::int as tasks from cmo_jobs j join drm_allocations al on al.job_id = j.id
           join drm_allocation_nodes n on n.allocation_id = al.id where j.array_id = $1 group by 1`,
          [task!.arrayId],
        ),
      );
      return rows.reduce((sum, { tasks }) => sum + tasks, 0) === 4 ? rows : undefined;
    });
    expect(racks.map(({ tasks }) => tasks)).toEqual([2, 2]);

    await started(await submit({ placement: { require: { 'site/tier': 'gold', 'site/name': 'here' } } }));
    await waits(await submit({ placement: { require: { 'site/tier': 'lead' } } }), 'no_matching_node');
  });

  it('follows a node that changes shape and place while it is used, and never gives more than there is', async () => {
    const nodeId = await addNode(2, {}, { rack: 'r1' });
    await start();
    const first = await started(await submit({ ...gpus(2), labels: { app: 'db' } }));
    expect(first.nodes).toEqual([nodeId]);
    // It comes back with one device of the two, less cpu, and in another rack.
    const shrunk = inventory({ devices: [device('g0', { index: 0 })], cpuMilli: 500, labels: { rack: 'r2' } });
    await system((tx) => registerNode(tx, { nodeId, siteId: site.id, inventory: shrunk }));
    wake.wake('scheduler');
    // The device that is gone is held still, and may come back.
    const two = await waits(await submit(gpus(2)), 'nodes_unavailable');
    expect(two.message).toContain('not while devices are unhealthy; it goes on when they are back');
    const apart: SpecInput = {
      resources: { cpu: 0.1 },
      placement: { require: {}, antiAffinity: [{ jobs: { app: 'db' }, within: 'rack' }] },
    };
    await addNode(0, {}, { rack: 'r1' });
    const beside = await started(await submit(apart));
    expect(beside.nodes).not.toEqual([nodeId]);
    const { rows } = await system((tx) =>
      tx.query<{ over: number }>(
        `select count(*)::int as over from drm_nodes where used_cpu_milli > cpu_milli or used_memory_bytes > memory_bytes`,
      ),
    );
    expect(rows[0]!.over).toBe(0);
    expect((await rowOf(await submit(gpus(1)))).state).toBe('queued');
  });

  it.each(['gpu', 'tpu', 'fpga'] as const)('gives a %s to who asks for one, and nothing else', async (kind) => {
    await addNode(0);
    await addNode(1, { kind, model: kind === 'gpu' ? 'A100' : `${kind}-1` });
    await start();
    const id = await submit({ resources: { devices: [{ kind }] } });
    await started(id);
    const { rows } = await system((tx) =>
      tx.query<{ kind: string; milli: number }>(
        `select d.kind, h.milli from drm_allocations a join drm_allocation_devices h on h.allocation_id = a.id
         join drm_devices d on d.id = h.device_id where a.job_id = $1`,
        [id],
      ),
    );
    expect(rows).toEqual([{ kind, milli: 1000 }]);
    const others = (['gpu', 'tpu', 'fpga'] as const).filter((one) => one !== kind);
    for (const one of others) {
      const row = await waits(await submit({ resources: { devices: [{ kind: one }] } }), 'no_matching_node');
      expect(row.message).toContain(`1 × ${one.toUpperCase()}`);
    }
    // Without devices: the node that has none is taken first.
    const plain = await started(await submit({}));
    expect(plain.nodes).toHaveLength(1);
  });
});
