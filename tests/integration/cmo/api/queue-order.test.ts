/** The order of the queue, and where a job was placed, as people are shown them, on a database in which the real scheduler plays the line. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertJob } from '../../../../src/cmo/jobs/index.ts';
import { setAccount, type WorkloadScheduler } from '../../../../src/cmo/scheduler/index.ts';
import type { CallAnswer } from '../../../../src/common/contract/client.ts';
import { jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';
import { type Tx, withSystem } from '../../../../src/common/database/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { createSite, registerNode } from '../../../../src/drm/tracker/index.ts';
import { until } from '../../../support/until.ts';
import { device, inventory } from '../../drm/support/fleet.ts';
import { jobReaches, startScheduler } from '../scheduler/support/running-scheduler.ts';
import { startApi, type TestApi } from './harness.ts';

type Queue = CallAnswer<'getQueue'>;

let api: TestApi;
let scheduler: WorkloadScheduler;
const system = <T>(fn: (tx: Tx) => Promise<T>) => withSystem(api.database.db, fn);

beforeAll(async () => {
  api = await startApi();
  const site = await system((tx) => createSite(tx, { name: 'here' }, 'test'));
  const known = inventory({ name: 'n-one', devices: [device('g0')] });
  await system((tx) => registerNode(tx, { nodeId: newId('node'), siteId: site.id, inventory: known }));
  scheduler = await startScheduler(api.database.db, api.deps.wake);
}, 60_000);
afterAll(async () => {
  await scheduler?.stop();
  await api?.close();
});

async function submit(project: string, name: string): Promise<string> {
  const spec = jobSpecSchema.parse({ name, command: 'true', resources: { devices: [{ count: 1 }] } });
  const owner = { tenant: api.tenantId, project };
  const [job] = await system((tx) => insertJob(tx, { ...owner, spec, submittedBy: 'key_test' }));
  api.deps.wake.wake('scheduler');
  return job!.id;
}

describe('the queue of a tenant whose projects share', () => {
  it('is shown in the order in which the scheduler will take it, and what runs with the names of its candidates', async () => {
    const other = newId('project') as string;
    await system((tx) => tx.query(`insert into cmo_projects values ($1, $2, 'other')`, [other, api.tenantId]));
    await system((tx) => setAccount(tx, { tenant: api.tenantId, project: other, weight: 1, quotas: [] } as never));
    const runs = await submit(api.projectId, 'runs');
    await jobReaches(api.database.db, runs, { state: 'starting' });
    const { json: placed } = await api.ask(api.adminKey, 'GET', `/v1/jobs/${runs}`);
    expect(placed.attempts[0].explanation.candidates).toMatchObject([{ nodeName: 'n-one', siteName: 'here' }]);
    const old = [await submit(api.projectId, 'old-1'), await submit(api.projectId, 'old-2')];
    const young = await submit(other, 'young');
    const queue = await until(
      'each has a place of its own, which is written anew every half minute',
      async () => {
        const { json } = await api.ask(api.adminKey, 'GET', '/v1/queue');
        const { items } = json as Queue;
        const places = new Set(items.flatMap(({ ahead }) => ahead ?? []));
        return items.length === 3 && places.size === 3 ? items : undefined;
      },
      90_000,
    );
    // The other project holds nothing, so its job goes first though it came last.
    expect(queue.map(({ position, ahead, id }) => [position, ahead, id])).toEqual([
      [1, 0, young],
      [2, 1, old[0]],
      [3, 2, old[1]],
    ]);
    const { json } = await api.ask(api.adminKey, 'GET', '/v1/queue?limit=1');
    expect(json).toMatchObject({ waiting: 3, items: [{ id: young }] });
  }, 120_000);
});
