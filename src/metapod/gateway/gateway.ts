/**
 * The gateway: holds nodes' sockets for the control plane and carries messages between them and the database.
 *
 * Nothing important lives here. What a node says is in rows before it is acknowledged, and what it should do is in
 * rows until it acknowledged that, so a gateway may be killed at any line and the node goes on with another. A node's
 * session is a row too: the newest hello takes it, wherever it came in, and the older socket is closed by whoever holds
 * it at the next renewal, or at once when it is here.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Registry } from 'prom-client';
import { WebSocketServer } from 'ws';
import type { Clock } from '../../common/clock.ts';
import { channelProtocol } from '../../common/contract/agent/channels.ts';
import {
  closeCodes,
  heartbeatSeconds,
  protocolVersion,
  type WireInventory,
} from '../../common/contract/agent/protocol.ts';
import { type Database, withSystem } from '../../common/database/index.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { type Loop, runLoop, type Wake } from '../../common/events/index.ts';
import { failpoint } from '../../common/failpoints.ts';
import { newId } from '../../common/ids.ts';
import { bearerKey } from '../../common/keys.ts';
import type { Logger } from '../../common/logger.ts';
import { recordHeartbeats, registerNode } from '../../drm/tracker/index.ts';
import { authenticateNode } from './authenticate.ts';
import { wantedChannels } from './channels/rows.ts';
import { ackCommands, type CommandMessage, openCommands } from './commands.ts';
import { HeartbeatBatcher, type NodeHeartbeat } from './heartbeat-batcher.ts';
import { createGatewayMeters, type GatewayMeters } from './meters.ts';
import { recordProgress } from './progress.ts';
import { reportVanishedRanks } from './reports.ts';
import {
  defaultTimings,
  type Hello,
  hardFrameBytes,
  type LightMessage,
  NodeSession,
  type SessionTimings,
} from './session.ts';
import { dropSessions, leaseSeconds, renewSessions, takeSession } from './sessions.ts';
import { takeStreams } from './streams.ts';

/** Codes of a database that takes it later. */
const passing: ReadonlySet<string> = new Set(['disk_full', 'database_unavailable', 'database_timeout']);

export const connectPath = '/v1/agent/connect';

export interface GatewayDependencies {
  readonly db: Database;
  readonly wake: Wake;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Bytes of log lines a node may have on the way, 64 KiB..; default 1 MiB. */
  readonly logCreditBytes?: number;
  readonly timings?: SessionTimings;
}

