/** Puts every endpoint of the contract table on a server. A missing handler does not compile. */
import type { FastifyInstance } from 'fastify';
import { type Route, type RouteId, routes } from '../../common/contract/routes/index.ts';
import { bindRoute, documentApi, type Handler, type Handlers } from '../../common/http/index.ts';
import type { ApiDeps } from './deps.ts';
import { jobReads } from './jobs/read.ts';
import { submitJob } from './jobs/submit.ts';
import { serviceHandlers } from './service.ts';

/** Release that the OpenAPI document names. */
const apiVersion = '0.1.0';

/** Registers the API on a server made by `createHttpServer`; call it before `listen`. */
export async function serveApi(app: FastifyInstance, deps: ApiDeps): Promise<void> {
  await documentApi(app, apiVersion);
  const handlers = {
    submitJob: submitJob(deps),
    ...jobReads(deps),
    ...serviceHandlers(app, deps),
  } satisfies Partial<Handlers>;
  for (const [id, handler] of Object.entries(handlers)) {
    bindRoute<Route>(app, routes[id as RouteId], handler as Handler<Route>);
  }
}
