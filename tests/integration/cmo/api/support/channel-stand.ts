/**
 * The API with channels into jobs whose agents are played by hand: rows of running jobs, clients of sockets that remember, and two places
 * that agents connect to, the same process and another server of the installation.
 */
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll } from 'vitest';
import { WebSocket } from 'ws';
import { decodeFrame, encodeJson, frameTypes, parseJson } from '../../../../../src/common/channels/index.ts';
import { systemClock } from '../../../../../src/common/clock.ts';
import { clientSubprotocol } from '../../../../../src/common/contract/channels.ts';
import { withSystem } from '../../../../../src/common/database/index.ts';
import { SolyxError } from '../../../../../src/common/errors/index.ts';
import { closeServer, createHttpServer } from '../../../../../src/common/http/index.ts';
import { newId } from '../../../../../src/common/ids.ts';
import { makeKey } from '../../../../../src/common/keys.ts';
import { silentLogger } from '../../../../../src/common/logger.ts';
import { ChannelHub, serveAgentChannels } from '../../../../../src/metapod/gateway/index.ts';
import { until } from '../../../../support/until.ts';
import { type ListeningApi, startListeningApi } from '../live/support/listening-api.ts';

type Server = Awaited<ReturnType<typeof createHttpServer>>;

export let api: ListeningApi;
/** Where agents connect: the same process, and another server of the installation. */
export let near: Server;
export let far: Server;
let siteId = '';

async function agentServer(hub: ChannelHub): Promise<Server> {
  const authenticate = async () => {
    throw new SolyxError('unauthenticated');
  };
  const app = await createHttpServer({ logger: silentLogger, clock: systemClock, authenticate });
  serveAgentChannels(app, { db: api.database.db, hub, logger: silentLogger });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return app;
}
export const portOf = (app: Server) => (app.server.address() as AddressInfo).port;

beforeAll(async () => {
  api = await startListeningApi({ channels: { mostOfTenant: 3, idleSeconds: 1, totalSeconds: 3, copyIdleSeconds: 1 } });
  near = await agentServer(api.deps.channels);
  far = await agentServer(new ChannelHub('other'));
  api.deps.channels.url = api.origin;
  siteId = newId('site');
  await withSystem(api.database.db, (tx) => tx.query('insert into drm_sites (id, name) values ($1, $1)', [siteId]));
}, 60_000);
afterAll(async () => {
  await closeServer(near, 500);
  await closeServer(far, 500);
  await api.close();
});

export const query = (text: string, values: unknown[] = []) =>
  withSystem(api.database.db, (tx) => tx.query(text, values));

export interface Placed {
  readonly jobId: string;
  readonly attemptId: string;
  readonly nodeId: string;
  readonly nodeToken: string;
}

/** A job that runs on a node of its own. @param protocol of the node's session; null: not connected */
export async function place(protocol: number | null = 2): Promise<Placed> {
  const { tenantId, projectId } = api;
  const [jobId, attemptId, nodeId, key] = [newId('job'), newId('attempt'), newId('node'), makeKey('node')];
  const spec = JSON.stringify({ name: 'placed', command: ['true'], resources: { nodes: 1 } });
  await query(`insert into drm_nodes (id, site_id, name, backend) values ($1, $2, $1, 'agent')`, [nodeId, siteId]);
  await query(
    `insert into cmo_api_keys (id, tenant, project, name, kind, role, hash, site_id, node_id) values ($1, $2, $3, 'n', 'node', 'viewer', $4, $5, $6)`,
    [newId('key'), tenantId, projectId, key.hash, siteId, nodeId],
  );
  await query(
    `insert into cmo_jobs (id, tenant, project, name, state, priority, spec, submitted_by) values ($1, $2, $3, 'placed', 'running', 0, $4, 'test')`,
    [jobId, tenantId, projectId, spec],
  );
  await query(
    `with made as (
       insert into cmo_attempts (id, tenant, job_id, number, backend, site_id, explanation, state)
       values ($1, $2, $3, 1, 'agent', $4, '{}', 'running') returning token)
     update cmo_jobs set newest_token = (select token from made) where id = $3`,
    [attemptId, tenantId, jobId, siteId],
  );
  await query(
    `insert into cmo_attempt_ranks (attempt_id, tenant, rank, node_id, state) values ($1, $2, 0, $3, 'running')`,
    [attemptId, tenantId, nodeId],
  );
  if (protocol !== null) {
    await query(
      `insert into metapod_sessions (node_id, session_id, gateway_id, protocol, lease_until) values ($1, 's', 'g', $2, now() + interval '1 hour')`,
      [nodeId, protocol],
    );
  }
  return { jobId, attemptId, nodeId, nodeToken: key.text };
}

