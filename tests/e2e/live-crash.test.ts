/**
 * Nothing is lost on a live page when the server is killed: two clients follow a list while it changes and the server dies and
 * returns, and hold in the end what the API says, by resuming and not by loading anew.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LiveClient } from '../../dashboard/src/live/client.ts';
import { patchJob, patchJobs } from '../../dashboard/src/live/patch.ts';
import type { JobDetail, JobSummary } from '../../src/common/contract/live.ts';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

const jobs = 120;
const kills = 3;

let product: Product;
let url = '';
let key = '';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

beforeAll(async () => {
  const port = await freePort();
  product = new Product({ server: ['up', '--port', String(port)], env: { SOLYX_NODE_ENABLED: 'false' } });
  url = await product.up();
  key = readFileSync(join(product.home, 'admin.key'), 'utf8').trim();
});
afterAll(() => product.dispose());

async function ask<T>(method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!response.ok && response.status !== 409) throw new Error(`${path}: ${response.status}`);
  return (await response.json()) as T;
}

/** Asks until it is answered: the server may be away. */
const insist = <T>(method: string, path: string, body?: object): Promise<T> =>
  until(`${method} ${path} is answered`, () => ask<T>(method, path, body).catch(() => undefined), 60_000) as Promise<T>;

/** A page that shows the list and one job of it. */
class Page {
  rows: readonly JobSummary[] = [];
  detail: JobDetail | undefined;
  snapshots = 0;
  resets = 0;
  readonly client: LiveClient;

  constructor(shown: string) {
    this.client = new LiveClient({
      url: `${url.replace('http', 'ws')}/v1/live`,
      ticket: async () => (await ask<{ ticket: string }>('POST', '/v1/live/tickets', {})).ticket,
    });
    const list = this.client.subscribe(
      'jobs',
      { limit: 500 },
      {
        onSnapshot: ({ items }) => {
          this.snapshots += 1;
          this.rows = items;
          list.watch(items.map(({ id }) => id));
        },
        onDelta: ({ put }) => {
          this.rows = patchJobs(this.rows, put ?? []);
        },
        onReset: () => {
          this.resets += 1;
        },
      },
    );
    this.client.subscribe(
      `job/${shown}`,
      {},
      {
        onSnapshot: (data) => {
          this.detail = data;
        },
        onDelta: (delta) => {
          this.detail = patchJob(this.detail!, delta);
        },
      },
    );
    this.client.start();
  }
}

test('two pages miss nothing while the server is killed again and again under load', async () => {
  const ids: string[] = [];
  for (let index = 0; index < jobs; index += 1) {
    ids.push((await ask<{ id: string }>('POST', '/v1/jobs', { name: `job-${index}`, command: ['true'] })).id);
  }
  const shown = ids.at(-1)!;
  const pages = [new Page(shown), new Page(shown)];
  await until('both pages show the list', () => pages.every(({ rows, detail }) => rows.length === jobs && detail));

  const waiting = [...ids];
  const load = Promise.all(
    [0, 1, 2].map(async () => {
      for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
        await insist('POST', `/v1/jobs/${id}/cancel`);
      }
    }),
  );
  for (let kill = 1; kill <= kills; kill += 1) {
    await until('some were cancelled', () => waiting.length <= jobs - (jobs / (kills + 1)) * kill);
    await product.kill('SIGKILL');
    await product.up();
  }
  await load;

  const { items } = await ask<{ items: JobSummary[] }>('GET', '/v1/jobs?limit=500');
  expect(items.every(({ state }) => state === 'cancelled')).toBe(true);
  const detail = await ask<JobDetail>('GET', `/v1/jobs/${shown}`);
  for (const page of pages) {
    await until('the page shows the end', () => page.rows.every(({ state }) => state === 'cancelled'), 30_000);
    expect(page.rows).toEqual(items);
    await until('the job shows its end', () => page.detail?.state === 'cancelled');
    expect(page.detail).toEqual(detail);
    // Resumed from the cursor every time: nothing was loaded again.
    expect({ snapshots: page.snapshots, resets: page.resets }).toEqual({ snapshots: 1, resets: 0 });
    page.client.stop();
  }
});
