/** Notifications from the event to receivers that speak the real protocols: HTTP servers and an SMTP server of this test. */
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Registry } from 'prom-client';
import { SMTPServer } from 'smtp-server';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  createChannel,
  getChannel,
  listDeliveries,
  type NotifiedEvent,
  Notifier,
  replayDelivery,
  testChannel,
} from '../../../../src/cmo/monitoring/index.ts';
import { claimDue } from '../../../../src/cmo/monitoring/notifications/deliver.ts';
import { fillOutbox } from '../../../../src/cmo/monitoring/notifications/outbox.ts';
import { findStuck } from '../../../../src/cmo/monitoring/notifications/stuck.ts';
import { withSystem, withTenant } from '../../../../src/common/database/index.ts';
import { appendEvents, LocalWake } from '../../../../src/common/events/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { silentLogger } from '../../../../src/common/logger.ts';
import { openMailer } from '../../../../src/common/mail/index.ts';
import { openSecretStore, type SecretStore } from '../../../../src/common/secrets/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { until } from '../../../support/until.ts';

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

const folder = mkdtempSync(join(tmpdir(), 'solyx-notify-'));
const servers: { close(): unknown }[] = [];
let database: TestDatabase;
let store: SecretStore;
let notifier: Notifier | undefined;
let wake = new LocalWake();

