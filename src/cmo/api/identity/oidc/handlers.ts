/**
 * Signing in by the OpenID provider. The provider sends the person back to a page of the dashboard, which hands code and state
 * over by POST: no endpoint of ours ever redirects, so none can be made to redirect elsewhere.
 */
import { randomBytes } from 'node:crypto';
import { withSystem } from '../../../../common/database/index.ts';
import { SolyxError } from '../../../../common/errors/index.ts';
import { type Handlers, refuseFor } from '../../../../common/http/index.ts';
import { parseKey } from '../../../../common/keys.ts';
import type { ApiDeps } from '../../deps.ts';
import { signIn } from '../sessions.ts';
import { asStranger } from '../stranger.ts';
import { attemptCookie, clearAttemptCookie, insertAttempt, setAttemptCookie, takeAttempt } from './attempts.ts';
import type { OidcProvider } from './provider.ts';
import { resolveUser } from './resolve.ts';

export function oidcHandlers(deps: ApiDeps): Handlers<'beginOidc' | 'finishOidc'> {
  const { db, identity, logger } = deps;
  return {
    beginOidc: ({ body, request, reply }) =>
      asStranger(request, async () => {
        const provider = requireProvider(identity.oidc);
        // Whoever asks makes us write a row and perhaps ask the provider.
        refuseFor(request.server.limits.strangers.take(request.ip));
        const invitation = body.invitation === undefined ? undefined : parseKey(body.invitation);
        if (body.invitation !== undefined && invitation?.kind !== 'invite') throw new SolyxError('link_invalid');
        const { url, ...checks } = await provider.begin();
        const browser = randomBytes(32).toString('base64url');
        await withSystem(db, (tx) => insertAttempt(tx, browser, { ...checks, inviteHash: invitation?.hash ?? null }));
        setAttemptCookie(reply, provider.settings.redirectUri, browser);
        return { url };
      }),

    finishOidc: ({ body, request, reply }) =>
      asStranger(request, async () => {
        const provider = requireProvider(identity.oidc);
        const { settings } = provider;
        // Before anything is asked of the provider: an attempt is used up whatever comes of it.
        const attempt = await withSystem(db, (tx) => takeAttempt(tx, attemptCookie(request, settings.redirectUri)));
        clearAttemptCookie(reply, settings.redirectUri);
        const answer = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
        const person = await provider.finish(answer as Record<string, string>, attempt).catch((error: unknown) => {
          // Code and reason only: what came with them may hold tokens.
          if (error instanceof SolyxError) {
            logger.warn(
              { code: error.code, detail: error.detail, requestId: request.id },
              'a sign-in by OpenID failed',
            );
          }
          throw error;
        });
        return signIn(deps, request, reply, async (tx) => {
          const user = await resolveUser(tx, settings, person, attempt.inviteHash);
          return {
            tenant: user.tenant,
            project: user.project,
            userId: user.id,
            madeBy: null,
            proof: { kind: 'oidc', issuer: person.issuer, subject: person.subject },
            userAgent: request.headers['user-agent'],
          };
        });
      }),
  };
}

function requireProvider(provider: OidcProvider | undefined): OidcProvider {
  if (!provider) throw new SolyxError('conflict', 'This server knows no OpenID provider; see oidc.issuer.');
  return provider;
}
