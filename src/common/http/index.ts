export { bindRoute, blobLimitBytes, type Call, type Handler, type Handlers } from './bind.ts';
export { codesOf, documentApi } from './openapi.ts';
export { type Principal, requireAccess, roleAtLeast } from './principal.ts';
export { asSolyxError, sendProblem } from './problems.ts';
export { type Authenticate, closeServer, createHttpServer, type HttpOptions } from './server.ts';
export { type StatusOptions, serveStatus } from './status.ts';