beforeAll(async () => {
  database = await createTestDatabase({ poolSize: 8 });
  const keyFile = join(folder, 'secrets.key');
  store = await openSecretStore({ db: database.db, keyFile, logger: silentLogger, registry: new Registry() });
});
afterEach(async () => {
  await notifier?.stop();
  notifier = undefined;
  for (const server of servers.splice(0)) server.close();
  await withSystem(database.db, (tx) => tx.query('delete from monitoring_channels'));
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

async function startNotifier(
  options: { smtpPort?: number; allow?: string[]; retrySeconds?: number } = {},
): Promise<void> {
  wake = new LocalWake();
  notifier = new Notifier({
    db: database.db,
    wake,
    logger: silentLogger,
    registry: new Registry(),
    secrets: store,
    mailer:
      options.smtpPort === undefined
        ? undefined
        : openMailer({
            host: '127.0.0.1',
            port: options.smtpPort,
            security: 'none',
            from: 'Solyx <solyx@example.com>',
          }),
    allowNetworks: options.allow ?? ['127.0.0.0/8'],
    publicUrl: 'https://solyx.example.com',
    retrySeconds: options.retrySeconds ?? 0.05,
  });
  await notifier.start();
}

/** A receiver that keeps what it got; `answer` may refuse. */
async function receiver(answer: (response: ServerResponse, count: number) => void = (response) => response.end()) {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    void text(request).then((body) => {
      received.push({ headers: request.headers, body });
      answer(response, received.length);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  servers.push({
    close() {
      server.closeAllConnections();
      server.close();
    },
  });
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?x=1` };
}

async function makeTenant() {
  const tenant = newId('tenant');
  const project = newId('project');
  await withSystem(database.db, async (tx) => {
    await tx.query('insert into cmo_tenants (id, name) values ($1, $1)', [tenant]);
    await tx.query(`insert into cmo_projects (id, tenant, name) values ($1, $2, 'default')`, [project, tenant]);
  });
  return { tenant, project };
}

async function addJob(
  { tenant, project }: { tenant: string; project: string },
  columns: Record<string, unknown> = {},
): Promise<string> {
  const row = {
    id: newId('job'),
    tenant,
    project,
    name: 'train',
    state: 'queued',
    pending_reason: 'no_matching_node',
    priority: 0,
    spec: '{}',
    submitted_by: 'key_1',
    ...columns,
  };
  const names = Object.keys(row);
  await withSystem(database.db, (tx) =>
    tx.query(
      `insert into cmo_jobs (${names.join(', ')}) values (${names.map((_, index) => `$${index + 1}`).join(', ')})`,
      Object.values(row),
    ),
  );
  return row.id;
}

/** Ends a job the way the orchestrator does: row and event in one transaction. */
async function end(
  tenant: string,
  jobId: string,
  state: 'succeeded' | 'failed' | 'cancelled',
  reason: string | null = null,
) {
  await withSystem(database.db, async (tx) => {
    await tx.query(
      `update cmo_jobs set state = $2, pending_reason = null, ended_at = now(), reason = $3, revision = revision + 1 where id = $1`,
      [jobId, state, reason],
    );
    await appendEvents(tx, [{ tenant, kind: `job.${state}`, subject: jobId, revision: 2n }]);
  });
  wake.wake('events');
}

async function hook(
  tenant: string,
  url: string,
  options: { project?: string; events?: NotifiedEvent[]; minutes?: number } = {},
) {
  const made = await withTenant(database.db, tenant, (tx) =>
    createChannel(tx, store, {
      tenant,
      project: options.project ?? null,
      name: newId('delivery'),
      target: { kind: 'webhook', url },
      events: options.events ?? ['finished', 'failed', 'cancelled', 'stuck'],
      stuckAfterMinutes: options.minutes ?? 30,
      by: 'key_1',
    }),
  );
  return { id: made.row.id, secret: made.secret! };
}

const history = (tenant: string) =>
  withTenant(database.db, tenant, (tx) => listDeliveries(tx, tenant, { before: '~', limit: 100 }));
const settled = (tenant: string, state: 'sent' | 'failed') =>
  until(`a delivery is ${state}`, async () => (await history(tenant)).find((row) => row.state === state));

describe('a web-hook', () => {
  it('is told what became of a job, signed over time and body, once', async () => {
    const owner = await makeTenant();
    await startNotifier();
    const { received, url } = await receiver();
    const { secret } = await hook(owner.tenant, url);
    const job = await addJob(owner);
    await end(owner.tenant, job, 'failed', 'exit code 3');
    await settled(owner.tenant, 'sent');
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
    const [owner, other] = [await makeTenant(), await makeTenant()];
    const elsewhere = newId('project');
    await withSystem(database.db, (tx) =>
      tx.query(`insert into cmo_projects (id, tenant, name) values ($1, $2, 'elsewhere')`, [elsewhere, owner.tenant]),
    );
    await startNotifier();
    const { received, url } = await receiver();
    await hook(owner.tenant, url, { project: owner.project, events: ['failed'] });
    await end(other.tenant, await addJob(other), 'failed');
    await end(owner.tenant, await addJob({ ...owner, project: elsewhere }), 'failed');
    await end(owner.tenant, await addJob(owner), 'succeeded');
    const told = await addJob(owner);
    await end(owner.tenant, told, 'failed');
    await settled(owner.tenant, 'sent');
    expect(received.map(({ body }) => JSON.parse(body).job.id)).toEqual([told]);
    expect(await history(other.tenant)).toEqual([]);
  });

  it('that refuses is tried again under the same id and body, until it takes it', async () => {
    const owner = await makeTenant();
    await startNotifier();
    const { received, url } = await receiver((response, count) => response.writeHead(count < 3 ? 500 : 204).end());
    await hook(owner.tenant, url);
    await end(owner.tenant, await addJob(owner), 'succeeded');
    const row = await settled(owner.tenant, 'sent');
    expect(row.log.map(({ status }) => status)).toEqual([500, 500, 204]);
    expect(new Set(received.map(({ headers }) => headers['solyx-delivery'])).size).toBe(1);
    expect(new Set(received.map(({ body }) => body)).size).toBe(1);
  });

  it('that never takes it has failed after eight tries, and can be told again', async () => {
    const owner = await makeTenant();
    await startNotifier({ retrySeconds: 0.0001 });
    let isDeaf = true;
    const { received, url } = await receiver((response) => response.writeHead(isDeaf ? 503 : 200).end());
    await hook(owner.tenant, url);
    await end(owner.tenant, await addJob(owner), 'succeeded');
    const row = await settled(owner.tenant, 'failed');
    expect(row.attempts).toBe(8);
    expect(received).toHaveLength(8);
    isDeaf = false;
    await withTenant(database.db, owner.tenant, (tx) => replayDelivery(tx, owner.tenant, row.id));
    wake.wake('notifications');
    expect((await settled(owner.tenant, 'sent')).id).toBe(row.id);
    expect(new Set(received.map(({ body }) => body)).size).toBe(1);
  });

  it('is not followed elsewhere, and its answer is kept by status alone', async () => {
    const owner = await makeTenant();
    await startNotifier({ retrySeconds: 0.0001 });
    const inner = await receiver();
    const { url } = await receiver((response) =>
      response.writeHead(302, { location: inner.url }).end('inside information'),
    );
    await hook(owner.tenant, url);
    await end(owner.tenant, await addJob(owner), 'succeeded');
    const row = await settled(owner.tenant, 'failed');
    expect(row.log.at(-1)).toMatchObject({ status: 302, error: 'redirects are not followed' });
    expect(JSON.stringify(row)).not.toContain('inside information');
    expect(inner.received).toEqual([]);
  });

  it('to an address inside the operator’s network is refused without a connection', async () => {
    const owner = await makeTenant();
    await startNotifier({ allow: [], retrySeconds: 0.0001 });
    let connections = 0;
    const server = createTcpServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    servers.push(server);
    const { port } = server.address() as AddressInfo;
    await hook(owner.tenant, `http://localhost:${port}/`);
    await end(owner.tenant, await addJob(owner), 'succeeded');
    const row = await settled(owner.tenant, 'failed');
    expect(row.log.at(-1)!.error).toContain('no address of the public internet');
    expect(connections).toBe(0);
  });

  it('that answers without end is cut off, and counts by its status', async () => {
    const owner = await makeTenant();
    await startNotifier();
    const { url } = await receiver((response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'.repeat(65_536)), 1);
      response.once('close', () => clearInterval(timer));
    });
    await hook(owner.tenant, url);
    await end(owner.tenant, await addJob(owner), 'succeeded');
    expect((await settled(owner.tenant, 'sent')).log.at(-1)!.status).toBe(200);
  });

  it('that hangs holds up neither another channel nor another tenant', async () => {
    const [owner, other] = [await makeTenant(), await makeTenant()];
    await startNotifier();
    const deaf = await receiver(() => undefined);
    const [near, far] = [await receiver(), await receiver()];
    await hook(owner.tenant, deaf.url);
    await hook(owner.tenant, near.url);
    for (let n = 0; n < 4; n += 1) await end(owner.tenant, await addJob(owner), 'succeeded');
    await until('the other channel got all', () => near.received.length === 4, 8_000);
    expect(deaf.received).toHaveLength(2);
    // More hang than there are tries at once.
    for (let n = 0; n < 10; n += 1) await hook(owner.tenant, deaf.url);
    for (let n = 0; n < 2; n += 1) await end(owner.tenant, await addJob(owner), 'succeeded');
    await until('all that one tenant may have hang', () => deaf.received.length >= 6);
    await hook(other.tenant, far.url);
    await end(other.tenant, await addJob(other), 'succeeded');
    await until('the other tenant is told', () => far.received.length === 1, 8_000);
  });
});

describe('the outbox', () => {
  it('tells nothing twice and loses nothing when a server was killed at any line', async () => {
    const owner = await makeTenant();
    await startNotifier();
    await notifier!.stop();
    const { received, url } = await receiver();
    await hook(owner.tenant, url);
    const job = await addJob(owner);
    await end(owner.tenant, job, 'succeeded');
    // Killed before the commit: the events were read and nothing was written.
    await expect(
      withSystem(database.db, async (tx) => {
        expect((await fillOutbox(tx, undefined)).added).toBe(1);
        throw new Error('killed');
      }),
    ).rejects.toThrow('killed');
    expect(await history(owner.tenant)).toEqual([]);
    // Killed after it: the row is there, and the cursor stands behind the event.
    expect((await withSystem(database.db, (tx) => fillOutbox(tx, undefined))).added).toBe(1);
    expect((await withSystem(database.db, (tx) => fillOutbox(tx, undefined))).added).toBe(0);
    // Killed with the try under way: claimed, and sent again when the lease is over.
    expect(await claimDue(database.db, 16)).toHaveLength(1);
    expect(await claimDue(database.db, 16)).toEqual([]);
    await withSystem(database.db, (tx) =>
      tx.query(`update monitoring_deliveries set lease_until = now() - interval '1 s'`),
    );
    await startNotifier();
    const row = await settled(owner.tenant, 'sent');
    expect(row.attempts).toBe(2);
    expect(received).toHaveLength(1);
    // A cursor that was set back reads the event again, and finds that it was told.
    await withSystem(database.db, (tx) => tx.query(`update monitoring_cursors set cursor = '3:3:'`));
    expect((await withSystem(database.db, (tx) => fillOutbox(tx, undefined))).added).toBe(0);
  });

  it('read by several servers at once, tells each thing once', async () => {
    const owner = await makeTenant();
    await startNotifier();
    await notifier!.stop();
    const { received, url } = await receiver();
    await hook(owner.tenant, url);
    const jobs = await Promise.all(Array.from({ length: 20 }, () => addJob(owner)));
    await Promise.all(jobs.map((job) => end(owner.tenant, job, 'succeeded')));
    await startNotifier();
    const first = notifier!;
    await startNotifier();
    await until(
      'all are told',
      async () => (await history(owner.tenant)).filter(({ state }) => state === 'sent').length === 20,
    );
    await first.stop();
    expect(received.map(({ body }) => JSON.parse(body).job.id).sort()).toEqual([...jobs].sort());
  });

  it('sends a test that nobody takes for a job', async () => {
    const owner = await makeTenant();
    await startNotifier();
    const { received, url } = await receiver();
    const { id } = await hook(owner.tenant, url);
    await withTenant(database.db, owner.tenant, async (tx) =>
      testChannel(tx, await getChannel(tx, owner.tenant, id), new Date()),
    );
    wake.wake('notifications');
    await settled(owner.tenant, 'sent');
    expect(JSON.parse(received[0]!.body)).toMatchObject({ event: 'test', job: { id: 'job_test' } });
  });
});

describe('a stuck job', () => {
  const look = () => withSystem(database.db, (tx) => findStuck(tx, undefined));
  const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);

  it('is one that waits too long for what may never come, and is told once', async () => {
    const owner = await makeTenant();
    const { url } = await receiver();
    await hook(owner.tenant, url, { events: ['stuck'], minutes: 10 });
    const stuck = await addJob(owner, { submitted_at: minutesAgo(11) });
    await addJob(owner, { submitted_at: minutesAgo(9) });
    await addJob(owner, { submitted_at: minutesAgo(60), pending_reason: 'behind_others' });
    await addJob(owner, { submitted_at: minutesAgo(60), deferred_until: minutesAgo(-5) });
    expect(await look()).toBe(1);
    expect(await look()).toBe(0);
    const [row] = await history(owner.tenant);
    expect(row).toMatchObject({ event: 'stuck', subject: stuck });
  });

  it('is one on a node of which nothing moves; what logs is not stuck', async () => {
    const owner = await makeTenant();
    const { url } = await receiver();
    await hook(owner.tenant, url, { events: ['stuck'], minutes: 10 });
    const running = { state: 'running', pending_reason: null, started_at: minutesAgo(60) };
    const [quiet, busy, silent] = [
      await addJob(owner, running),
      await addJob(owner, running),
      await addJob(owner, { ...running, contact_lost_since: minutesAgo(12) }),
    ];
    const attempts = new Map<string, string>();
    await withSystem(database.db, async (tx) => {
      for (const job of [quiet, busy, silent]) {
        const attempt = newId('attempt');
        attempts.set(job, attempt);
        await tx.query(
          `insert into cmo_attempts (id, tenant, job_id, number, state, backend, site_id, explanation)
           values ($1, $2, $3, 1, 'running', 'agent', 'site_1', '{}')`,
          [attempt, owner.tenant, job],
        );
        await tx.query('insert into metapod_log_streams (attempt_id, tenant, rank, next_line) values ($1, $2, 0, 5)', [
          attempt,
          owner.tenant,
        ]);
      }
    });
    expect(await look()).toBe(1);
    const age = () =>
      withSystem(database.db, (tx) => tx.query(`update monitoring_progress set since = since - interval '11 min'`));
    await age();
    await withSystem(database.db, (tx) =>
      tx.query('update metapod_log_streams set next_line = 6 where attempt_id = $1', [attempts.get(busy)]),
    );
    expect(await look()).toBe(1);
    expect((await history(owner.tenant)).map(({ subject }) => subject).sort()).toEqual([quiet, silent].sort());
    // It moved, and got stuck again: that is news.
    await withSystem(database.db, (tx) =>
      tx.query('update metapod_log_streams set next_line = 7 where attempt_id = $1', [attempts.get(quiet)]),
    );
    expect(await look()).toBe(0);
    await age();
    expect(await look()).toBe(2);
  });
});

