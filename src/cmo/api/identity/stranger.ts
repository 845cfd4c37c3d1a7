/**
 * Requests of people who are not signed in yet: their own page, and not too many tries.
 *
 * Secrets have 256 bits, so nobody guesses one; what is limited is the work that guessing makes. Failures count per
 * address, in the same bucket as wrong API keys: whoever floods is refused, and nobody's account can be locked by others,
 * since nothing is counted per account.
 */
import type { FastifyRequest } from 'fastify';
import { SolyxError } from '../../../common/errors/index.ts';
import { refuseFor, refuseForeignOrigin } from '../../../common/http/index.ts';

/** Runs a sign-in for a stranger. @throws cross_origin, rate_limited, and what `attempt` throws */
export async function asStranger<T>(request: FastifyRequest, attempt: () => Promise<T>): Promise<T> {
  const { strangers } = request.server.limits;
  refuseForeignOrigin(request.raw, request.server.publicOrigin);
  refuseFor(strangers.wait(request.ip));
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof SolyxError && error.status < 500) strangers.take(request.ip);
    throw error;
  }
}
