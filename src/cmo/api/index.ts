export { makeAuthenticator } from './access/authenticator.ts';
export { type Bootstrapped, bootstrap } from './access/bootstrap.ts';
export { type ChannelTimings, endAbandonedChannels } from './channels/index.ts';
export { serveDashboard } from './dashboard.ts';
export type { ApiDeps, Preview } from './deps.ts';
export { pruneIdentity } from './identity/prune.ts';
export { type IdentitySettings, identitySettings } from './identity/settings.ts';
export { pruneIdempotency } from './jobs/idempotency.ts';
export { serveApi } from './plugin.ts';