export class Gateway {
  readonly id = `gateway ${randomUUID()}`;
  readonly #deps: GatewayDependencies;
  readonly #logger: Logger;
  readonly #meters: GatewayMeters;
  readonly #sessions = new Map<string, NodeSession>();
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: hardFrameBytes, perMessageDeflate: false });
  readonly #heartbeats: HeartbeatBatcher;
  #loops: Loop[] = [];
  #stopping = false;

  constructor(deps: GatewayDependencies) {
    this.#deps = deps;
    this.#logger = deps.logger.child({ component: 'gateway' });
    this.#meters = createGatewayMeters(deps.registry, () => this.#sessions.size);
    this.#heartbeats = new HeartbeatBatcher((beats) => this.#recordHeartbeats(beats), this.#logger);
  }

  /** Starts sending commands and renewing leases. */
  start(): void {
    const common = { wake: this.#deps.wake, logger: this.#logger };
    this.#loops = [
      runLoop({
        ...common,
        name: 'gateway commands',
        wakeOn: ['gateway'],
        run: () => this.#sendCommands([...this.#sessions.keys()]),
      }),
      runLoop({
        ...common,
        name: 'gateway channels',
        wakeOn: ['channels'],
        run: () => this.#announceChannels([...this.#sessions.keys()]),
      }),
      runLoop({
        ...common,
        name: 'gateway leases',
        // A token was revoked, perhaps one of a node here.
        wakeOn: ['keys'],
        resyncSeconds: leaseSeconds / 4,
        run: () => this.#renew(),
      }),
    ];
  }

  /** Closes every socket with `shuttingDown`; agents come back to another gateway, or to the next one here. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    const sessions = [...this.#sessions.values()];
    await Promise.all(sessions.map((session) => session.idle()));
    await this.#heartbeats.idle();
    for (const session of sessions) session.close('shuttingDown');
    await dropSessions(this.#deps.db.system, this.id).catch((error) =>
      this.#logger.warn({ err: error }, 'sessions were not given up; their lease will run out'),
    );
    this.#server.close();
  }

  /** Ids of the nodes whose socket is here. */
  connectedNodes(): string[] {
    return [...this.#sessions.keys()];
  }

  /** Takes an HTTP upgrade of `connectPath`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    if (this.#stopping) {
      refuse(socket, 503, 'Service Unavailable');
      return;
    }
    // A text that is no node token costs no query.
    if (bearerKey(request.headers.authorization)?.kind !== 'node') {
      refuse(socket, 401, 'Unauthorized');
      return;
    }
    authenticateNode(this.#deps.db.system, request.headers.authorization).then(
      (found) => {
        if (found.kind === 'refused' && found.code === 'unauthenticated') return refuse(socket, 401, 'Unauthorized');
        this.#server.handleUpgrade(request, socket, head, (webSocket) => {
          // A revoked node is told so in words that end its retries; a refused upgrade looks like a broken proxy.
          if (found.kind === 'refused') return webSocket.close(closeCodes.revoked.code, 'revoked');
          new NodeSession({
            socket: webSocket,
            identity: found.identity,
            sessionId: newId('session'),
            handlers: {
              hello: (session, hello) => this.#greet(session, hello),
              streams: (session, messages) => takeStreams({ ...this.#deps, meters: this.#meters }, session, messages),
              message: (session, message) => this.#takeMessage(session, message),
              closed: (session) => this.#forget(session),
            },
            logger: this.#logger,
            timings: this.#deps.timings ?? defaultTimings,
            meters: this.#meters,
          });
        });
      },
      (error) => {
        this.#logger.warn({ err: error }, 'a node could not be authenticated');
        refuse(socket, 503, 'Service Unavailable');
      },
    );
  }

  async #greet(session: NodeSession, hello: Hello): Promise<void> {
    if (hello.protocol < Math.max(1, protocolVersion - 1) || hello.protocol > protocolVersion) {
      return session.close(
        'protocol',
        'protocol_unsupported',
        `The server speaks ${protocolVersion} and the one before.`,
      );
    }
    failpoint('gateway.before-session');
    const vanished = await withSystem(
      this.#deps.db,
      async (tx) => {
        await registerNode(tx, nodeOf(session, hello.inventory));
        await takeSession(tx, { ...identityOf(session), gatewayId: this.id, hello });
        return reportVanishedRanks(tx, session.nodeId, session.sessionId, hello.attempts, this.#deps.clock.now());
      },
      { idempotent: true },
    );
    if (this.#stopping) return session.close('shuttingDown');
    this.#sessions.get(session.nodeId)?.close('replaced');
    this.#sessions.set(session.nodeId, session);
    session.send({
      type: 'welcome',
      protocol: hello.protocol,
      nodeId: session.nodeId,
      sessionId: session.sessionId,
      heartbeatSeconds,
      logCreditBytes: this.#deps.logCreditBytes ?? 1_048_576,
    });
    this.#logger.info({ node: session.nodeId, vanished }, 'a node connected');
    for (const topic of ['tracker', 'scheduler', 'orchestrator']) this.#deps.wake.wake(topic);
    // The commands loop sends what is open; it runs alone, so none is sent twice or out of order.
    for (const loop of this.#loops.slice(0, 2)) loop.wake();
  }

  #takeMessage(session: NodeSession, message: LightMessage): void {
    switch (message.type) {
      case 'heartbeat':
        this.#takeHeartbeat(session, message);
        return;
      case 'commandAck':
        this.#takeCommandAck(session, message);
        return;
      case 'inventory':
        void this.#takeInventory(session, message.inventory);
        return;
      case 'progress':
        withSystem(this.#deps.db, (tx) => recordProgress(tx, session.nodeId, message)).catch((error) =>
          this.#logger.debug({ err: error, node: session.nodeId }, 'how far a start is was not recorded'),
        );
    }
  }

  /** What a node has changed; jobs may wait for just that. */
  async #takeInventory(session: NodeSession, inventory: WireInventory): Promise<void> {
    try {
      const { changed } = await withSystem(this.#deps.db, (tx) => registerNode(tx, nodeOf(session, inventory)), {
        idempotent: true,
      });
      if (changed) for (const topic of ['scheduler', 'orchestrator']) this.#deps.wake.wake(topic);
    } catch (error) {
      this.#logger.warn({ err: error, node: session.nodeId }, 'an inventory was not recorded');
      // A node says once what it has; where we could not write just now, its next hello must say it again.
      const mayPass = error instanceof SolyxError && passing.has(error.code);
      if (mayPass) session.close('shuttingDown', 'not_ready', 'The server cannot record this now.');
    }
  }

  #takeHeartbeat(session: NodeSession, { seq, samples = [] }: Extract<LightMessage, { type: 'heartbeat' }>): void {
    const arrivedMs = performance.now();
    this.#heartbeats.add({ nodeId: session.nodeId, bootId: session.bootId, samples }, () => {
      session.send({ type: 'heartbeatAck', seq });
      session.acknowledged('heartbeat', arrivedMs);
    });
  }

  #takeCommandAck(session: NodeSession, { id, result, detail }: Extract<LightMessage, { type: 'commandAck' }>): void {
    const sent = session.sentCommands.get(id);
    if (sent !== undefined) {
      this.#meters.commandSeconds.observe({ kind: sent.kind }, (performance.now() - sent.atMs) / 1000);
    }
    if (result === 'refused') this.#logger.warn({ node: session.nodeId, command: id, detail }, 'a node refused');
    ackCommands(this.#deps.db.system, session.nodeId, [id]).then(
      () => session.sentCommands.delete(id),
      // It stays open and is sent again after the next reconnect; the agent answers it again.
      (error) => this.#logger.warn({ err: error, command: id }, 'an acknowledged command was not recorded'),
    );
  }

  async #recordHeartbeats(beats: readonly NodeHeartbeat[]): Promise<void> {
    const { recovered, refused } = await withSystem(this.#deps.db, (tx) => recordHeartbeats(tx, beats), {
      idempotent: true,
    });
    failpoint('gateway.after-heartbeats');
    for (const nodeId of refused) this.#sessions.get(nodeId)?.close('revoked', 'key_revoked');
    if (recovered.length === 0) return;
    this.#deps.wake.wake('scheduler');
    this.#deps.wake.wake('orchestrator');
  }

  async #sendCommands(nodeIds: readonly string[]): Promise<void> {
    if (nodeIds.length === 0) return;
    for (const { nodeId, message } of await openCommands(this.#deps.db.system, nodeIds)) {
      const session = this.#sessions.get(nodeId);
      if (session === undefined || session.sentCommands.has(message.id)) continue;
      session.sentCommands.set(message.id, { kind: message.kind, atMs: performance.now() });
      failpoint('gateway.before-command');
      session.send(forProtocol(message, session.protocol));
    }
  }

  /** Tells nodes which channels they should come for; those of protocol 1 would not understand. */
  async #announceChannels(nodeIds: readonly string[]): Promise<void> {
    if (nodeIds.length === 0) return;
    for (const { nodeId, ...wanted } of await wantedChannels(this.#deps.db.system, nodeIds)) {
      const session = this.#sessions.get(nodeId);
      if (session === undefined || session.protocol < channelProtocol || session.sentChannels.has(wanted.channelId))
        continue;
      session.sentChannels.add(wanted.channelId);
      session.send({ type: 'channel', ...wanted });
    }
  }

  async #renew(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    if (sessions.length === 0) return;
    const kept = await renewSessions(this.#deps.db.system, sessions.map(identityOf));
    for (const session of sessions) {
      const fate = kept.get(session.nodeId);
      if (fate === 'revoked') session.close('revoked', 'key_revoked');
      else if (fate !== 'kept') session.close('replaced');
    }
  }

  #forget(session: NodeSession): void {
    if (this.#sessions.get(session.nodeId) === session) this.#sessions.delete(session.nodeId);
  }
}

const nodeOf = ({ nodeId, siteId, bootId, agentVersion }: NodeSession, inventory: WireInventory) => ({
  nodeId,
  siteId,
  bootId,
  agentVersion,
  name: inventory.name,
  inventory,
});
const identityOf = ({ nodeId, sessionId, keyId }: NodeSession) => ({ nodeId, sessionId, keyId });

/** A node that cannot ask for secrets must refuse the start, not run the job without them: it does not know this payload. */
const forProtocol = (message: CommandMessage, protocol: number): CommandMessage =>
  protocol < 2 && message.kind === 'start' && isNonEmpty(message.payload.secrets)
    ? { ...message, payload: {} }
    : message;

const isNonEmpty = (value: unknown): boolean => Array.isArray(value) && value.length > 0;

function refuse(socket: Duplex, status: number, text: string): void {
  socket.end(`HTTP/1.1 ${status} ${text}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
