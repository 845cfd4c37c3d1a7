/**
 * Every endpoint of the public API by id: its method and path, and nothing else.
 *
 * The typed client reads only this at run time, so that starting the CLI does not load zod; the schemas that belong to
 * each endpoint are in `routes/`, and a test holds that both have the same ids.
 */
export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Endpoint {
  readonly method: Method;
  /** Path with `:name` parameters. */
  readonly path: string;
}

export const endpoints = {
  submitJob: { method: 'POST', path: '/v1/jobs' },
  listJobs: { method: 'GET', path: '/v1/jobs' },
  getJob: { method: 'GET', path: '/v1/jobs/:id' },
  cancelJob: { method: 'POST', path: '/v1/jobs/:id/cancel' },
  suspendJob: { method: 'POST', path: '/v1/jobs/:id/suspend' },
  resumeJob: { method: 'POST', path: '/v1/jobs/:id/resume' },
  getJobLogs: { method: 'GET', path: '/v1/jobs/:id/logs' },
  listJobEvents: { method: 'GET', path: '/v1/jobs/:id/events' },
  getJobFiles: { method: 'GET', path: '/v1/jobs/:id/files' },
  putJobFiles: { method: 'PUT', path: '/v1/jobs/:id/files' },
  getJobMetrics: { method: 'GET', path: '/v1/jobs/:id/metrics' },
  compareMetrics: { method: 'GET', path: '/v1/metrics/compare' },
  getJobTelemetry: { method: 'GET', path: '/v1/jobs/:id/telemetry' },
  getNodeTelemetry: { method: 'GET', path: '/v1/nodes/:id/telemetry' },
  getUsage: { method: 'GET', path: '/v1/usage' },
  listJobUsage: { method: 'GET', path: '/v1/usage/jobs' },
  getOverview: { method: 'GET', path: '/v1/overview' },

  listQuotas: { method: 'GET', path: '/v1/quotas' },
  setQuota: { method: 'PUT', path: '/v1/quotas' },
  removeQuota: { method: 'DELETE', path: '/v1/quotas' },
  getQueue: { method: 'GET', path: '/v1/queue' },
  listReservations: { method: 'GET', path: '/v1/reservations' },
  createReservation: { method: 'POST', path: '/v1/reservations' },
  cancelReservation: { method: 'POST', path: '/v1/reservations/:id/cancel' },

  createTenant: { method: 'POST', path: '/v1/tenants' },
  listTenants: { method: 'GET', path: '/v1/tenants' },
  updateTenant: { method: 'PATCH', path: '/v1/tenants/:id' },
  createProject: { method: 'POST', path: '/v1/projects' },
  listProjects: { method: 'GET', path: '/v1/projects' },
  updateProject: { method: 'PATCH', path: '/v1/projects/:id' },
  removeProject: { method: 'DELETE', path: '/v1/projects/:id' },
  createKey: { method: 'POST', path: '/v1/keys' },
  listKeys: { method: 'GET', path: '/v1/keys' },
  revokeKey: { method: 'POST', path: '/v1/keys/:id/revoke' },
  whoami: { method: 'GET', path: '/v1/whoami' },

  createSession: { method: 'POST', path: '/v1/sessions' },
  listSessions: { method: 'GET', path: '/v1/sessions' },
  endSession: { method: 'DELETE', path: '/v1/sessions/current' },
  revokeSession: { method: 'POST', path: '/v1/sessions/:id/revoke' },
  createLoginLink: { method: 'POST', path: '/v1/login-links' },
  mailLoginLink: { method: 'POST', path: '/v1/login-links/mail' },
  getSignInOptions: { method: 'GET', path: '/v1/sign-in' },
  beginOidc: { method: 'POST', path: '/v1/oidc/begin' },
  finishOidc: { method: 'POST', path: '/v1/oidc/finish' },
  listOwnTenants: { method: 'GET', path: '/v1/sessions/tenants' },
  switchTenant: { method: 'POST', path: '/v1/sessions/current/tenant' },

  listUsers: { method: 'GET', path: '/v1/users' },
  inviteUser: { method: 'POST', path: '/v1/users' },
  updateUser: { method: 'PATCH', path: '/v1/users/:id' },
  disableUser: { method: 'POST', path: '/v1/users/:id/disable' },
  enableUser: { method: 'POST', path: '/v1/users/:id/enable' },
  renewInvitation: { method: 'POST', path: '/v1/users/:id/invitation' },
  getInvitation: { method: 'POST', path: '/v1/invitations/look' },
  acceptInvitation: { method: 'POST', path: '/v1/invitations/accept' },
  listServiceAccounts: { method: 'GET', path: '/v1/service-accounts' },
  createServiceAccount: { method: 'POST', path: '/v1/service-accounts' },
  rotateServiceAccount: { method: 'POST', path: '/v1/service-accounts/:id/rotate' },
  listOwnKeys: { method: 'GET', path: '/v1/whoami/keys' },
  createOwnKey: { method: 'POST', path: '/v1/whoami/keys' },
  revokeOwnKey: { method: 'POST', path: '/v1/whoami/keys/:id/revoke' },

  createLiveTicket: { method: 'POST', path: '/v1/live/tickets' },

  createSite: { method: 'POST', path: '/v1/sites' },
  listSites: { method: 'GET', path: '/v1/sites' },
  getSite: { method: 'GET', path: '/v1/sites/:id' },
  updateSite: { method: 'PATCH', path: '/v1/sites/:id' },
  listNodes: { method: 'GET', path: '/v1/nodes' },
  getNode: { method: 'GET', path: '/v1/nodes/:id' },
  cordonNode: { method: 'POST', path: '/v1/nodes/:id/cordon' },
  uncordonNode: { method: 'POST', path: '/v1/nodes/:id/uncordon' },
  drainNode: { method: 'POST', path: '/v1/nodes/:id/drain' },
  removeNode: { method: 'POST', path: '/v1/nodes/:id/remove' },
  planMoves: { method: 'GET', path: '/v1/moves' },
  listDevices: { method: 'GET', path: '/v1/devices' },

  setSecret: { method: 'PUT', path: '/v1/secrets/:name' },
  listSecrets: { method: 'GET', path: '/v1/secrets' },
  removeSecret: { method: 'DELETE', path: '/v1/secrets/:name' },
  rotateSecretsKey: { method: 'POST', path: '/v1/secrets-key/rotate' },

  createNotificationChannel: { method: 'POST', path: '/v1/notifications/channels' },
  listNotificationChannels: { method: 'GET', path: '/v1/notifications/channels' },
  updateNotificationChannel: { method: 'PATCH', path: '/v1/notifications/channels/:id' },
  removeNotificationChannel: { method: 'DELETE', path: '/v1/notifications/channels/:id' },
  testNotificationChannel: { method: 'POST', path: '/v1/notifications/channels/:id/test' },
  listNotificationDeliveries: { method: 'GET', path: '/v1/notifications/deliveries' },
  replayNotificationDelivery: { method: 'POST', path: '/v1/notifications/deliveries/:id/replay' },

  listAudit: { method: 'GET', path: '/v1/audit' },
  getAuditHead: { method: 'GET', path: '/v1/audit/head' },
  listAuditSeals: { method: 'GET', path: '/v1/audit/seals' },

  putBlob: { method: 'PUT', path: '/v1/blobs/:sha256' },
  headBlob: { method: 'HEAD', path: '/v1/blobs/:sha256' },

  getLiveness: { method: 'GET', path: '/healthz' },
  getReadiness: { method: 'GET', path: '/readyz' },
  getMetrics: { method: 'GET', path: '/metrics' },
  getOpenapi: { method: 'GET', path: '/openapi.json' },
} as const satisfies Record<string, Endpoint>;

export type EndpointId = keyof typeof endpoints;
