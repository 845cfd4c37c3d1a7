/** `solyx nodes moves` as a process, against a real API on whose database the real scheduler places jobs. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertJob } from '../../../src/cmo/jobs/index.ts';
import type { WorkloadScheduler } from '../../../src/cmo/scheduler/index.ts';
import type { CallAnswer } from '../../../src/common/contract/client.ts';
import { jobSpecSchema } from '../../../src/common/contract/job-spec.ts';
import { type Tx, withSystem } from '../../../src/common/database/index.ts';
import { newId } from '../../../src/common/ids.ts';
import { createSite, registerNode, type Site, setScheduling } from '../../../src/drm/tracker/index.ts';
import { until } from '../../support/until.ts';
import type { SpecInput } from '../../unit/cmo/scheduler/support/builders.ts';
import { startApi, type TestApi } from '../cmo/api/harness.ts';
import { jobReaches, startScheduler } from '../cmo/scheduler/support/running-scheduler.ts';
import { device, inventory } from '../drm/support/fleet.ts';

type Plan = CallAnswer<'planMoves'>;

const program = resolve(import.meta.dirname, '../../../bin/solyx.mjs');
let api: TestApi;
let url = '';
let scheduler: WorkloadScheduler;
let site: Site;
const system = <T>(fn: (tx: Tx) => Promise<T>) => withSystem(api.database.db, fn);

beforeAll(async () => {
  api = await startApi();
  url = await api.app.listen({ port: 0, host: '127.0.0.1' });
  site = await system((tx) => createSite(tx, { name: 'here' }, 'test'));
  scheduler = await startScheduler(api.database.db, api.deps.wake);
}, 60_000);
afterAll(async () => {
  await scheduler?.stop();
  await api?.close();
});

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const solyx = (words: readonly string[], key = api.adminKey): Promise<Ran> =>
  new Promise((done) => {
    const env = { PATH: process.env.PATH, SOLYX_HOME: api.home, SOLYX_URL: url, SOLYX_API_KEY: key, NO_COLOR: '1' };
    execFile(
      process.execPath,
      [program, 'nodes', 'moves', ...words],
      { env, timeout: 60_000 },
      (error, stdout, stderr) => done({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
  });
const ask = async (query = ''): Promise<Plan> => (await api.ask(api.adminKey, 'GET', `/v1/moves${query}`)).json as Plan;

async function addNode(name: string): Promise<string> {
  const nodeId = newId('node') as string;
  const devices = ['a', 'b'].map((uuid, index) => device(`${name}-${uuid}`, { index }));
  await system((tx) => registerNode(tx, { nodeId, siteId: site.id, inventory: inventory({ name, devices }) }));
  return nodeId;
}

async function submit(spec: SpecInput & { readonly name: string }): Promise<string> {
  const parsed = jobSpecSchema.parse({ command: 'true', ...spec });
  const owner = { tenant: api.tenantId, project: api.projectId };
  const [job] = await system((tx) => insertJob(tx, { ...owner, spec: parsed, submittedBy: 'key_test' }));
  api.deps.wake.wake('scheduler');
  return job!.id;
}

describe('solyx nodes moves', () => {
  it('says why it proposes nothing, what a move is worth when one is, and moves nothing', async () => {
    expect(await solyx([])).toMatchObject({ code: 0, stdout: expect.stringContaining('Nothing runs.') });
    // Each of two nodes of two devices gets a job on one device while the other node is closed.
    const one = await addNode('n-one');
    const first = await submit({ name: 'first', resources: { devices: [{ count: 1 }] } });
    await jobReaches(api.database.db, first, { state: 'starting' });
    await system((tx) => setScheduling(tx, one, 'cordoned', 'test'));
    await addNode('n-two');
    const second = await submit({ name: 'second', resources: { devices: [{ count: 1 }] } });
    await jobReaches(api.database.db, second, { state: 'starting' });
    await system((tx) => setScheduling(tx, one, 'open', 'test'));
    await until('both are seen to run', async () => (await ask()).considered === 2, 30_000);
    // What comes are jobs of one device so far, of which each free one is of use.
    expect((await solyx([])).stdout).toContain(
      'Nothing is worth moving: no move makes at least 0.25 of a device useful',
    );

    const waiting = await submit({ name: 'wide', array: { count: 20 }, resources: { devices: [{ count: 2 }] } });
    await jobReaches(api.database.db, waiting, { state: 'queued', reason: 'insufficient_capacity' });
    const plan = await until('the move is proposed', async () => {
      const asked = await ask();
      return asked.moves.length > 0 ? asked : undefined;
    });
    expect(plan).toMatchObject({ devices: 1, running: 2, considered: 2, message: null });
    const [move] = plan.moves;
    expect([first, second]).toContain(move!.job.id);
    expect([move!.from.name, move!.to.name].sort()).toEqual(['n-one', 'n-two']);
    expect(move).toMatchObject({ devices: 1, site: { name: 'here' }, project: { name: 'default' } });
    expect(move!.worth).toBeCloseTo(move!.usefulDevices, 9);
    expect(move!.worth).toBeGreaterThan(0.25);
    // At half weight one of the two devices that are free together afterwards.
    expect(plan.uselessDevices).toBeGreaterThanOrEqual(plan.usefulDevices);
    expect(plan.usefulDevices).toBeLessThanOrEqual(2);

    const table = (await solyx([])).stdout;
    expect(table).toMatch(/# +JOB +NAME +TENANT +FROM +TO +DEVICES +USEFUL +EACH +WORK LOST +ENDS\n/);
    expect(table).toMatch(/ n-(one|two) +n-(one|two) \(here\) +1 +\+\d/);
    expect(table).toContain('Nothing was moved.');
    expect(JSON.parse((await solyx(['--json', '--limit', '1'])).stdout)).toMatchObject({ moves: [{ devices: 1 }] });
    expect((await ask('?leastWorth=900')).message).toContain('no move makes at least 900 of a device');
    const { rows } = await system((tx) =>
      tx.query(`select from cmo_jobs where id = any($1::text[]) and state = 'starting' and stop_reason is null`, [
        [first, second],
      ]),
    );
    expect(rows).toHaveLength(2);
  }, 240_000);

  it('refuses nonsense and who is no operator', async () => {
    const { tenantId, projectId } = await api.makeTenant('stranger');
    const stranger = await api.makeKey({ tenantId, projectId, role: 'admin' });
    const refused = await solyx([], stranger.text);
    expect(refused).toMatchObject({ code: expect.any(Number), stdout: '' });
    expect(refused.stderr).toMatch(/^(forbidden|operator_only): /);
    expect((await solyx(['--limit', '0'])).stderr).toContain('Expected a whole number from 1 to 100.');
    expect((await solyx(['--least-worth', 'much'])).stderr).toContain('Expected a number from 0 to 1000.');
    for (const query of ['?limit=0', '?limit=101', '?leastWorth=-1', '?leastWorth=NaN', '?more=1']) {
      expect((await api.ask(api.adminKey, 'GET', `/v1/moves${query}`)).status).toBe(422);
    }
  }, 120_000);
});
