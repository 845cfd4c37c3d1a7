export { makeAuthenticator } from './auth/authenticator.ts';
export { type Bootstrapped, bootstrap } from './auth/bootstrap.ts';
export type { ApiDeps, Preview } from './deps.ts';
export { pruneIdempotency } from './jobs/idempotency.ts';
export { serveApi } from './plugin.ts';
