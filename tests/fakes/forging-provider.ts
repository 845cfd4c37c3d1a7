/**
 * An OpenID provider that signs whatever it is told to: for everything that an honest one never sends. It speaks discovery,
 * keys and the token endpoint; signing in is skipped, any code is good.
 */
import { createSign, generateKeyPairSync } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

type Claims = Record<string, unknown>;

export interface ForgingProvider {
  readonly issuer: string;
  /** Makes the claims of the next tokens from the honest ones. */
  forge: (honest: Claims) => Claims;
  /** What it answers instead of itself: how, by path. */
  readonly answers: Map<string, { status: number; body: string } | 'silence'>;
  /** Signs with a key that it does not publish. */
  foreignKey: boolean;
  /** Signs nothing. */
  unsigned: boolean;
  /** Nonce of the sign-in under way, as the authorization request said it. */
  nonce: string;
  /** Requests to the token endpoint. */
  readonly exchanges: URLSearchParams[];
  stop(): Promise<void>;
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export async function startForgingProvider(clientId: string): Promise<ForgingProvider> {
  const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...own.publicKey.export({ format: 'jwk' }), kid: 'own', alg: 'RS256', use: 'sig' };

  const sign = (claims: Claims): string => {
    const head = encode(provider.unsigned ? { alg: 'none' } : { alg: 'RS256', kid: 'own' });
    const body = `${head}.${encode(claims)}`;
    if (provider.unsigned) return `${body}.`;
    const key = provider.foreignKey ? foreign.privateKey : own.privateKey;
    return `${body}.${createSign('RSA-SHA256').update(body).sign(key, 'base64url')}`;
  };

  const respond = async (request: IncomingMessage, path: string): Promise<Claims | undefined> => {
    const { issuer } = provider;
    if (path === '/.well-known/openid-configuration') {
      return {
        issuer,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
        authorization_response_iss_parameter_supported: true,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
        code_challenge_methods_supported: ['S256'],
      };
    }
    if (path === '/jwks') return { keys: [jwk] };
    if (path !== '/token') return undefined;
    provider.exchanges.push(new URLSearchParams(await text(request)));
    const now = Math.floor(Date.now() / 1000);
    const honest = { iss: issuer, aud: clientId, sub: 'forged', iat: now, exp: now + 300, nonce: provider.nonce };
    return { access_token: 'x', token_type: 'Bearer', id_token: sign(provider.forge(honest)) };
  };

  const server = createServer(async (request, response) => {
    const path = new URL(request.url!, 'http://x').pathname;
    const instead = provider.answers.get(path);
    if (instead === 'silence') return;
    const body = instead ? undefined : await respond(request, path);
    response.writeHead(instead?.status ?? (body ? 200 : 404), { 'content-type': 'application/json' });
    response.end(instead?.body ?? JSON.stringify(body ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const provider: ForgingProvider = {
    issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    forge: (honest) => honest,
    answers: new Map(),
    foreignKey: false,
    unsigned: false,
    nonce: '',
    exchanges: [],
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return provider;
}
