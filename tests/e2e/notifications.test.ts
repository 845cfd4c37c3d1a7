/** A web-hook by the command line, told although the server was killed before it could be. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Product } from '../support/product.ts';
import { until } from '../support/until.ts';

interface Delivery {
  id: string;
  state: string;
  subject: string;
}

const product = new Product({ env: { SOLYX_NOTIFICATIONS_ALLOW_NETWORKS: '127.0.0.0/8' } });
const received: { id: string; body: string }[] = [];
let isDeaf = true;
let server: Server;

beforeAll(async () => {
  server = createServer((request, response) => {
    void text(request).then((body) => {
      if (!isDeaf) received.push({ id: String(request.headers['solyx-delivery']), body });
      response.writeHead(isDeaf ? 503 : 200).end();
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  await product.up();
}, 120_000);
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await product.dispose();
});

const deliveries = async () => (await product.json<{ items: Delivery[] }>(['notifications', 'deliveries'])).items;

it('is told what became of a job once it listens, across the death of the server', async () => {
  const { port } = server.address() as AddressInfo;
  const made = await product.json<{ id: string; secret: string }>([
    ...['notifications', 'add', 'chat', '--url', `http://127.0.0.1:${port}/hook`, '--on', 'failed'],
  ]);
  expect(made.secret).toMatch(/^whs_/);
  const job = await product.ok(['submit', '-'], { input: JSON.stringify({ name: 'doomed', command: ['false'] }) });
  await until('it is in the outbox', async () => (await deliveries()).some(({ subject }) => subject === job), 60_000);
  await product.kill('SIGKILL');
  isDeaf = false;
  await product.up();
  const [waiting] = await deliveries();
  if (waiting!.state === 'pending') await product.run(['notifications', 'replay', waiting!.id]);
  await until('it is told', () => received.length > 0, 150_000);
  expect(JSON.parse(received[0]!.body)).toMatchObject({
    event: 'failed',
    job: { id: job, name: 'doomed', exitCode: 1 },
  });
  expect(received[0]!.id).toBe(waiting!.id);
  await until('it is settled', async () => (await deliveries())[0]!.state === 'sent', 30_000);
  expect(await product.ok(['notifications', 'list'])).toContain('chat');
  await product.ok(['notifications', 'rm', made.id]);
  expect(await product.ok(['audit', 'list', '--action', 'notification', '--json'])).not.toContain(made.secret);
}, 300_000);
