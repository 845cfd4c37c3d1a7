import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { insertJob } from '../../../../src/cmo/jobs/index.ts';
import { SchedulerThread } from '../../../../src/cmo/scheduler/index.ts';
import { jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';
import { type Tx, withSystem } from '../../../../src/common/database/index.ts';
import { LocalWake } from '../../../../src/common/events/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { silentLogger } from '../../../../src/common/logger.ts';
import { Traffic } from '../../../../src/common/traffic.ts';
import { createSite, registerNode } from '../../../../src/drm/tracker/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { until } from '../../../support/until.ts';
import { addTenant, inventory } from '../../drm/support/fleet.ts';

let database: TestDatabase;
let owner: { tenant: string; project: string };
let wake: LocalWake;
let registry: Registry;
let scheduler: SchedulerThread;

const system = <T>(fn: (tx: Tx) => Promise<T>) => withSystem(database.db, fn);

beforeEach(async () => {
  database = await createTestDatabase();
  owner = await system(addTenant);
  const site = await system((tx) => createSite(tx, { name: 'here' }, 'test'));
  await system((tx) => registerNode(tx, { nodeId: newId('node'), siteId: site.id, inventory: inventory() }));
  wake = new LocalWake();
  registry = new Registry();
  scheduler = new SchedulerThread({
    logins: database.db.logins,
    wake,
    logger: silentLogger,
    registry,
    traffic: new Traffic(),
  });
  scheduler.start();
  await until('the scheduler is ready', () => scheduler.ready());
});
afterEach(async () => {
  await scheduler?.stop();
  await database?.drop();
});

async function submit(): Promise<string> {
  const spec = jobSpecSchema.parse({ name: 'job', command: 'true' });
  const [job] = await system((tx) => insertJob(tx, { ...owner, spec, submittedBy: 'key_test' }));
  wake.wake('scheduler');
  return job!.id;
}

const started = (id: string) =>
  until(`${id} starts`, async () => {
    const { rows } = await database.db.system.query<{ state: string }>('select state from cmo_jobs where id = $1', [
      id,
    ]);
    return rows[0]!.state === 'starting';
  });

describe('SchedulerThread', () => {
  it('places jobs when it is woken, wakes others, and counts in the registry of the main thread', async () => {
    let woken = 0;
    wake.on('orchestrator', () => {
      woken += 1;
    });
    await started(await submit());
    await until('the orchestrator is woken', () => woken > 0);
    await until('the placement is counted', async () =>
      (await registry.metrics()).includes('solyx_scheduler_placements_total 1'),
    );
  });

  it('is started anew when its thread dies, and goes on', async () => {
    const before = scheduler.threadId;
    await scheduler.terminate();
    expect(scheduler.ready()).toBe(false);
    const job = await submit();
    await until('it is ready again', () => scheduler.ready());
    await started(job);
    expect(scheduler.threadId).not.toBe(before);
    expect(await registry.metrics()).toContain('solyx_scheduler_worker_restarts_total 1');
  });

  it('leaves no thread and no connection behind when it stops', async () => {
    await scheduler.stop();
    expect(scheduler.threadId).toBeUndefined();
    const { system } = database.db;
    await until('its connections are closed', async () => {
      const { rows } = await system.query<{ n: number }>(
        'select count(*)::int as n from pg_stat_activity where datname = current_database() and usename = current_user',
      );
      return rows[0]!.n <= system.totalCount;
    });
  });
});