/** A client of a socket that remembers what it heard. */
export class Client {
  readonly socket: WebSocket;
  readonly events: Record<string, unknown>[] = [];
  readonly data: Buffer[] = [];
  closed: number | undefined;
  refused: number | undefined;

  constructor(path: string, options: { key?: string; ticket?: string }) {
    const protocols = [clientSubprotocol, ...(options.ticket === undefined ? [] : [`solyx.ticket.${options.ticket}`])];
    const headers = options.key === undefined ? {} : { authorization: `Bearer ${options.key}` };
    this.socket = new WebSocket(api.origin.replace('http', 'ws') + path, protocols, { headers });
    this.socket.on('error', () => {});
    this.socket.on('unexpected-response', (_request, response) => {
      this.refused = response.statusCode;
      this.socket.terminate();
    });
    this.socket.on('close', (code) => {
      this.closed = code;
    });
    this.socket.on('message', (bytes: Buffer) => {
      const frame = decodeFrame(bytes)!;
      if (frame.type === frameTypes.control) this.events.push(parseJson(frame.payload) as Record<string, unknown>);
      if (frame.type === frameTypes.data) this.data.push(frame.payload);
    });
  }

  async start(message: object = { type: 'start', command: ['true'] }): Promise<this> {
    await until('it is open', () => this.socket.readyState === WebSocket.OPEN || this.refused);
    this.socket.send(encodeJson(frameTypes.control, 0, message));
    return this;
  }

  error(): Promise<string> {
    return until(
      'there is an error',
      () => this.events.find(({ type }) => type === 'error')?.code as string | undefined,
    );
  }
}

export const exec = (job: Placed, key = api.adminKey) => new Client(`/v1/jobs/${job.jobId}/exec`, { key }).start();

/** Id of the channel that a node has not come for yet. */
export const wanted = (job: Placed): Promise<string> =>
  until('a channel is wanted', async () => {
    const { rows } = await query('select id from metapod_channels where node_id = $1 and claimed_at is null', [
      job.nodeId,
    ]);
    return (rows[0] as { id: string } | undefined)?.id;
  });

/** What an upgrade is answered with. */
export function statusOf(url: string, token: string): Promise<number> {
  const socket = new WebSocket(url, 'solyx.channel.v1', { headers: { authorization: `Bearer ${token}` } });
  socket.on('error', () => {});
  return new Promise((done) => {
    socket.once('unexpected-response', (_request, response) => done(response.statusCode!));
    socket.once('open', () => done(101));
  });
}

/** The agent of a node comes for the channel that is wanted of it. */
export async function come(
  job: Placed,
  server = near,
): Promise<{ id: string; agent: WebSocket; heard: Record<string, unknown>[] }> {
  const id = await wanted(job);
  const agent = new WebSocket(`ws://127.0.0.1:${portOf(server)}/v1/agent/channels/${id}`, 'solyx.channel.v1', {
    headers: { authorization: `Bearer ${job.nodeToken}` },
  });
  agent.on('error', () => {});
  const heard: Record<string, unknown>[] = [];
  agent.on('message', (bytes: Buffer) => {
    const frame = decodeFrame(bytes)!;
    if (frame.type === frameTypes.control) heard.push(parseJson(frame.payload) as Record<string, unknown>);
  });
  await until('the agent is told what is wanted', () => heard.length > 0);
  return { id, agent, heard };
}

export const say = (socket: WebSocket, message: object) => socket.send(encodeJson(frameTypes.control, 0, message));
export const audit = async (jobId: string) =>
  (await query('select action, data::jsonb as data from audit_entries where subject = $1 order by sequence', [jobId]))
    .rows as {
    action: string;
    data: Record<string, unknown>;
  }[];
export const openRows = async (job: Placed) =>
  (await query('select id from metapod_channels where job_id = $1', [job.jobId])).rows.length;