describe('e-mail', () => {
  /** A real SMTP server that keeps what it was given; refuses as often as told. */
  async function mailServer(refusals = 0) {
    const mails: { to: string[]; data: string }[] = [];
    let left = refusals;
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS', 'AUTH'],
      onData(stream, session, done) {
        void text(stream).then((data) => {
          left -= 1;
          if (left >= 0) return done(Object.assign(new Error('try later'), { responseCode: 451 }));
          mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), data });
          done();
        });
      },
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    servers.push({ close: () => server.close(() => undefined) });
    return { mails, port: (server.server.address() as AddressInfo).port };
  }

  const channel = (tenant: string, recipients: string[]) =>
    withTenant(database.db, tenant, (tx) =>
      createChannel(tx, store, {
        tenant,
        project: null,
        name: 'people',
        target: { kind: 'email', recipients },
        events: ['failed'],
        stuckAfterMinutes: 30,
        by: 'key_1',
      }),
    );

  it('reaches its recipients, is repeated under the same Message-ID, and a hostile reason adds no header', async () => {
    const owner = await makeTenant();
    const { mails, port } = await mailServer(1);
    await startNotifier({ smtpPort: port });
    await channel(owner.tenant, ['ada@example.com', 'grace@example.com']);
    const job = await addJob(owner, { name: 'evil\r\nBcc: mallory@example.com' });
    await end(owner.tenant, job, 'failed', 'because\r\n\r\nBcc: mallory@example.com\r\n.\r\nMAIL FROM:<x>');
    const row = await settled(owner.tenant, 'sent');
    expect(row.log[0]).toMatchObject({ status: 451 });
    expect(mails).toHaveLength(1);
    const [{ to, data }] = mails as [(typeof mails)[0]];
    expect(to).toEqual(['ada@example.com', 'grace@example.com']);
    const head = data.split('\r\n\r\n')[0]!;
    expect(head).toMatch(/^Subject: \[Solyx\] evil Bcc: mallory@example\.com failed$/m);
    expect(head).not.toMatch(/^Bcc:/im);
    expect(head).toContain(`Message-ID: <${row.id}@solyx>`);
    expect(head).toMatch(/^Auto-Submitted: auto-generated$/m);
    expect(data).toContain(job);
  });

  it('is not lost while there is no mail server', async () => {
    const owner = await makeTenant();
    await startNotifier();
    await channel(owner.tenant, ['ada@example.com']);
    await end(owner.tenant, await addJob(owner), 'failed');
    await until('it was tried', async () => ((await history(owner.tenant))[0]?.attempts ?? 0) > 0);
    await notifier!.stop();
    const { mails, port } = await mailServer();
    await startNotifier({ smtpPort: port });
    await settled(owner.tenant, 'sent');
    expect(mails).toHaveLength(1);
  });
});
