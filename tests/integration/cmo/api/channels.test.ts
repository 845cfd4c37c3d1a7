/**
 * Channels at the API with an agent that is played by hand, and can therefore lie or stay away: who may open one, how many, for how
 * long, and what the audit log says when servers die.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { endAbandonedChannels } from '../../../../src/cmo/api/index.ts';
import { encodeFrame, encodeJson, frameTypes } from '../../../../src/common/channels/index.ts';
import { systemClock } from '../../../../src/common/clock.ts';
import { SolyxError } from '../../../../src/common/errors/index.ts';
import { closeServer, createHttpServer } from '../../../../src/common/http/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { silentLogger } from '../../../../src/common/logger.ts';
import { serveRelayedChannels } from '../../../../src/metapod/gateway/index.ts';
import { until } from '../../../support/until.ts';
import {
  api,
  audit,
  Client,
  come,
  exec,
  far,
  near,
  openRows,
  type Placed,
  place,
  portOf,
  query,
  say,
  statusOf,
  wanted,
} from './support/channel-stand.ts';

describe('a channel', () => {
  it('passes what was asked to the agent, frames both ways, and its end into the audit log', async () => {
    const job = await place();
    const client = await exec(job);
    const { agent, heard } = await come(job);
    expect(heard[0]).toMatchObject({
      kind: 'exec',
      command: ['true'],
      attemptId: job.attemptId,
      rank: 0,
      stdin: false,
    });
    say(agent, { type: 'ready' });
    agent.send(encodeFrame(frameTypes.data, 2, Buffer.from('output')));
    say(agent, { type: 'exit', code: 3, signal: null });
    agent.close(1000);
    await until('the client is told', () => client.closed);
    expect(client.closed).toBe(1000);
    expect(Buffer.concat(client.data).toString()).toBe('output');
    expect(client.events).toEqual([{ type: 'ready' }, { type: 'exit', code: 3, signal: null }]);
    await until('its row is gone', async () => (await openRows(job)) === 0);
    expect(await audit(job.jobId)).toMatchObject([
      { action: 'job.exec', data: { command: ['true'], rank: 0, attempt: 1 } },
      { action: 'job.exec.ended', data: { exitCode: 3, bytesOut: 6 } },
    ]);
  });

  it('is handed on by another server that the agent reached', async () => {
    const job = await place();
    const client = await exec(job);
    const { agent } = await come(job, far);
    agent.send(encodeFrame(frameTypes.data, 2, Buffer.alloc(60_000, 7)));
    say(agent, { type: 'exit', code: 0, signal: null });
    agent.close(1000);
    await until('the client is told', () => client.closed);
    expect(Buffer.concat(client.data).equals(Buffer.alloc(60_000, 7))).toBe(true);
  });

  it('that is waited for is handed to its holder by nobody who cannot prove that he may', async () => {
    const job = await place();
    const client = await exec(job);
    const id = await wanted(job);
    for (const proof of ['x'.repeat(43), api.adminKey, job.nodeToken]) {
      expect(await statusOf(`${api.origin.replace('http', 'ws')}/v1/relay/channels/${id}`, proof)).toBe(404);
    }
    const { agent } = await come(job);
    agent.close(1000);
    await until('the client is told', () => client.closed);
  });

  it('belongs to its node, and is taken once', async () => {
    const job = await place();
    const stranger = await place();
    const client = await exec(job);
    const id = await wanted(job);
    const statusFor = (token: string) => statusOf(`ws://127.0.0.1:${portOf(near)}/v1/agent/channels/${id}`, token);
    expect(await statusFor(stranger.nodeToken)).toBe(404);
    expect(await statusFor(api.adminKey)).toBe(401);
    const { agent } = await come(job);
    expect(await statusFor(job.nodeToken)).toBe(404);
    agent.close(1000);
    await until('the client is told', () => client.closed);
  });
});

describe('who may', () => {
  it('a viewer is refused before anything is opened; the foreign and the unknown do not exist', async () => {
    const job = await place();
    const viewer = await api.makeKey({ tenantId: api.tenantId, projectId: api.projectId, role: 'viewer' });
    const refused = await exec(job, viewer.text).catch(() => undefined);
    await until('it is refused', () => refused?.refused);
    expect(refused!.refused).toBe(403);
    const other = await api.makeTenant('others');
    const foreign = await api.makeKey({ ...other, role: 'admin' });
    expect(await (await exec(job, foreign.text)).error()).toBe('not_found');
    const unknown = await new Client(`/v1/jobs/${newId('job')}/exec`, { key: api.adminKey }).start();
    expect(await unknown.error()).toBe('not_found');
    expect(await audit(job.jobId)).toEqual([]);
    expect(await openRows(job)).toBe(0);
  });

  it('a ticket opens what it was made for and nothing else, once', async () => {
    const job = await place();
    const other = await place();
    const path = (of: Placed) => `/v1/jobs/${of.jobId}/exec`;
    const ticket = (about: object, purpose = 'exec') => api.ticket(api.adminKey, { purpose, about });
    const wrongJob = await new Client(path(other), { ticket: await ticket({ jobId: job.jobId }) }).start();
    expect(await wrongJob.error()).toBe('forbidden');
    const command = await ticket({ jobId: job.jobId, command: ['ls'] });
    expect(await (await new Client(path(job), { ticket: command }).start()).error()).toBe('forbidden');
    const live = new Client(path(job), { ticket: await ticket({}, 'live') });
    await until('a ticket of another purpose is refused', () => live.refused);
    const right = await ticket({ jobId: job.jobId, rank: 0 });
    const client = await new Client(path(job), { ticket: right }).start();
    const { agent } = await come(job);
    const again = new Client(path(job), { ticket: right });
    await until('it is used up', () => again.refused);
    agent.close(1000);
    await until('the client is told', () => client.closed);
  });

  it('a key that is revoked, or whose role falls, ends its channels within a second', async () => {
    for (const change of ['revoked_at = now()', `role = 'viewer'`]) {
      const job = await place();
      const key = await api.makeKey({ tenantId: api.tenantId, projectId: api.projectId, role: 'member' });
      const client = await exec(job, key.text);
      const { agent } = await come(job);
      await query(`update cmo_api_keys set ${change} where id = $1`, [key.id]);
      const changed = performance.now();
      await until('both ends are closed', () => client.closed && agent.readyState === WebSocket.CLOSED, 3_000);
      expect(performance.now() - changed).toBeLessThan(1_500);
    }
  });
});

describe('what runs', () => {
  it('says why there is nothing to enter', async () => {
    expect(await (await exec(await place(1))).error()).toBe('node_too_old');
    expect(await (await exec(await place(null))).error()).toBe('node_unreachable');
    const ended = await place();
    await query(`update cmo_attempts set state = 'ended', outcome = 'failed', ended_at = now() where id = $1`, [
      ended.attemptId,
    ]);
    expect(await (await exec(ended)).error()).toBe('job_not_running');
    const rank = await place();
    const client = await new Client(`/v1/jobs/${rank.jobId}/exec`, { key: api.adminKey }).start({
      type: 'start',
      command: [],
      rank: 7,
    });
    expect(await client.error()).toBe('not_found');
  });

  it('when the attempt ends, or a newer one exists, its channels end', async () => {
    const changes = {
      job_not_running: `update cmo_attempt_ranks set state = 'ended', ended_at = now() where attempt_id = $1`,
      stale_token:
        'update cmo_jobs set newest_token = newest_token + 1 where id = (select job_id from cmo_attempts where id = $1)',
    };
    for (const [code, change] of Object.entries(changes)) {
      const job = await place();
      const client = await exec(job);
      const { agent } = await come(job);
      await query(change, [job.attemptId]);
      expect(await client.error()).toBe(code);
      await until('the agent is told', () => agent.readyState === WebSocket.CLOSED);
    }
  });
});

describe('limits', () => {
  it('a tenant has so many channels at once, over all servers; one that ends makes room', async () => {
    const job = await place();
    const open = [];
    for (let n = 0; n < 3; n += 1) {
      const client = await exec(job);
      open.push({ client, ...(await come(job)) });
    }
    expect(await (await exec(job)).error()).toBe('rate_limited');
    open[0]!.client.socket.close(1000);
    await until('there is room', async () => (await openRows(job)) === 2);
    const more = await exec(job);
    const { agent } = await come(job);
    for (const socket of [agent, more.socket, ...open.map(({ agent: one }) => one)]) socket.close(1000);
    await until('all have ended', async () => (await openRows(job)) === 0);
  });

  it('a channel through which nothing moves is closed, and one that is open for too long', async () => {
    const job = await place();
    const idle = await exec(job);
    await come(job);
    const quiet = performance.now();
    expect(await idle.error()).toBe('channel_timeout');
    expect(performance.now() - quiet).toBeLessThan(2_500);
    const busy = await exec(job);
    const { agent } = await come(job);
    const began = performance.now();
    const timer = setInterval(() => agent.send(encodeFrame(frameTypes.data, 2, Buffer.from('x'))), 200);
    expect(await busy.error()).toBe('channel_timeout');
    clearInterval(timer);
    expect(performance.now() - began).toBeGreaterThan(2_500);
  }, 20_000);

  it('an agent that sends without credit to a client that does not read is not read either', async () => {
    const job = await place();
    const client = await exec(job);
    const { agent } = await come(job);
    client.socket.pause();
    const frame = encodeFrame(frameTypes.data, 2, Buffer.alloc(60_000));
    // Both connections' sockets of the system take some, as much as their largest sizes; all the rest stays with the agent.
    const mostOf = (name: string) => Number(readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').trim().split(/\s+/)[2]);
    const total = 2 * (mostOf('tcp_rmem') + mostOf('tcp_wmem')) + 60_000_000;
    for (let sent = 0; sent < total; sent += frame.length) agent.send(frame);
    // Where nothing moves any more the channel is soon closed; what had not been read until then never is.
    let held = 0;
    await until('nothing has moved for so long that the channel is closed', async () => {
      if (agent.readyState !== WebSocket.OPEN) return true;
      held = agent.bufferedAmount;
      return query('select pg_sleep(0.05)').then(() => undefined);
    });
    expect(held).toBeGreaterThan(30_000_000);
    agent.terminate();
    client.socket.terminate();
    await until('nothing is left', async () => (await openRows(job)) === 0);
  }, 20_000);

  it('what is no frame, no start, or text ends the channel and nothing else', async () => {
    const job = await place();
    for (const bytes of [
      'text',
      Buffer.from('no frame'),
      encodeJson(frameTypes.control, 0, { type: 'start', command: 'ls' }),
    ]) {
      const client = new Client(`/v1/jobs/${job.jobId}/exec`, { key: api.adminKey });
      await until('it is open', () => client.socket.readyState === WebSocket.OPEN);
      client.socket.send(bytes);
      await until('it is closed', () => client.closed);
    }
    const client = await exec(job);
    const { agent } = await come(job);
    agent.send(Buffer.from('the agent lies'));
    await until('the client is told', () => client.closed);
    expect(await client.error()).toBe('channel_lost');
    await until('nothing is left', async () => (await openRows(job)) === 0);
    expect((await api.ask(api.adminKey, 'GET', '/v1/whoami')).status).toBe(200);
  });
});

describe('copies over HTTP', () => {
  const ask = (job: Placed, method: string, search: string, body?: Buffer) =>
    fetch(`${api.origin}/v1/jobs/${job.jobId}/files?${search}`, {
      method,
      headers: { authorization: `Bearer ${api.adminKey}`, 'content-type': 'application/octet-stream' },
      ...(body && { body: new Uint8Array(body) }),
    });

  it('a file comes as bytes that no browser shows, and is not whole unless the agent says so', async () => {
    const job = await place();
    const good = ask(job, 'GET', 'path=x');
    const first = await come(job);
    expect(first.heard[0]).toMatchObject({ kind: 'download', path: 'x' });
    say(first.agent, { type: 'ready', entry: 'file', mode: '755' });
    first.agent.send(encodeFrame(frameTypes.data, 4, Buffer.from('bytes')));
    first.agent.send(encodeFrame(frameTypes.end, 4));
    say(first.agent, { type: 'done', files: 1, bytes: 5, path: 'x' });
    first.agent.close(1000);
    const answer = await good;
    expect(answer.headers.get('content-disposition')).toBe('attachment');
    expect(answer.headers.get('x-solyx-mode')).toBe('755');
    expect(await answer.text()).toBe('bytes');

    const broken = ask(job, 'GET', 'path=x');
    const second = await come(job);
    say(second.agent, { type: 'ready', entry: 'file' });
    second.agent.send(encodeFrame(frameTypes.data, 4, Buffer.from('half')));
    second.agent.close(1011);
    await expect((await broken).text()).rejects.toThrow();
    // All bytes came, but whether those were all nobody said.
    const unsure = ask(job, 'GET', 'path=x');
    const third = await come(job);
    say(third.agent, { type: 'ready', entry: 'file' });
    third.agent.send(encodeFrame(frameTypes.data, 4, Buffer.from('bytes')));
    third.agent.send(encodeFrame(frameTypes.end, 4));
    third.agent.close(1011);
    await expect((await unsure).text()).rejects.toThrow();
    await until(
      'all ends are written',
      async () => (await audit(job.jobId)).filter(({ action }) => action.endsWith('ended')).length === 3,
    );
  });

  it('what the agent answers becomes a problem, and a code that it may not give does not', async () => {
    const job = await place();
    for (const [code, status] of [
      ['path_not_found', 404],
      ['copy_refused', 422],
      ['unauthenticated', 502],
      ['constructor', 502],
    ] as const) {
      const answer = ask(job, 'GET', 'path=x');
      const { agent } = await come(job);
      say(agent, { type: 'error', code, detail: 'for a reason' });
      expect((await answer).status).toBe(status);
      agent.close(1000);
    }
  });

  it('an agent that gives the bytes up before it says why is heard out', async () => {
    const job = await place();
    const answer = ask(job, 'PUT', 'path=x&entry=file', Buffer.alloc(2_000_000));
    const { agent } = await come(job);
    say(agent, { type: 'ready' });
    agent.send(encodeFrame(frameTypes.reset, 4));
    await query('select pg_sleep(0.2)');
    say(agent, { type: 'error', code: 'copy_refused', detail: 'for a reason' });
    agent.close(4410);
    expect((await answer).status).toBe(422);
  });

  it('a copy ends with the key that asked for it', async () => {
    const job = await place();
    const key = await api.makeKey({ tenantId: api.tenantId, projectId: api.projectId, role: 'member' });
    const answer = fetch(`${api.origin}/v1/jobs/${job.jobId}/files?path=x`, {
      headers: { authorization: `Bearer ${key.text}` },
    });
    const { agent } = await come(job);
    const timer = setInterval(() => agent.send(encodeFrame(frameTypes.data, 4, Buffer.from('x'))), 100);
    await query('update cmo_api_keys set revoked_at = now() where id = $1', [key.id]);
    expect((await answer).status).toBe(401);
    clearInterval(timer);
    await until('the agent is told', () => agent.readyState === WebSocket.CLOSED);
  });

  it('a node that takes nothing of an upload is given up', async () => {
    const job = await place();
    const answer = ask(job, 'PUT', 'path=x&entry=file', Buffer.alloc(2_000_000));
    const { agent } = await come(job);
    say(agent, { type: 'ready' });
    expect(await (await answer).json()).toMatchObject({ code: 'channel_timeout' });
  }, 20_000);
});

describe('servers that die', () => {
  it('leave channels whose end somebody else writes into the audit log, once', async () => {
    const job = await place();
    await query(
      `insert into metapod_channels (id, tenant, job_id, attempt_id, rank, token, node_id, kind, key_id, holder, lease_until)
       values ($1, $2, $3, $4, 0, 1, $5, 'exec', 'key', 'dead', now() - interval '1 second')`,
      [newId('channel'), api.tenantId, job.jobId, job.attemptId, job.nodeId],
    );
    const ended = await Promise.all([endAbandonedChannels(api.database.db), endAbandonedChannels(api.database.db)]);
    expect(ended[0]! + ended[1]!).toBe(1);
    expect(await audit(job.jobId)).toMatchObject([
      { action: 'job.exec.ended', data: { why: 'the server that held it is gone' } },
    ]);
    expect(await endAbandonedChannels(api.database.db)).toBe(0);
  });
});

describe('between servers under TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'solyx-relay-tls-'));
  const at = (name: string) => join(folder, name);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const make = (name: string) =>
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=some.name',
        '-keyout',
        at(`${name}.key`),
        '-out',
        at(`${name}.crt`),
      ],
      { stdio: 'pipe' },
    );

  it('exactly the holder’s certificate is trusted, whatever name it has', async () => {
    make('own');
    make('other');
    const hub = api.deps.channels;
    const tls = {
      cert: readFileSync(at('own.crt'), 'utf8'),
      key: readFileSync(at('own.key'), 'utf8'),
      minVersion: 'TLSv1.2',
    } as const;
    const secure = await createHttpServer({
      logger: silentLogger,
      clock: systemClock,
      authenticate: async () => {
        throw new SolyxError('unauthenticated');
      },
      tls,
    });
    serveRelayedChannels(secure, { db: api.database.db, hub, logger: silentLogger });
    await secure.listen({ host: '127.0.0.1', port: 0 });
    try {
      hub.url = `https://127.0.0.1:${portOf(secure)}`;
      hub.certificate = () => tls.cert;
      const job = await place();
      const client = await exec(job);
      const { agent } = await come(job, far);
      say(agent, { type: 'exit', code: 0, signal: null });
      agent.close(1000);
      await until('the client is told', () => client.closed === 1000);

      hub.certificate = () => readFileSync(at('other.crt'), 'utf8');
      const wrong = await exec(job);
      await expect(come(job, far)).rejects.toThrow(/told what is wanted/);
      wrong.socket.terminate();
    } finally {
      hub.url = api.origin;
      hub.certificate = () => undefined;
      await closeServer(secure, 500);
    }
  }, 60_000);
});
