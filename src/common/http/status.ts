/** Health and metrics of a component that is served without the API: `/healthz`, `/readyz`, `/metrics`. */
import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { SolyxError } from '../errors/index.ts';
import { requireAccess } from './principal.ts';

export interface StatusOptions {
  readonly registry: Registry;
  readonly ready: () => boolean;
}

/** Registers the three routes; metrics need a key of the operator, health says nothing and needs none. */
export function serveStatus(app: FastifyInstance, { registry, ready }: StatusOptions): void {
  app.get('/healthz', async (_request, reply) => reply.code(204).send());
  app.get('/readyz', async (_request, reply) => {
    if (!ready()) throw new SolyxError('not_ready');
    return reply.code(204).send();
  });
  app.get('/metrics', async (request, reply) => {
    requireAccess(await app.authenticate(request.headers.authorization), { role: 'viewer', operator: true });
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}
