/**
 * WebSocket upgrades of a server, by path. Node leaves a socket open for ever when somebody listens for upgrades and nobody takes
 * this one, so there is one listener, and what it does not know it refuses.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';

export type TakeUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

const tables = new WeakMap<object, Map<string, TakeUpgrade>>();

/** Hands the upgrades of a path to `take`, which from then on owns the socket. */
export function onUpgrade(app: FastifyInstance, path: string, take: TakeUpgrade): void {
  let table = tables.get(app.server);
  if (!table) {
    const paths = new Map<string, TakeUpgrade>();
    table = paths;
    tables.set(app.server, paths);
    app.server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      const found = paths.get(request.url?.split('?', 1)[0] ?? '');
      if (found) found(request, socket, head);
      else refuseUpgrade(socket, 404, 'Not Found');
    });
  }
  table.set(path, take);
}

/** Answers an upgrade with an error and ends the socket. */
export function refuseUpgrade(socket: Duplex, status: number, text: string): void {
  socket.end(`HTTP/1.1 ${status} ${text}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
