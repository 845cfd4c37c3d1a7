/**
 * WebSocket upgrades of a server, by path. Node leaves a socket open for ever when somebody listens for upgrades and nobody takes
 * this one, so there is one listener, and what it does not know it refuses.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';

export type TakeUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

const tables = new WeakMap<object, Map<string, TakeUpgrade>>();

/**
 * Hands the upgrades of a path to `take`, which from then on owns the socket.
 * @param path may have `:name` for one segment, as routes have; `pathSegment` reads it
 */
export function onUpgrade(app: FastifyInstance, path: string, take: TakeUpgrade): void {
  let table = tables.get(app.server);
  if (!table) {
    const paths = new Map<string, TakeUpgrade>();
    table = paths;
    tables.set(app.server, paths);
    app.server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      const found = findTaker(paths, pathOf(request));
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

/** The segment of a request's path that stands where `:name` stands in `path`; '' when there is none. */
export function pathSegment(request: IncomingMessage, path: string, name: string): string {
  return pathOf(request).split('/')[path.split('/').indexOf(`:${name}`)] ?? '';
}

const pathOf = (request: IncomingMessage): string => request.url?.split('?', 1)[0] ?? '';

function findTaker(paths: ReadonlyMap<string, TakeUpgrade>, asked: string): TakeUpgrade | undefined {
  const exact = paths.get(asked);
  if (exact) return exact;
  const segments = asked.split('/');
  for (const [path, take] of paths) {
    const wanted = path.split('/');
    const fits = wanted.length === segments.length && wanted.every((part, at) => fitsSegment(part, segments[at]!));
    if (fits) return take;
  }
  return undefined;
}

const fitsSegment = (wanted: string, asked: string): boolean =>
  wanted.startsWith(':') ? /^[\w-]{1,64}$/.test(asked) : wanted === asked;
