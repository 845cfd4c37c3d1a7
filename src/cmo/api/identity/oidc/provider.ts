/**
 * The OpenID provider as we speak to it: authorization code with PKCE, state and nonce (openid-client).
 *
 * Its description is fetched once an hour and shared by all sign-ins; every request has a time limit, and a provider that is
 * away is an error of its own, since whoever reads it should sign in another way and not mend anything. What the provider says
 * about a person is outside data: bounded, and used only after issuer, audience, nonce, times and signature were checked.
 */
import * as client from 'openid-client';
import type { Clock } from '../../../../common/clock.ts';
import { SolyxError } from '../../../../common/errors/index.ts';
import { isLoopback, type OidcSettings } from './settings.ts';

/** Each request to the provider, seconds. */
const timeoutSeconds = 5;
/** How long the provider's description is kept, milliseconds. */
const keptMs = 3_600_000;
/** How far the clocks may be apart, seconds. */
const skewSeconds = 60;

/** What must be kept of a sign-in until the person comes back. */
export interface Checks {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

/** Who the provider says it is. */
export interface Identity {
  readonly issuer: string;
  readonly subject: string;
  /** Lower case; only an address that the provider has verified. */
  readonly email: string | undefined;
  readonly name: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
}

export class OidcProvider {
  readonly settings: OidcSettings;
  readonly #clock: Clock;
  #known: { readonly until: number; readonly configuration: Promise<client.Configuration> } | undefined;

  constructor(settings: OidcSettings, clock: Clock) {
    this.settings = settings;
    this.#clock = clock;
  }

  /** Where to send a person to sign in. @throws oidc_unavailable */
  async begin(): Promise<Checks & { readonly url: string }> {
    const configuration = await this.#configuration();
    const codeVerifier = client.randomPKCECodeVerifier();
    const checks = { state: client.randomState(), nonce: client.randomNonce(), codeVerifier };
    const url = client.buildAuthorizationUrl(configuration, {
      redirect_uri: this.settings.redirectUri,
      scope: this.settings.scopes.join(' '),
      state: checks.state,
      nonce: checks.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: 'S256',
    });
    return { ...checks, url: url.href };
  }

  /**
   * Exchanges what the person came back with.
   * @param answer query of the redirect: `code` and `state`, or `error`
   * @throws sign_in_invalid, sign_in_refused, oidc_unavailable
   */
  async finish(answer: Readonly<Record<string, string>>, checks: Checks): Promise<Identity> {
    const configuration = await this.#configuration();
    const returned = new URL(this.settings.redirectUri);
    returned.search = new URLSearchParams(answer).toString();
    try {
      const tokens = await client.authorizationCodeGrant(configuration, returned, {
        expectedState: checks.state,
        expectedNonce: checks.nonce,
        pkceCodeVerifier: checks.codeVerifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims()!;
      // Many providers keep the address out of the token and tell it only where the token is shown.
      const hasMore = configuration.serverMetadata().userinfo_endpoint !== undefined;
      const more =
        claims.email === undefined && hasMore
          ? await client.fetchUserInfo(configuration, tokens.access_token, claims.sub)
          : {};
      return toIdentity({ ...more, ...claims });
    } catch (error) {
      throw explain(error);
    }
  }

  /** Where to end the session at the provider, too; null where it does not say, or nobody has asked it lately. */
  async logoutUrl(): Promise<string | null> {
    const configuration = await this.#known?.configuration.catch(() => undefined);
    if (configuration?.serverMetadata().end_session_endpoint === undefined) return null;
    return client.buildEndSessionUrl(configuration).href;
  }

  #configuration(): Promise<client.Configuration> {
    const now = this.#clock.monotonicMs();
    if (this.#known && this.#known.until > now) return this.#known.configuration;
    const configuration = this.#discover();
    this.#known = { until: now + keptMs, configuration };
    configuration.catch(() => {
      this.#known = undefined;
    });
    return configuration;
  }

  async #discover(): Promise<client.Configuration> {
    const { issuer, clientId } = this.settings;
    const secret = this.settings.clientSecret();
    const metadata = { [client.clockTolerance]: skewSeconds };
    const authentication = secret === undefined ? client.None() : client.ClientSecretBasic(secret);
    const execute = [client.enableNonRepudiationChecks];
    if (isLoopback(issuer)) execute.push(client.allowInsecureRequests);
    try {
      return await client.discovery(new URL(issuer), clientId, metadata, authentication, {
        timeout: timeoutSeconds,
        execute,
      });
    } catch (error) {
      throw new SolyxError('oidc_unavailable', { detail: reasonOf(error), cause: error, retryAfterSeconds: 5 });
    }
  }
}

function toIdentity(
  claims: Readonly<Record<string, unknown>> & { readonly iss: string; readonly sub: string },
): Identity {
  const { iss, sub, email, email_verified: verified, name } = claims;
  // Only the boolean counts: some providers send the text "false", which is not false.
  const isVerified =
    verified === true && typeof email === 'string' && email.length <= 254 && /^[^\s@]+@[^\s@]+$/.test(email);
  return {
    issuer: iss.slice(0, 500),
    subject: sub.slice(0, 255),
    email: isVerified ? email.toLowerCase() : undefined,
    name:
      typeof name === 'string'
        ? name
            .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
            .trim()
            .slice(0, 100) || undefined
        : undefined,
    claims,
  };
}

function explain(error: unknown): unknown {
  if (error instanceof SolyxError) return error;
  if (error instanceof client.AuthorizationResponseError) {
    return new SolyxError('sign_in_refused', { detail: `The provider says ${plain(error.error)}.`, cause: error });
  }
  if (error instanceof client.ResponseBodyError && error.status < 500) {
    return new SolyxError('sign_in_invalid', { detail: `The provider says ${plain(error.error)}.`, cause: error });
  }
  const code = (error as { code?: string }).code ?? '';
  const isAway =
    error instanceof client.ResponseBodyError ||
    (error instanceof TypeError && error.message === 'fetch failed') ||
    ['OAUTH_TIMEOUT', 'OAUTH_ABORT', 'OAUTH_RESPONSE_IS_NOT_CONFORM', 'OAUTH_RESPONSE_IS_NOT_JSON'].includes(code);
  if (isAway)
    return new SolyxError('oidc_unavailable', { detail: reasonOf(error), cause: error, retryAfterSeconds: 5 });
  return new SolyxError('sign_in_invalid', { detail: reasonOf(error), cause: error });
}

const reasonOf = (error: unknown): string => {
  const { message, cause, code } = error as Error & { code?: string; cause?: { code?: string } };
  if (code === 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED') return 'Its time is not now; compare the clocks of both machines.';
  return `${plain(message)}${cause?.code ? ` (${plain(String(cause.code))})` : ''}.`;
};

const plain = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
