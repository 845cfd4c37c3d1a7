/**
 * From a request to a principal: rate limits, API key or session cookie, and for cookies the origin. Every endpoint goes
 * through here, and so does every WebSocket upgrade, so that none of them has a way of its own.
 */
import type { FastifyInstance } from 'fastify';
import { SolyxError } from '../errors/index.ts';
import { requireOwnOrigin } from './own-origin.ts';
import type { Principal } from './principal.ts';
import { sessionKey } from './session-cookie.ts';

/** What is needed of a request; fastify's and node's have it. */
export interface Asking {
  readonly method?: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>> & {
    readonly authorization?: string | undefined;
    readonly cookie?: string | undefined;
    readonly host?: string | undefined;
  };
}

/**
 * Finds who asks. An API key in the header wins over a cookie.
 * @param address of who asks; see `stranger-gate.ts` for those who fail too often
 * @throws unauthenticated, key_revoked, session_ended, cross_origin, rate_limited, database_unavailable
 */
export async function admit(app: FastifyInstance, asking: Asking, address: string): Promise<Principal> {
  const { keys, gate } = app.limits;
  const { authorization } = asking.headers;
  const session = authorization === undefined ? sessionKey(asking) : undefined;
  if (session) requireOwnOrigin(asking, app.publicOrigin);
  const principal = await gate.pass(address, authorization ?? session?.hash.toString('base64'), () =>
    app.authenticate(authorization, session),
  );
  refuseFor(keys.take(principal.keyId));
  return principal;
}

/** Refuses for so many seconds; not at all for 0. @throws rate_limited */
export function refuseFor(seconds: number): void {
  if (seconds > 0) throw new SolyxError('rate_limited', { retryAfterSeconds: seconds });
}
