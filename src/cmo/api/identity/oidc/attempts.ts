/**
 * Sign-ins on their way to the provider and back.
 *
 * A cookie ties them to the browser that left: who sends somebody else a link with his own code signs nobody in as himself.
 * Taking one deletes it, so a code and its state are good for one exchange.
 */
import { fastifyCookie } from '@fastify/cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Tx } from '../../../../common/database/index.ts';
import { SolyxError } from '../../../../common/errors/index.ts';
import { hashKey } from '../../../../common/keys.ts';
import type { Checks } from './provider.ts';

/** How long a person may take at the provider, seconds. */
export const attemptSeconds = 600;

export interface Attempt extends Checks {
  /** Invitation that is accepted by it: hash of its token. */
  readonly inviteHash: Buffer | null;
}

/** Writes a sign-in down. @param browser secret of the cookie */
export async function insertAttempt(tx: Tx, browser: string, attempt: Attempt): Promise<void> {
  await tx.query('delete from cmo_oidc_attempts where expires_at < now()');
  await tx.query(
    `insert into cmo_oidc_attempts (browser_hash, state, nonce, code_verifier, invite_hash, expires_at)
     values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))`,
    [hashKey(browser), attempt.state, attempt.nonce, attempt.codeVerifier, attempt.inviteHash, attemptSeconds],
  );
}

interface AttemptRow {
  state: string;
  nonce: string;
  code_verifier: string;
  invite_hash: Buffer | null;
  fresh: boolean;
}

/** Uses a sign-in up. @throws sign_in_expired when this browser has none under way */
export async function takeAttempt(tx: Tx, browser: string | undefined): Promise<Attempt> {
  const { rows } = await tx.query<AttemptRow>(
    `delete from cmo_oidc_attempts where browser_hash = $1
     returning state, nonce, code_verifier, invite_hash, expires_at > now() as fresh`,
    [hashKey(browser ?? '')],
  );
  const row = rows[0];
  if (!row?.fresh) throw new SolyxError('sign_in_expired');
  return { state: row.state, nonce: row.nonce, codeVerifier: row.code_verifier, inviteHash: row.invite_hash };
}

const nameOf = (secure: boolean): string => (secure ? '__Host-solyx-oidc' : 'solyx-oidc');
const attributes = (secure: boolean) => ({ path: '/', httpOnly: true, sameSite: 'lax', secure }) as const;

export function setAttemptCookie(reply: FastifyReply, redirectUri: string, browser: string): void {
  const secure = redirectUri.startsWith('https:');
  reply.setCookie(nameOf(secure), browser, { ...attributes(secure), maxAge: attemptSeconds });
}

export function clearAttemptCookie(reply: FastifyReply, redirectUri: string): void {
  const secure = redirectUri.startsWith('https:');
  reply.clearCookie(nameOf(secure), attributes(secure));
}

export function attemptCookie(request: FastifyRequest, redirectUri: string): string | undefined {
  const { cookie } = request.headers;
  return cookie === undefined ? undefined : fastifyCookie.parse(cookie)[nameOf(redirectUri.startsWith('https:'))];
}
