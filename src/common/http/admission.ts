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
 * @param address of who asks; those who fail too often are refused without a look
 * @throws unauthenticated, key_revoked, session_ended, cross_origin, rate_limited, database_unavailable
 */
export async function admit(app: FastifyInstance, asking: Asking, address: string): Promise<Principal> {
  const { keys, strangers } = app.limits;
  refuseFor(strangers.wait(address));
  let principal: Principal;
  try {
    const { authorization } = asking.headers;
    const session = authorization === undefined ? sessionKey(asking) : undefined;
    if (session) requireOwnOrigin(asking, app.publicOrigin);
    principal = await app.authenticate(authorization, session);
  } catch (error) {
    if (error instanceof SolyxError && error.status === 401) strangers.take(address);
    throw error;
  }
  refuseFor(keys.take(principal.keyId));
  return principal;
}

/** Refuses for so many seconds; not at all for 0. @throws rate_limited */
export function refuseFor(seconds: number): void {
  if (seconds > 0) throw new SolyxError('rate_limited', { retryAfterSeconds: seconds });
}
