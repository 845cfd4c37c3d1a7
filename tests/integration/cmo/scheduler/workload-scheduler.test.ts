import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { attemptLedger, insertJob, requestCancel } from '../../../../src/cmo/jobs/index.ts';
import {
  createPreview,
  replayRound,
  type SchedulerOptions,
  WorkloadScheduler,
} from '../../../../src/cmo/scheduler/index.ts';
import { SchedulerMetrics } from '../../../../src/cmo/scheduler/metrics.ts';
import { RoundWorker } from '../../../../src/cmo/scheduler/worker/round-worker.ts';
import { systemClock } from '../../../../src/common/clock.ts';
import { type JobSpec, jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';
import { type Tx, withSystem } from '../../../../src/common/database/index.ts';
import { LocalWake } from '../../../../src/common/events/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { silentLogger } from '../../../../src/common/logger.ts';
import { releaseAllocations } from '../../../../src/drm/allocator/index.ts';
import { createSite, registerNode, type Site } from '../../../../src/drm/tracker/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { until } from '../../../support/until.ts';
import type { SpecInput } from '../../../unit/cmo/scheduler/support/builders.ts';
import { addJobs, addTenant, device, inventory } from '../../drm/support/fleet.ts';

let database: TestDatabase;
let owner: { tenant: string; project: string };
let site: Site;
let wake: LocalWake;
let running: WorkloadScheduler[];

// A database for each test, since a scheduler looks at all there is.
beforeEach(async () => {
  database = await createTestDatabase();
  owner = await system(addTenant);
  site = await system((tx) => createSite(tx, { name: 'here' }, 'test'));
  wake = new LocalWake();
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((scheduler) => scheduler.stop()));
  await database?.drop();
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'solyx-scheduler-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const system = <T>(fn: (tx: Tx) => Promise<T>) => withSystem(database.db, fn);

async function start(more: Partial<SchedulerOptions> = {}): Promise<Registry> {
  const registry = new Registry();
  const metrics = new SchedulerMetrics(registry);
  const scheduler = new WorkloadScheduler({
    db: database.db,
    wake,
    clock: systemClock,
    logger: silentLogger,
    record: (metric) => metrics.record(metric),
    ledger: attemptLedger,
    resyncSeconds: 0.2,
    ...more,
  });
  running.push(scheduler);
  await scheduler.start();
  await until('the scheduler is ready', () => scheduler.ready());
  return registry;
}

async function addNode(devices = 0): Promise<string> {
  const nodeId = newId('node') as string;
  const reported = Array.from({ length: devices }, (_, index) => device(`g${index}`, { index }));
  await system((tx) => registerNode(tx, { nodeId, siteId: site.id, inventory: inventory({ devices: reported }) }));
  return nodeId;
}

async function submit(spec: SpecInput = {}): Promise<string> {
  const parsed = jobSpecSchema.parse({ name: 'job', command: 'true', ...spec });
  const [job] = await system((tx) => insertJob(tx, { ...owner, spec: parsed, submittedBy: 'key_test' }));
  wake.wake('scheduler');
  return job!.id;
}

interface Row {
  readonly state: string;
  readonly reason: string | null;
  readonly message: string | null;
}

async function rowOf(id: string): Promise<Row> {
  const statement = `select state, pending_reason as reason, pending_detail ->> 'message' as message from cmo_jobs where id = $1`;
  return (await system((tx) => tx.query<Row>(statement, [id]))).rows[0]!;
}

const started = (id: string) => until(`${id} starts`, async () => (await rowOf(id)).state === 'starting');
const waiting = (id: string, reason: string) =>
  until(`${id} waits with ${reason}`, async () => ((await rowOf(id)).reason === reason ? rowOf(id) : undefined));

describe('WorkloadScheduler', () => {
  it('starts what fits, says why the rest waits, and starts it when there is room', async () => {
    await addNode(2);
    const registry = await start();
    const first = await submit({ resources: { devices: [{ count: 2 }] } });
    await started(first);
    const second = await submit({ resources: { devices: [{ count: 1 }] } });
    const impossible = await submit({ resources: { devices: [{ count: 64, model: 'H100' }] } });
    expect((await waiting(second, 'insufficient_capacity')).message).toContain('Needs 1 more GPU on one node');
    expect((await waiting(impossible, 'no_matching_node')).message).toContain('64 × H100');
    await system(async (tx) => {
      const { rows } = await tx.query<{ id: string }>('select id from cmo_attempts where job_id = $1', [first]);
      await releaseAllocations(tx, [rows[0]!.id]);
    });
    wake.wake('scheduler');
    await started(second);
    const metrics = await registry.metrics();
    expect(metrics).toContain('solyx_scheduler_placements_total 2');
    await until('the gauge follows', async () =>
      (await registry.metrics()).includes('solyx_scheduler_pending_jobs{reason="no_matching_node"} 1'),
    );
  });

  it('starts the tasks of an array by their index, without those that were cancelled, after a restart, too', async () => {
    await addNode(2);
    const spec = jobSpecSchema.parse({
      name: 'job',
      command: 'true',
      array: { count: 9 },
      resources: { devices: [{}] },
    });
    const ids = (await system((tx) => insertJob(tx, { ...owner, spec, submittedBy: 'key_test' }))).map(({ id }) => id);
    const states = async () => {
      const { rows } = await system((tx) =>
        tx.query<Row>('select state, pending_reason as reason from cmo_jobs order by array_index'),
      );
      return rows.map(({ state, reason }) => reason ?? state);
    };
    const free = (index: number) =>
      system(async (tx) => {
        const { rows } = await tx.query<{ id: string }>('select id from cmo_attempts where job_id = $1', [ids[index]]);
        await releaseAllocations(tx, [rows[0]!.id]);
      });
    await start();
    await started(ids[1]!);
    await waiting(ids[8]!, 'insufficient_capacity');
    expect(await states()).toEqual([...Array(2).fill('starting'), ...Array(7).fill('insufficient_capacity')]);
    for (const index of [2, 5]) await system((tx) => requestCancel(tx, ids[index]!, 'test'));
    await free(0);
    wake.wake('scheduler');
    await started(ids[3]!);
    await running[0]!.stop();
    await start();
    for (const index of [1, 3]) await free(index);
    wake.wake('scheduler');
    await started(ids[6]!);
    await waiting(ids[7]!, 'insufficient_capacity');
    expect(await states()).toEqual([
      ...['starting', 'starting', 'cancelled', 'starting', 'starting', 'cancelled', 'starting'],
      ...['insufficient_capacity', 'insufficient_capacity'],
    ]);
  });

  it('wakes the orchestrator when something was placed', async () => {
    await addNode();
    let woken = 0;
    wake.on('orchestrator', () => {
      woken += 1;
    });
    await start();
    expect(woken).toBe(0);
    await started(await submit());
    expect(woken).toBeGreaterThan(0);
  });

  it('starts a job when its time has come, not before', async () => {
    await addNode();
    await start({ resyncSeconds: 30 });
    const at = Date.now() + 1_200;
    const id = await submit({ earliestStart: new Date(at).toISOString() });
    await waiting(id, 'earliest_start');
    await started(id);
    expect(Date.now()).toBeGreaterThanOrEqual(at);
  });

  it('shares the work with another scheduler, and nothing is given twice', async () => {
    for (let i = 0; i < 4; i += 1) await addNode(4);
    const ids = await Promise.all(Array.from({ length: 24 }, () => submit({ resources: { devices: [{ count: 1 }] } })));
    const registries = await Promise.all([start(), start()]);
    await until('all devices are in use', async () => {
      const rows = await Promise.all(ids.map(rowOf));
      return rows.filter(({ state }) => state === 'starting').length === 16;
    });
    const { rows } = await system((tx) => tx.query<{ used: number }>('select used_milli as used from drm_devices'));
    expect(rows.map(({ used }) => used)).toEqual(Array(16).fill(1000));
    const counts = await Promise.all(
      registries.map((one) => one.getSingleMetric('solyx_scheduler_placements_total')!.get()),
    );
    expect(counts.reduce((sum, { values }) => sum + values[0]!.value, 0)).toBe(16);
  });

  it('goes on with a new thread and everything read again when the thread dies', async () => {
    await addNode();
    const workers: RoundWorker[] = [];
    const startWorker = () => {
      workers.push(new RoundWorker());
      return workers.at(-1)!;
    };
    const registry = await start({ startWorker });
    await started(await submit());
    await workers[0]!.stop();
    await started(await submit());
    expect(workers).toHaveLength(2);
    expect(await registry.metrics()).toContain('solyx_scheduler_worker_restarts_total 1');
  });

  it('finds rows that changed without a key, counts them and reads them again', async () => {
    const nodeId = await addNode();
    const registry = await start({ resyncSeconds: 0.05, compareSeconds: 0 });
    const id = await submit({ resources: { cpu: 32 } });
    await waiting(id, 'no_matching_node');
    await system((tx) =>
      tx.query(
        'update drm_nodes set cpu_milli = 64000, observed_cpu_milli = 64000, revision = revision + 1 where id = $1',
        [nodeId],
      ),
    );
    await started(id);
    expect(await registry.metrics()).toContain('solyx_scheduler_snapshot_differences_total{kind="node"} 1');
  });

  it('is not stopped by a job whose spec cannot be read', async () => {
    await addNode();
    const [broken] = await system((tx) => addJobs(tx, owner, 1));
    await start();
    await started(await submit());
    expect((await waiting(broken!, 'no_matching_node')).message).toContain('makes no sense');
  });

  it('records its rounds, each of which replays to the identical plan', async () => {
    await addNode(2);
    await start({ recordRounds: folder });
    await submit({ resources: { devices: [{ count: 64 }] } });
    await started(await submit({ resources: { devices: [{ fraction: 0.5 }] } }));
    const files = await until('rounds are recorded', async () => {
      const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
      // The round that placed the job was written before the job started.
      return names.length > 1 ? names : undefined;
    });
    const placed: number[] = [];
    for (const name of files) {
      const { identical, recorded } = await replayRound(join(folder, name));
      expect(identical).toBe(true);
      placed.push(recorded.placements.length);
    }
    expect(Math.max(...placed)).toBe(1);
  });
});

describe('createPreview', () => {
  it('says what would happen, without a trace', async () => {
    await addNode(1);
    const asked = createPreview(database.db, systemClock);
    const preview = (spec: JobSpec) => asked(spec, { ...owner, submittedBy: 'key_test' });
    const spec = (resources: SpecInput['resources']) =>
      jobSpecSchema.parse({ name: 'job', command: 'true', resources });
    expect(await preview(spec({ devices: [{ count: 1 }] }))).toMatchObject({ startsNow: true, reason: null });
    expect(await preview(spec({ devices: [{ count: 2 }] }))).toMatchObject({
      startsNow: false,
      reason: 'no_matching_node',
      message: 'Needs 2 × GPU on one node; the largest node has 1 of them.',
      rejections: { device_count: 1 },
    });
    const { rows } = await system((tx) => tx.query('select from cmo_jobs'));
    expect(rows).toEqual([]);
  });
});
