/** Web-hooks from the event to receivers that speak HTTP. */
import { createHmac } from 'node:crypto';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { getChannel, replayDelivery, testChannel } from '../../../../src/cmo/monitoring/index.ts';
import { claimDue } from '../../../../src/cmo/monitoring/notifications/deliver.ts';
import { fillOutbox } from '../../../../src/cmo/monitoring/notifications/outbox.ts';
import { withSystem, withTenant } from '../../../../src/common/database/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { until } from '../../../support/until.ts';
import { Notifying, type Received } from './support/notifying.ts';

let t: Notifying;
beforeAll(async () => {
  t = await Notifying.create();
});
afterEach(() => t.clear());
afterAll(() => t.close());

describe('a web-hook', () => {
  it('is told what became of a job, signed over time and body, once', async () => {
    const owner = await t.makeTenant();
    await t.start();
    const { received, url } = await t.receiver();
    const { secret } = await t.hook(owner.tenant, url);
    const job = await t.addJob(owner);
    await t.end(owner.tenant, job, 'failed', 'exit code 3');
    await t.settled(owner.tenant, 'sent');
    expect(received).toHaveLength(1);
    const [{ headers, body }] = received as [Received];
    expect(JSON.parse(body)).toMatchObject({
      event: 'failed',
      tenant: owner.tenant,
      project: { id: owner.project, name: 'default' },
      job: { id: job, name: 'train', state: 'failed', reason: 'exit code 3' },
      url: `https://solyx.example.com/jobs/${job}`,
    });
    const [, seconds, digest] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['solyx-signature']))!;
    expect(createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')).toBe(digest);
    expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(60);
    expect(headers).toMatchObject({ 'solyx-event': 'failed', 'content-type': 'application/json; charset=utf-8' });
    expect(headers['solyx-delivery']).toMatch(/^dlv_/);
  });

  it('is told only of its tenant’s, its project’s and its kinds of events', async () => {
    const [owner, other] = [await t.makeTenant(), await t.makeTenant()];
    const elsewhere = newId('project');
    await withSystem(t.database.db, (tx) =>
      tx.query(`insert into cmo_projects (id, tenant, name) values ($1, $2, 'elsewhere')`, [elsewhere, owner.tenant]),
    );
    await t.start();
    const { received, url } = await t.receiver();
    await t.hook(owner.tenant, url, { project: owner.project, events: ['failed'] });
    await t.end(other.tenant, await t.addJob(other), 'failed');
    await t.end(owner.tenant, await t.addJob({ ...owner, project: elsewhere }), 'failed');
    await t.end(owner.tenant, await t.addJob(owner), 'succeeded');
    const told = await t.addJob(owner);
    await t.end(owner.tenant, told, 'failed');
    await t.settled(owner.tenant, 'sent');
    expect(received.map(({ body }) => JSON.parse(body).job.id)).toEqual([told]);
    expect(await t.history(other.tenant)).toEqual([]);
  });

  it('that refuses is tried again under the same id and body, until it takes it', async () => {
    const owner = await t.makeTenant();
    await t.start();
    const { received, url } = await t.receiver((response, count) => response.writeHead(count < 3 ? 500 : 204).end());
    await t.hook(owner.tenant, url);
    await t.end(owner.tenant, await t.addJob(owner), 'succeeded');
    const row = await t.settled(owner.tenant, 'sent');
    expect(row.log.map(({ status }) => status)).toEqual([500, 500, 204]);
    expect(new Set(received.map(({ headers }) => headers['solyx-delivery'])).size).toBe(1);
    expect(new Set(received.map(({ body }) => body)).size).toBe(1);
  });

  it('that never takes it has failed after eight tries, and can be told again', async () => {
    const owner = await t.makeTenant();
    await t.start({ retrySeconds: 0.0001 });
    let isDeaf = true;
    const { received, url } = await t.receiver((response) => response.writeHead(isDeaf ? 503 : 200).end());
    await t.hook(owner.tenant, url);
    await t.end(owner.tenant, await t.addJob(owner), 'succeeded');
    const row = await t.settled(owner.tenant, 'failed');
    expect(row.attempts).toBe(8);
    expect(received).toHaveLength(8);
    isDeaf = false;
    await withTenant(t.database.db, owner.tenant, (tx) => replayDelivery(tx, owner.tenant, row.id));
    t.wake.wake('notifications');
    expect((await t.settled(owner.tenant, 'sent')).id).toBe(row.id);
    expect(new Set(received.map(({ body }) => body)).size).toBe(1);
  });

  it('is not followed elsewhere, and its answer is kept by status alone', async () => {
    const owner = await t.makeTenant();
    await t.start({ retrySeconds: 0.0001 });
    const inner = await t.receiver();
    const { url } = await t.receiver((response) =>
      response.writeHead(302, { location: inner.url }).end('inside information'),
    );
    await t.hook(owner.tenant, url);
    await t.end(owner.tenant, await t.addJob(owner), 'succeeded');
    const row = await t.settled(owner.tenant, 'failed');
    expect(row.log.at(-1)).toMatchObject({ status: 302, error: 'redirects are not followed' });
    expect(JSON.stringify(row)).not.toContain('inside information');
    expect(inner.received).toEqual([]);
  });

  it('to an address inside the operator’s network is refused without a connection', async () => {
    const owner = await t.makeTenant();
    await t.start({ allow: [], retrySeconds: 0.0001 });
    let connections = 0;
    const server = createTcpServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    t.servers.push(server);
    const { port } = server.address() as AddressInfo;
    await t.hook(owner.tenant, `http://localhost:${port}/`);
    await t.end(owner.tenant, await t.addJob(owner), 'succeeded');
    const row = await t.settled(owner.tenant, 'failed');
    expect(row.log.at(-1)!.error).toContain('no address of the public internet');
    expect(connections).toBe(0);
  });

  it('that answers without end is cut off, and counts by its status', async () => {
    const owner = await t.makeTenant();
    await t.start();
    const { url } = await t.receiver((response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'.repeat(65_536)), 1);
      response.once('close', () => clearInterval(timer));
    });
    await t.hook(owner.tenant, url);
    await t.end(owner.tenant, await t.addJob(owner), 'succeeded');
    expect((await t.settled(owner.tenant, 'sent')).log.at(-1)!.status).toBe(200);
  });

  it('that hangs holds up neither another channel nor another tenant', async () => {
    const [owner, other] = [await t.makeTenant(), await t.makeTenant()];
    await t.start();
    const deaf = await t.receiver(() => undefined);
    const [near, far] = [await t.receiver(), await t.receiver()];
    await t.hook(owner.tenant, deaf.url);
    await t.hook(owner.tenant, near.url);
    for (let n = 0; n < 4; n += 1) await t.end(owner.tenant, await t.addJob(owner), 'succeeded');
    await until('the other channel got all', () => near.received.length === 4, 8_000);
    expect(deaf.received).toHaveLength(2);
    // More hang than there are tries at once.
    for (let n = 0; n < 10; n += 1) await t.hook(owner.tenant, deaf.url);
    for (let n = 0; n < 2; n += 1) await t.end(owner.tenant, await t.addJob(owner), 'succeeded');
    await until('all that one tenant may have hang', () => deaf.received.length >= 6);
    await t.hook(other.tenant, far.url);
    await t.end(other.tenant, await t.addJob(other), 'succeeded');
    await until('the other tenant is told', () => far.received.length === 1, 8_000);
  });
});

