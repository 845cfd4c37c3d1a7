/**
 * Where agents and other servers bring the sockets of channels.
 *
 * An agent comes with its node's token and gets the channel once. If the client waits here, the two meet; if it waits at another server
 * of the installation, the socket is handed on by a WebSocket to that server, which knows us by a random text whose hash we wrote
 * into the channel's row: whoever may write the database is one of us.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { WebSocket, WebSocketServer } from 'ws';
import { closeSocket, mostFrameBytes, watchSilence } from '../../../common/channels/index.ts';
import { channelPath, channelSubprotocol, relayPath } from '../../../common/contract/agent/channels.ts';
import type { Database } from '../../../common/database/index.ts';
import { failpoint } from '../../../common/failpoints.ts';
import { onUpgrade, pathSegment, refuseUpgrade } from '../../../common/http/upgrades.ts';
import type { Logger } from '../../../common/logger.ts';
import { authenticateNode } from '../authenticate.ts';
import type { ChannelHub } from './hub.ts';
import { pipeSockets } from './pipe.ts';
import { claimChannel, takeRelay } from './rows.ts';

export interface ChannelUpgradeDependencies {
  readonly db: Database;
  readonly hub: ChannelHub;
  readonly logger: Logger;
}

const relayHandshakeMs = 5_000;
const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest();

/** A server for sockets of channels that ends them with the HTTP server. */
function channelServer(app: FastifyInstance): WebSocketServer {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: mostFrameBytes,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(channelSubprotocol) ? channelSubprotocol : false),
  });
  app.addHook('preClose', async () => {
    for (const socket of server.clients) closeSocket(socket, 1012, 'the server stops');
    server.close();
  });
  return server;
}

/** Takes agents' sockets; on the server that agents connect to. */
export function serveAgentChannels(app: FastifyInstance, { db, hub, logger }: ChannelUpgradeDependencies): void {
  const server = channelServer(app);
  const take = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const found = await authenticateNode(db.system, request.headers.authorization);
    if (found.kind === 'refused') return refuseUpgrade(socket, 401, 'Unauthorized');
    const id = pathSegment(request, channelPath, 'id');
    const proof = randomBytes(32).toString('base64url');
    const claimed = await claimChannel(db.system, id, found.identity.nodeId, hashOf(proof));
    failpoint('gateway.after-channel-claim');
    if (claimed === undefined) return refuseUpgrade(socket, 404, 'Not Found');
    if (claimed.holder === hub.id) {
      if (!hub.expects(id)) return refuseUpgrade(socket, 410, 'Gone');
      server.handleUpgrade(request, socket, head, (agent) => {
        watchSilence(agent);
        hub.meet(id, agent);
      });
      return;
    }
    if (claimed.holderUrl === null) return refuseUpgrade(socket, 410, 'Gone');
    const relay = await connectRelay(claimed.holderUrl, claimed.certificate, id, proof);
    server.handleUpgrade(request, socket, head, (agent) => {
      watchSilence(agent);
      watchSilence(relay);
      pipeSockets(agent, relay);
    });
  };
  onUpgrade(app, channelPath, (request, socket, head) => {
    take(request, socket, head).catch((error) => {
      logger.warn({ err: error }, 'a channel of a node could not be connected');
      refuseUpgrade(socket, 503, 'Service Unavailable');
    });
  });
}

/** Takes sockets that other servers hand on; on the server that clients connect to. */
export function serveRelayedChannels(app: FastifyInstance, { db, hub, logger }: ChannelUpgradeDependencies): void {
  const server = channelServer(app);
  const take = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const id = pathSegment(request, relayPath, 'id');
    const proof = /^Bearer ([\w-]{43})$/.exec(request.headers.authorization ?? '')?.[1];
    // Nobody waits: costs no query, and tells nothing.
    const mayEnter = proof !== undefined && hub.expects(id) && (await takeRelay(db.system, id, hub.id, hashOf(proof)));
    if (!mayEnter || !hub.expects(id)) return refuseUpgrade(socket, 404, 'Not Found');
    server.handleUpgrade(request, socket, head, (agent) => {
      watchSilence(agent);
      hub.meet(id, agent);
    });
  };
  onUpgrade(app, relayPath, (request, socket, head) => {
    take(request, socket, head).catch((error) => {
      logger.warn({ err: error }, 'a channel of another server could not be taken over');
      refuseUpgrade(socket, 503, 'Service Unavailable');
    });
  });
}

/** @throws Error when the holder does not answer or does not want the channel */
function connectRelay(
  holderUrl: string,
  certificate: string | null,
  channelId: string,
  proof: string,
): Promise<WebSocket> {
  const url = `${holderUrl.replace(/^http/, 'ws')}${relayPath.replace(':id', channelId)}`;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, channelSubprotocol, {
      headers: { authorization: `Bearer ${proof}` },
      maxPayload: mostFrameBytes,
      handshakeTimeout: relayHandshakeMs,
      perMessageDeflate: false,
      // Exactly this certificate, under whatever name: the row is what we trust.
      ...(certificate !== null && {
        ca: [certificate],
        allowPartialTrustChain: true,
        checkServerIdentity: () => undefined,
      }),
    });
    socket.once('error', reject);
    socket.once('open', () => {
      socket.off('error', reject);
      // Nothing may be lost before the agent's side is there.
      socket.pause();
      resolve(socket);
    });
  });
}
