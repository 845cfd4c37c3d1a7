/**
 * Cuts off clients that send a small body byte by byte.
 *
 * The server's own request timeout must allow for large uploads on slow lines, so it is long; a spec of a megabyte has
 * no such excuse. Routes that take streams say so in their config and are left to the long one.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';

const timers = new WeakMap<FastifyRequest, NodeJS.Timeout>();

/** Ends the connection of a request whose body has not arrived whole after `timeoutMs` > 0. */
export function refuseSlowBodies(app: FastifyInstance, timeoutMs: number): void {
  app.addHook('preParsing', async (request) => {
    const { headers, raw, routeOptions } = request;
    const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
    if (!hasBody || routeOptions.config.streamsBody) return;
    const timer = setTimeout(() => raw.destroy(), timeoutMs);
    timers.set(request, timer);
    raw.once('close', () => clearTimeout(timer));
  });
  app.addHook('preValidation', async (request) => {
    clearTimeout(timers.get(request));
  });
}
