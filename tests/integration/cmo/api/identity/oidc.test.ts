/** Signing in by an OpenID provider: a real one for what is right, a forging one for what is wrong. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OidcProvider } from '../../../../../src/cmo/api/identity/oidc/provider.ts';
import { oidcSettings } from '../../../../../src/cmo/api/identity/oidc/settings.ts';
import { systemClock } from '../../../../../src/common/clock.ts';
import { configSchema } from '../../../../../src/common/config/schema.ts';
import { withSystem } from '../../../../../src/common/database/index.ts';
import { type ForgingProvider, startForgingProvider } from '../../../../fakes/forging-provider.ts';
import { type OpenidProvider, signInAtProvider, startOpenidProvider } from '../../../../support/openid-provider.ts';
import { type Answer, startApi, type TestApi } from '../harness.ts';
import { Browser, origin } from './browser.ts';

const redirectUri = `${origin}/login/oidc`;
let counter = 0;

function settings(
  provider: { issuer: string; clientId: string; clientSecret?: string },
  oidc: Record<string, unknown> = {},
) {
  const { issuer, clientId, clientSecret } = provider;
  const config = configSchema.parse({
    server: { publicUrl: origin },
    oidc: { issuer, clientId, clientSecret, ...oidc },
  });
  return new OidcProvider(oidcSettings(config)!, systemClock);
}

async function begin(api: TestApi, body: object = {}) {
  const browser = new Browser(api);
  const begun = await browser.ask('POST', '/v1/oidc/begin', body);
  expect(begun.status).toBe(201);
  return { browser, url: begun.json.url as string, parameters: new URL(begun.json.url).searchParams };
}

const finish = (browser: Browser, answer: object): Promise<Answer> => browser.ask('POST', '/v1/oidc/finish', answer);

async function invite(api: TestApi, email: string, role = 'member') {
  const { user, link } = (await api.ask(api.adminKey, 'POST', '/v1/users', { email, role })).json;
  return { id: user.id as string, token: link.path.split('#')[1] as string };
}

describe('with a real provider', () => {
  let provider: OpenidProvider;
  let api: TestApi;
  let strict: TestApi;
  beforeAll(async () => {
    provider = await startOpenidProvider(redirectUri);
    const free = { allowedDomains: ['corp.example'], roleClaim: 'groups', adminValues: ['ops'], memberValues: ['ml'] };
    api = await startApi({ identity: { oidc: settings(provider, free) } });
    strict = await startApi({ identity: { oidc: settings(provider) } });
  });
  afterAll(async () => {
    await api.close();
    await strict.close();
    await provider.stop();
  });

  /** Signs in as an account that is made now. */
  async function signIn(
    on: TestApi,
    account: Parameters<OpenidProvider['accounts']['set']>[1],
    id = `account-${++counter}`,
    body = {},
  ) {
    provider.accounts.set(id, account);
    const { browser, url } = await begin(on, body);
    const answer = await finish(browser, await signInAtProvider(url, id));
    return { browser, answer, id };
  }

  it('asks with PKCE, state and nonce, and keeps all three to itself', async () => {
    const { browser, parameters } = await begin(api);
    expect(Object.fromEntries(parameters)).toMatchObject({
      response_type: 'code',
      client_id: 'solyx',
      redirect_uri: redirectUri,
      code_challenge_method: 'S256',
      scope: 'openid email profile',
    });
    expect(parameters.get('state')!.length).toBeGreaterThan(30);
    expect(parameters.get('nonce')!.length).toBeGreaterThan(30);
    expect([...browser.cookies.keys()]).toEqual(['solyx-oidc']);
    expect(parameters.toString()).not.toContain([...browser.cookies.values()][0]);
  });

  it('lets the people of its domains in without an invitation, with the role of their groups', async () => {
    const email = 'ada@corp.example';
    const { browser, answer } = await signIn(api, {
      email,
      email_verified: true,
      name: 'Ada',
      groups: ['ml', 'ops', 'x'],
    });
    expect(answer.json).toMatchObject({
      role: 'admin',
      operator: true,
      user: { name: 'Ada', email, kind: 'person' },
      session: {},
    });
    expect((await browser.ask('GET', '/v1/whoami')).json).toEqual(answer.json);
    expect([...browser.cookies.keys()]).toEqual(['solyx-8080']);
  });

  it('knows them again by their subject, also under another address, with their present role', async () => {
    const { answer, id } = await signIn(api, { email: 'old@corp.example', email_verified: true, groups: ['ml'] });
    const again = await signIn(api, { email: 'new@elsewhere.example', email_verified: false, groups: [] }, id);
    expect(again.answer.json.user).toEqual({ ...answer.json.user });
    expect([answer.json.role, again.answer.json.role]).toEqual(['member', 'viewer']);
  });

  it('does not let another subject take over an address that is joined to one', async () => {
    await signIn(api, { email: 'taken@corp.example', email_verified: true });
    const { answer } = await signIn(api, { email: 'taken@corp.example', email_verified: true });
    expect(answer.json).toMatchObject({ status: 403, code: 'sign_in_refused' });
  });

  it('refuses strangers, and addresses that the provider has not verified', async () => {
    for (const account of [
      { email: 'stranger@elsewhere.example', email_verified: true },
      { email: 'eve@corp.example', email_verified: false },
      { email: 'eve@corp.example', email_verified: 'true' as unknown as boolean },
      { email: 'eve@corp.example' },
      { email: 'eve@evil.example@corp.example', email_verified: true },
      { email: 'eve@sub.corp.example', email_verified: true },
      {},
    ]) {
      const { browser, answer } = await signIn(api, account);
      expect(answer.json, JSON.stringify(account)).toMatchObject({ status: 403, code: 'sign_in_refused' });
      expect(browser.cookie).toBeUndefined();
    }
    const users = await withSystem(api.database.db, (tx) => tx.query(`select from cmo_users where email like 'eve%'`));
    expect(users.rows).toEqual([]);
  });

  it('joins who was invited under the verified address, and keeps the role that the invitation gave', async () => {
    const invited = await invite(strict, 'invited@elsewhere.example', 'member');
    const unverified = await signIn(strict, { email: 'invited@elsewhere.example', email_verified: false });
    expect(unverified.answer.json.code).toBe('sign_in_refused');
    const { answer } = await signIn(strict, {
      email: 'Invited@Elsewhere.example',
      email_verified: true,
      name: 'In Vited',
    });
    expect(answer.json).toMatchObject({ role: 'member', user: { id: invited.id, name: 'In Vited' } });
    // The link of the invitation is of no use any more.
    const accepted = await new Browser(strict).ask('POST', '/v1/invitations/accept', { link: invited.token });
    expect(accepted.status).toBe(410);
  });

  it('does not join who signed in by other means before, where the domain is not the provider’s', async () => {
    const invited = await invite(strict, 'before@elsewhere.example');
    await new Browser(strict).ask('POST', '/v1/invitations/accept', { link: invited.token });
    const { answer } = await signIn(strict, { email: 'before@elsewhere.example', email_verified: true });
    expect(answer.json).toMatchObject({ code: 'sign_in_refused', detail: expect.stringContaining('other means') });
  });

  it('accepts an invitation to another tenant, once, for the invited address only', async () => {
    const other = await api.makeTenant(`other-${++counter}`);
    const key = await api.makeKey({ ...other, role: 'admin' });
    const made = (await api.ask(key.text, 'POST', '/v1/users', { email: 'guest@else.example', role: 'viewer' })).json;
    const invitation = made.link.path.split('#')[1];
    const wrong = await signIn(api, { email: 'thief@else.example', email_verified: true }, undefined, { invitation });
    expect(wrong.answer.json.code).toBe('sign_in_refused');
    const { answer, id, browser } = await signIn(
      api,
      { email: 'guest@else.example', email_verified: true },
      undefined,
      { invitation },
    );
    expect(answer.json).toMatchObject({ role: 'viewer', operator: false, tenant: { id: other.tenantId } });
    const again = await signIn(api, { email: 'guest@else.example', email_verified: true }, id, { invitation });
    expect(again.answer.json.code).toBe('link_invalid');
    // Without it she comes to the same place, since she is nobody in the home tenant.
    expect((await signIn(api, { email: 'guest@else.example', email_verified: true }, id)).answer.json.tenant.id).toBe(
      other.tenantId,
    );
    expect((await browser.ask('GET', '/v1/sessions/tenants')).json.items).toHaveLength(1);
  });

  it('opens all tenants of one subject', async () => {
    const { id } = await signIn(api, { email: 'both@corp.example', email_verified: true });
    const other = await api.makeTenant(`other-${++counter}`);
    const key = await api.makeKey({ ...other, role: 'admin' });
    const made = (await api.ask(key.text, 'POST', '/v1/users', { email: 'both@corp.example' })).json;
    await signIn(api, { email: 'both@corp.example', email_verified: true }, id, {
      invitation: made.link.path.split('#')[1],
    });
    const { browser, answer } = await signIn(api, { email: 'both@corp.example', email_verified: true }, id);
    expect(answer.json.tenant.id).toBe(api.tenantId);
    expect((await browser.ask('GET', '/v1/sessions/tenants')).json.items).toHaveLength(2);
    const switched = await browser.ask('POST', '/v1/sessions/current/tenant', { tenantId: other.tenantId });
    expect(switched.json).toMatchObject({ role: 'member', tenant: { id: other.tenantId } });
  });

  it('lets nobody in who was disabled', async () => {
    const { id, answer } = await signIn(api, { email: 'out@corp.example', email_verified: true });
    await api.ask(api.adminKey, 'POST', `/v1/users/${answer.json.user.id}/disable`);
    expect((await signIn(api, { email: 'out@corp.example', email_verified: true }, id)).answer.json.code).toBe(
      'sign_in_refused',
    );
  });

  it('says that the person said no', async () => {
    const { browser, url } = await begin(api);
    const answer = await finish(browser, await signInAtProvider(url, null));
    expect(answer.json).toMatchObject({ code: 'sign_in_refused', detail: 'The provider says access_denied.' });
  });

  it('exchanges a code once', async () => {
    provider.accounts.set('replay', { email: 'replay@corp.example', email_verified: true });
    const { browser, url } = await begin(api);
    const cookies = browser.cookie;
    const answer = await signInAtProvider(url, 'replay');
    expect((await finish(browser, answer)).status).toBe(201);
    const replayed = await new Browser(api).ask('POST', '/v1/oidc/finish', answer, { cookie: cookies });
    expect(replayed.json.code).toBe('sign_in_expired');
    // Nor with a sign-in of one's own: state and verifier are others.
    const own = await begin(api);
    const stolen = { ...answer, state: own.parameters.get('state') };
    expect((await finish(own.browser, stolen)).json.code).toBe('sign_in_invalid');
  });

  it('is finished only by the browser that began it', async () => {
    provider.accounts.set('attacker', { email: 'attacker@corp.example', email_verified: true });
    const attacker = await begin(api);
    const answer = await signInAtProvider(attacker.url, 'attacker');
    const victim = new Browser(api);
    expect((await finish(victim, answer)).json.code).toBe('sign_in_expired');
    const busy = await begin(api);
    expect((await finish(busy.browser, answer)).json.code).toBe('sign_in_invalid');
  });

  it('is not finished by another site’s page, nor after ten minutes', async () => {
    provider.accounts.set('late', { email: 'late@corp.example', email_verified: true });
    const { browser, url } = await begin(api);
    const answer = await signInAtProvider(url, 'late');
    const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    expect((await browser.ask('POST', '/v1/oidc/finish', answer, foreign)).json.code).toBe('cross_origin');
    await withSystem(api.database.db, (tx) => tx.query('update cmo_oidc_attempts set expires_at = now()'));
    expect((await finish(browser, answer)).json.code).toBe('sign_in_expired');
  });

  it('may be away: other ways go on, and it is said what to do', async () => {
    const away = await startApi({ identity: { oidc: settings(provider) } });
    const { browser, url } = await begin(api);
    provider.accounts.set('away', { email: 'away@corp.example', email_verified: true });
    const answer = await signInAtProvider(url, 'away');
    await provider.pause();
    try {
      const refused = await new Browser(away).ask('POST', '/v1/oidc/begin', {});
      expect(refused.json).toMatchObject({ status: 503, code: 'oidc_unavailable' });
      expect((await finish(browser, answer)).json.code).toBe('oidc_unavailable');
      expect((await new Browser(away).ask('POST', '/v1/sessions', { key: away.adminKey })).status).toBe(201);
      expect((await away.ask(null, 'GET', '/v1/sign-in')).json.oidc.name).toBe('single sign-on');
    } finally {
      await provider.resume();
    }
    expect((await new Browser(away).ask('POST', '/v1/oidc/begin', {})).status).toBe(201);
    await away.close();
  });

  it('tells addresses at its userinfo endpoint where they are not in the token', async () => {
    const shy = await startOpenidProvider(redirectUri, { claimsInToken: false });
    const on = await startApi({ identity: { oidc: settings(shy, { allowedDomains: ['corp.example'] }) } });
    try {
      shy.accounts.set('shy', { email: 'shy@corp.example', email_verified: true });
      const { browser, url } = await begin(on);
      expect((await finish(browser, await signInAtProvider(url, 'shy'))).json).toMatchObject({
        role: 'viewer',
        user: { email: 'shy@corp.example' },
      });
    } finally {
      await on.close();
      await shy.stop();
    }
  });
});

