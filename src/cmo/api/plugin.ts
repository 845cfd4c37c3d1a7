/** Puts every endpoint of the contract table on a server. A missing handler does not compile. */
import type { FastifyInstance } from 'fastify';
import { type Route, type RouteId, routes } from '../../common/contract/routes/index.ts';
import { bindRoute, documentApi, type Handler, type Handlers, serveStatus } from '../../common/http/index.ts';
import { release } from '../../common/release.ts';
import { keyHandlers } from './access/keys.ts';
import { namingHandlers } from './access/naming.ts';
import { tenantHandlers } from './access/tenants.ts';
import { auditHandlers } from './audit/handlers.ts';
import { sealWhileListening } from './audit/sealing.ts';
import { blobHandlers } from './blobs.ts';
import { channelHandlers, serveChannels } from './channels/index.ts';
import type { ApiDeps } from './deps.ts';
import { invitationHandlers } from './identity/invitations.ts';
import { loginLinkHandlers } from './identity/login-links.ts';
import { oidcHandlers } from './identity/oidc/handlers.ts';
import { ownKeyHandlers } from './identity/own-keys.ts';
import { ownTenantHandlers } from './identity/own-tenants.ts';
import { serviceAccountHandlers } from './identity/service-accounts.ts';
import { sessionHandlers } from './identity/sessions.ts';
import { userHandlers } from './identity/users.ts';
import { jobControls } from './jobs/control.ts';
import { logHandlers } from './jobs/logs.ts';
import { queueHandlers } from './jobs/queue.ts';
import { jobReads } from './jobs/read.ts';
import { submitJob } from './jobs/submit.ts';
import { jobUsageHandlers } from './jobs-usage.ts';
import { serveLive, ticketHandlers } from './live/index.ts';
import { metricHandlers, telemetryHandlers } from './metrics/index.ts';
import { moveHandlers } from './moves.ts';
import { nodeHandlers } from './nodes.ts';
import { notificationHandlers } from './notifications.ts';
import { overviewHandlers } from './overview.ts';
import { usageHandlers } from './projects-usage.ts';
import { quotaHandlers } from './quotas.ts';
import { reservationHandlers } from './reservations.ts';
import { secretHandlers } from './secrets/handlers.ts';
import { siteHandlers } from './sites.ts';

type StatusRoute = 'getLiveness' | 'getReadiness' | 'getMetrics';

/** Registers the API on a server made by `createHttpServer`; call it before `listen`. */
export async function serveApi(app: FastifyInstance, deps: ApiDeps): Promise<void> {
  await documentApi(app, release);
  const channels = serveChannels(app, deps);
  const handlers: Handlers<Exclude<RouteId, StatusRoute>> = {
    submitJob: submitJob(deps),
    ...jobReads(deps),
    ...jobControls(deps),
    ...queueHandlers(deps),
    ...quotaHandlers(deps),
    ...reservationHandlers(deps),
    ...logHandlers(deps),
    ...channelHandlers(deps, channels),
    ...metricHandlers(deps),
    ...telemetryHandlers(deps),
    ...usageHandlers(deps),
    ...jobUsageHandlers(deps),
    ...overviewHandlers(deps),
    ...tenantHandlers(deps),
    ...namingHandlers(deps),
    ...keyHandlers(deps),
    ...sessionHandlers(deps),
    ...loginLinkHandlers(deps),
    ...ownTenantHandlers(deps),
    ...oidcHandlers(deps),
    ...userHandlers(deps),
    ...invitationHandlers(deps),
    ...serviceAccountHandlers(deps),
    ...ownKeyHandlers(deps),
    ...siteHandlers(deps),
    ...nodeHandlers(deps),
    ...moveHandlers(deps),
    ...secretHandlers(deps),
    ...auditHandlers(deps),
    ...notificationHandlers(deps),
    ...blobHandlers(deps),
    ...ticketHandlers(deps),
    getOpenapi: async ({ reply }) =>
      reply.type('application/json; charset=utf-8').serializer(JSON.stringify).send(app.swagger()),
  };
  sealWhileListening(app, deps);
  for (const [id, handler] of Object.entries(handlers)) {
    bindRoute<Route>(app, routes[id as RouteId], handler as Handler<Route>);
  }
  serveLive(app, deps);
  serveStatus(app, { registry: deps.metrics, ready: () => databaseAnswers(deps) });
}

async function databaseAnswers({ db }: ApiDeps): Promise<boolean> {
  await db.system.query('select 1');
  return true;
}
