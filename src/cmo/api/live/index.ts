/** Live updates: `GET /v1/live`. Other sockets of the API open by the same tickets (`serveSockets`). */
import type { FastifyInstance } from 'fastify';
import { livePath, liveProtocol } from '../../../common/contract/live.ts';
import type { ApiDeps } from '../deps.ts';
import { Connection } from './connection.ts';
import { LiveFeed } from './feed.ts';
import { Flusher } from './flusher.ts';
import { mostMessageBytes } from './messages.ts';
import { makeLiveMetrics } from './metrics.ts';
import { SharedReads } from './shared-reads.ts';
import { SharedViews } from './shared-views.ts';
import { inSlices } from './slices.ts';
import { serveSockets } from './sockets.ts';
import { topics } from './topics/index.ts';

export { type OpenedSocket, type SocketRoute, serveSockets } from './sockets.ts';
export { ticketHandlers } from './tickets.ts';

/** Between marks, ms; every second one comes with a ping. */
const markMs = 10_000;

/** Serves the live socket; call it before `listen`. */
export function serveLive(app: FastifyInstance, deps: ApiDeps): void {
  const metrics = makeLiveMetrics(deps.metrics);
  const feed = new LiveFeed(deps);
  const flusher = new Flusher();
  const services = { deps, feed, reads: new SharedReads(), views: new SharedViews(), metrics };
  const connections = new Set<Connection>();
  let beats = 0;
  const beat = setInterval(() => {
    beats += 1;
    const isPing = beats % 2 === 0;
    void inSlices([...connections], (connection) => {
      connection.sayMark();
      if (isPing) connection.ping();
    });
  }, markMs);
  beat.unref();

  serveSockets(app, deps, {
    path: livePath,
    protocol: liveProtocol,
    purpose: 'live',
    role: 'viewer',
    mostMessageBytes,
    open: ({ socket, stream, principal }) => {
      const connection = new Connection({ socket, stream, principal, services, flusher, topics });
      connections.add(connection);
      metrics.connections.inc();
      socket.once('close', () => {
        connections.delete(connection);
        metrics.connections.dec();
      });
    },
  });
  app.addHook('onClose', async () => {
    clearInterval(beat);
    flusher.stop();
    services.views.stop();
    await feed.stop();
  });
}
