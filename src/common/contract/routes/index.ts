/** The contract table: every endpoint of the public API with its schemas, access and errors. */
import { accessRoutes } from './access.ts';
import { auditRoutes } from './audit.ts';
import { fileRoutes } from './files.ts';
import { fleetRoutes } from './fleet.ts';
import { identityRoutes } from './identity.ts';
import { jobUsageRoutes } from './job-usage.ts';
import { jobRoutes } from './jobs.ts';
import { liveRoutes } from './live.ts';
import { metricRoutes } from './metrics.ts';
import { moveRoutes } from './moves.ts';
import { notificationRoutes } from './notifications.ts';
import { overviewRoutes } from './overview.ts';
import { quotaRoutes } from './quotas.ts';
import { reservationRoutes } from './reservations.ts';
import type { Route } from './route.ts';
import { secretRoutes } from './secrets.ts';
import { serviceRoutes } from './service.ts';
import { userRoutes } from './users.ts';

export const routes = {
  ...jobRoutes,
  ...jobUsageRoutes,
  ...accessRoutes,
  ...identityRoutes,
  ...userRoutes,
  ...fileRoutes,
  ...fleetRoutes,
  ...moveRoutes,
  ...metricRoutes,
  ...overviewRoutes,
  ...quotaRoutes,
  ...reservationRoutes,
  ...secretRoutes,
  ...auditRoutes,
  ...notificationRoutes,
  ...liveRoutes,
  ...serviceRoutes,
};

export type Routes = typeof routes;
export type RouteId = keyof Routes;

/** The table as a list, for whoever goes over all of it. */
export const allRoutes: readonly Route[] = Object.values(routes);

export { problem } from './parts.ts';
export { type Access, type Role, type Route, roles } from './route.ts';
