export { type Asking, admit, refuseFor } from './admission.ts';
export { bindRoute, blobLimitBytes, type Call, type Handler, type Handlers } from './bind.ts';
export { codesOf, documentApi } from './openapi.ts';
export { type OriginSource, refuseForeignOrigin, requireOwnOrigin } from './own-origin.ts';
export { type Principal, type PrincipalUser, requireAccess, roleAtLeast } from './principal.ts';
export { asSolyxError, sendProblem } from './problems.ts';
export { type Authenticate, closeServer, createHttpServer, type HttpOptions } from './server.ts';
export { clearSessionCookie, sessionKey, setSessionCookie } from './session-cookie.ts';
export { type StatusOptions, serveStatus } from './status.ts';