describe('a forged answer', () => {
  let provider: ForgingProvider;
  let api: TestApi;
  beforeAll(async () => {
    provider = await startForgingProvider('solyx');
    const oidc = settings({ issuer: provider.issuer, clientId: 'solyx' }, { allowedDomains: ['corp.example'] });
    api = await startApi({ identity: { oidc } });
  });
  afterAll(async () => {
    await api.close();
    await provider.stop();
  });
  beforeEach(() => {
    provider.forge = (honest) => ({ ...honest, email: 'forged@corp.example', email_verified: true });
    provider.foreignKey = false;
    provider.unsigned = false;
    provider.answers.clear();
  });

  async function exchange(answer: Record<string, string> = {}) {
    const { browser, parameters } = await begin(api);
    provider.nonce = parameters.get('nonce')!;
    const honest = { code: 'any', state: parameters.get('state')!, iss: provider.issuer };
    return finish(browser, { ...honest, ...answer });
  }

  it('is not what an honest one is: that is taken', async () => {
    expect((await exchange()).json).toMatchObject({ user: { email: 'forged@corp.example' } });
    expect(provider.exchanges.at(-1)!.get('code_verifier')!.length).toBeGreaterThanOrEqual(43);
  });

  const now = () => Math.floor(Date.now() / 1000);
  it.each<[string, (honest: Record<string, unknown>) => Record<string, unknown>]>([
    ['another nonce', (honest) => ({ ...honest, nonce: 'another' })],
    ['no nonce', ({ nonce: _, ...rest }) => rest],
    ['another issuer', (honest) => ({ ...honest, iss: 'https://evil.example' })],
    ['another audience', (honest) => ({ ...honest, aud: 'another-client' })],
    ['an end five minutes ago', (honest) => ({ ...honest, exp: now() - 300, iat: now() - 600 })],
    ['a beginning in five minutes', (honest) => ({ ...honest, nbf: now() + 300 })],
    ['no subject', ({ sub: _, ...rest }) => rest],
  ])('with %s is refused', async (_what, forge) => {
    const usual = provider.forge;
    provider.forge = (honest) => forge(usual(honest));
    expect((await exchange()).json).toMatchObject({ status: 401, code: 'sign_in_invalid' });
  });

  it('of a clock that is half a minute off is taken', async () => {
    const usual = provider.forge;
    provider.forge = (honest) => usual({ ...honest, iat: now() - 330, exp: now() - 30 });
    expect((await exchange()).status).toBe(201);
    provider.forge = (honest) => usual({ ...honest, iat: now() + 30, nbf: now() + 30, exp: now() + 330 });
    expect((await exchange()).status).toBe(201);
  });

  it('with a signature of nobody’s or none is refused', async () => {
    provider.foreignKey = true;
    expect((await exchange()).json.code).toBe('sign_in_invalid');
    provider.foreignKey = false;
    provider.unsigned = true;
    expect((await exchange()).json.code).toBe('sign_in_invalid');
  });

  it('with another state, or of another issuer (mix-up), is refused before any code is sent', async () => {
    const before = provider.exchanges.length;
    expect((await exchange({ state: 'another' })).json.code).toBe('sign_in_invalid');
    expect((await exchange({ iss: 'https://evil.example' })).json.code).toBe('sign_in_invalid');
    expect(provider.exchanges.length).toBe(before);
  });

  it('that is no answer at all is told as the provider’s trouble', async () => {
    for (const answer of [
      { status: 500, body: 'oops' },
      { status: 200, body: '<html>' },
    ]) {
      provider.answers.set('/token', answer);
      const { code } = (await exchange()).json;
      expect(['oidc_unavailable', 'sign_in_invalid']).toContain(code);
    }
    provider.answers.set('/token', 'silence');
    const started = performance.now();
    expect((await exchange()).json.code).toBe('oidc_unavailable');
    expect(performance.now() - started).toBeLessThan(8_000);
  }, 20_000);

  it('of a description that names another issuer is refused', async () => {
    const liar = await startForgingProvider('solyx');
    liar.answers.set('/.well-known/openid-configuration', {
      status: 200,
      body: JSON.stringify({ issuer: 'https://evil.example' }),
    });
    const on = await startApi({ identity: { oidc: settings({ issuer: liar.issuer, clientId: 'solyx' }) } });
    try {
      expect((await new Browser(on).ask('POST', '/v1/oidc/begin', {})).json.code).toBe('oidc_unavailable');
    } finally {
      await on.close();
      await liar.stop();
    }
  });
});

describe('settings', () => {
  const parse = (config: object) => oidcSettings(configSchema.parse(config));
  it('are none without an issuer, and say what is missing with one', () => {
    expect(parse({})).toBeUndefined();
    expect(() => parse({ oidc: { issuer: 'https://op.example', clientId: 'x' } })).toThrow('server.publicUrl');
    const server = { publicUrl: 'https://solyx.example.com/' };
    expect(() => parse({ server, oidc: { issuer: 'https://op.example' } })).toThrow('oidc.clientId');
    expect(() => parse({ server, oidc: { issuer: 'http://op.example', clientId: 'x' } })).toThrow('https');
    const good = parse({ server, oidc: { issuer: 'https://op.example', clientId: 'x', defaultRole: 'none' } })!;
    expect(good).toMatchObject({ redirectUri: 'https://solyx.example.com/login/oidc', defaultRole: undefined });
  });
});