describe('the outbox', () => {
  it('tells nothing twice and loses nothing when a server was killed at any line', async () => {
    const owner = await t.makeTenant();
    await t.start();
    await t.notifier!.stop();
    const { received, url } = await t.receiver();
    await t.hook(owner.tenant, url);
    const job = await t.addJob(owner);
    await t.end(owner.tenant, job, 'succeeded');
    // Killed before the commit: the events were read and nothing was written.
    await expect(
      withSystem(t.database.db, async (tx) => {
        expect((await fillOutbox(tx, undefined)).added).toBe(1);
        throw new Error('killed');
      }),
    ).rejects.toThrow('killed');
    expect(await t.history(owner.tenant)).toEqual([]);
    // Killed after it: the row is there, and the cursor stands behind the event.
    expect((await withSystem(t.database.db, (tx) => fillOutbox(tx, undefined))).added).toBe(1);
    expect((await withSystem(t.database.db, (tx) => fillOutbox(tx, undefined))).added).toBe(0);
    // Killed with the try under way: claimed, and sent again when the lease is over.
    expect(await claimDue(t.database.db, 16)).toHaveLength(1);
    expect(await claimDue(t.database.db, 16)).toEqual([]);
    await withSystem(t.database.db, (tx) =>
      tx.query(`update monitoring_deliveries set lease_until = now() - interval '1 s'`),
    );
    await t.start();
    const row = await t.settled(owner.tenant, 'sent');
    expect(row.attempts).toBe(2);
    expect(received).toHaveLength(1);
    // A cursor that was set back reads the event again, and finds that it was told.
    await withSystem(t.database.db, (tx) => tx.query(`update monitoring_cursors set cursor = '3:3:'`));
    expect((await withSystem(t.database.db, (tx) => fillOutbox(tx, undefined))).added).toBe(0);
  });

  it('read by several servers at once, tells each thing once', async () => {
    const owner = await t.makeTenant();
    await t.start();
    await t.notifier!.stop();
    const { received, url } = await t.receiver();
    await t.hook(owner.tenant, url);
    const jobs = await Promise.all(Array.from({ length: 20 }, () => t.addJob(owner)));
    await Promise.all(jobs.map((job) => t.end(owner.tenant, job, 'succeeded')));
    await t.start();
    const first = t.notifier!;
    await t.start();
    await until(
      'all are told',
      async () => (await t.history(owner.tenant)).filter(({ state }) => state === 'sent').length === 20,
    );
    await first.stop();
    expect(received.map(({ body }) => JSON.parse(body).job.id).sort()).toEqual([...jobs].sort());
  });

  it('sends a test that nobody takes for a job', async () => {
    const owner = await t.makeTenant();
    await t.start();
    const { received, url } = await t.receiver();
    const { id } = await t.hook(owner.tenant, url);
    await withTenant(t.database.db, owner.tenant, async (tx) =>
      testChannel(tx, await getChannel(tx, owner.tenant, id), new Date()),
    );
    t.wake.wake('notifications');
    await t.settled(owner.tenant, 'sent');
    expect(JSON.parse(received[0]!.body)).toMatchObject({ event: 'test', job: { id: 'job_test' } });
  });
});
