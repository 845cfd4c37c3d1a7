/**
 * A real OpenID provider (oidc-provider) with a sign-in page of one field: the account. Every account that `accounts` knows
 * may sign in; consent is given at once.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider, { type Configuration } from 'oidc-provider';

export interface OpenidAccount {
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly name?: string;
  readonly groups?: readonly string[];
}

export interface OpenidProvider {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly accounts: Map<string, OpenidAccount>;
  /** Stops listening; `start` listens on the same port again. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/** @param options.claimsInToken false: e-mail and the like are told at the userinfo endpoint only, as many providers do */
export async function startOpenidProvider(
  redirectUri: string,
  options: { readonly claimsInToken?: boolean } = {},
): Promise<OpenidProvider> {
  const accounts = new Map<string, OpenidAccount>();
  const clientId = 'solyx';
  const clientSecret = 'a-client-secret-of-this-test';
  let serve: ReturnType<Provider['callback']> | undefined;
  const server = createServer((request, response) => void serve?.(request, response));
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;

  const configuration: Configuration = {
    clients: [
      { client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri], response_types: ['code'] },
    ],
    claims: { openid: ['sub', 'groups'], email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims: options.claimsInToken === false,
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
    pkce: { required: () => true },
    cookies: { keys: ['a-cookie-key-of-this-test'] },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, id) => {
      const account = accounts.get(id);
      return account && { accountId: id, claims: async () => ({ sub: id, ...account }) };
    },
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client!.clientId,
        accountId: ctx.oidc.session!.accountId!,
      });
      grant.addOIDCScope('openid email profile');
      grant.addOIDCClaims(['groups']);
      await grant.save();
      return grant;
    },
  };
  const provider = new Provider(issuer, configuration);
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next();
    if (ctx.method === 'GET') {
      ctx.type = 'html';
      ctx.body = `<!doctype html><title>Provider</title><form method="post"><label>Account <input name="account" autofocus></label>
        <button name="what" value="in">Sign in</button><button name="what" value="cancel">Cancel</button></form>`;
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of ctx.req) chunks.push(chunk as Buffer);
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    const result =
      form.get('what') === 'cancel'
        ? { error: 'access_denied', error_description: 'The person said no.' }
        : { login: { accountId: form.get('account') ?? '' } };
    ctx.respond = false;
    await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
  });
  serve = provider.callback();

  const pause = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { issuer, clientId, clientSecret, accounts, pause, resume: () => listen(port), stop: pause };
}

/**
 * Signs in at the provider as a browser would: follows redirects, fills in the form.
 * @returns the query of the redirect back
 */
export async function signInAtProvider(url: string, account: string | null): Promise<Record<string, string>> {
  const cookies = new Map<string, string>();
  const go = async (to: string, form?: URLSearchParams): Promise<Response> => {
    const response = await fetch(to, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form && { method: 'POST', body: form }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      cookies.set(name!, value!);
    }
    return response;
  };
  const { origin } = new URL(url);
  let next = url;
  for (let hop = 0; hop < 10; hop += 1) {
    if (!next.startsWith(origin)) return Object.fromEntries(new URL(next).searchParams);
    const form = new URLSearchParams(account === null ? { what: 'cancel' } : { account, what: 'in' });
    const response = next.includes('/interaction/') ? await go(next, form) : await go(next);
    const location = response.headers.get('location');
    if (location === null)
      throw new Error(`the provider answered ${response.status}: ${(await response.text()).slice(0, 500)}`);
    next = new URL(location, next).href;
  }
  throw new Error('the provider redirects for ever');
}
