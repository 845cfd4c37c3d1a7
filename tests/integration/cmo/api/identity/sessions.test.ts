/** Browser sessions: how they begin and end, and that other pages, other tenants and old cookies get nowhere. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAuthenticator } from '../../../../../src/cmo/api/index.ts';
import { systemClock } from '../../../../../src/common/clock.ts';
import { withSystem } from '../../../../../src/common/database/index.ts';
import type { SolyxError } from '../../../../../src/common/errors/index.ts';
import { makeKey, parseKey } from '../../../../../src/common/keys.ts';
import { until } from '../../../../support/until.ts';
import { startApi, type TestApi } from '../harness.ts';
import { Browser, host, origin } from './browser.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const sql = (text: string, values: unknown[] = []) =>
  withSystem(api.database.db, (tx) => tx.query<{ n: number }>(text, values));

async function signedIn(key = api.adminKey): Promise<Browser> {
  const browser = new Browser(api);
  expect((await browser.ask('POST', '/v1/sessions', { key })).status).toBe(201);
  return browser;
}

async function someTenant(name: string, role = 'admin') {
  const tenant = await api.makeTenant(name);
  return { ...tenant, key: await api.makeKey({ ...tenant, role }) };
}

describe('signing in by an API key', () => {
  it('sets a cookie that scripts cannot read and other sites do not send, and says who it is', async () => {
    const browser = new Browser(api);
    const answer = await browser.ask('POST', '/v1/sessions', { key: api.adminKey });
    const cookie = String(answer.headers['set-cookie']);
    expect(cookie).toMatch(/^solyx-8080=sx_session_[^;]+; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/);
    expect(answer.json).toMatchObject({ role: 'admin', operator: true, user: null, session: {} });
    const whoami = await browser.ask('GET', '/v1/whoami');
    expect(whoami.json).toEqual(answer.json);
  });

  it('sets a __Host- cookie with Secure where browsers reach the server by TLS', async () => {
    const behindProxy = await startApi({ http: { publicUrl: 'https://solyx.example.com' } });
    try {
      const browser = new Browser(behindProxy);
      const asked = { host: '10.0.0.1:8080', origin: 'https://solyx.example.com' };
      const answer = await browser.ask('POST', '/v1/sessions', { key: behindProxy.adminKey }, asked);
      expect(String(answer.headers['set-cookie'])).toMatch(
        /^__Host-solyx=[^;]+; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/,
      );
      expect((await browser.ask('POST', '/v1/projects', { name: 'by-proxy' }, asked)).status).toBe(201);
      const other = await browser.ask(
        'POST',
        '/v1/projects',
        { name: 'x' },
        { ...asked, origin: 'https://evil.example.com' },
      );
      expect(other.json.code).toBe('cross_origin');
    } finally {
      await behindProxy.close();
    }
  });

  it('refuses a wrong key without setting anything', async () => {
    for (const key of ['nonsense', makeKey('api').text, makeKey('session').text]) {
      const answer = await new Browser(api).ask('POST', '/v1/sessions', { key });
      expect(answer).toMatchObject({ status: 401, json: { code: 'unauthenticated' } });
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
  });

  it('never takes over the session that the browser brought, and ends that one', async () => {
    const victim = await signedIn();
    const planted = victim.cookie;
    await victim.ask('POST', '/v1/sessions', { key: api.adminKey });
    expect(victim.cookie).not.toBe(planted);
    await until('the old session has ended', async () => {
      const old = await new Browser(api).ask('GET', '/v1/whoami', undefined, { cookie: planted });
      return old.status === 401 && old.json.code === 'session_ended';
    });
  });

  it('keeps no secret: the database has its hash', async () => {
    const browser = await signedIn();
    const [secret] = browser.cookies.values();
    const { rows } = await sql(`select count(*)::int as n from cmo_api_keys k where k::text like '%' || $1 || '%'`, [
      secret,
    ]);
    expect(rows[0]!.n).toBe(0);
  });
});

describe('a session', () => {
  it('ends by signing out, and the cookie goes with it', async () => {
    const browser = await signedIn();
    const cookie = browser.cookie;
    expect((await browser.ask('DELETE', '/v1/sessions/current')).status).toBe(204);
    expect(browser.cookie).toBeUndefined();
    await until(
      'it is refused',
      async () => (await browser.ask('GET', '/v1/whoami', undefined, { cookie })).status === 401,
    );
  });

  it.each([
    ['its time is over', 'update cmo_api_keys set expires_at = now() where id = $1'],
    ['nobody used it for long', `update cmo_api_keys set last_used_at = now() - interval '2 days' where id = $1`],
    [
      'its key was revoked',
      'update cmo_api_keys set revoked_at = now() where id = (select made_by from cmo_api_keys where id = $1)',
    ],
    [
      'its key has expired',
      'update cmo_api_keys set expires_at = now() where id = (select made_by from cmo_api_keys where id = $1)',
    ],
  ])('ends when %s', async (_why, statement) => {
    const { key } = await someTenant(`ends-${makeKey('api').text.slice(7, 20)}`);
    const browser = await signedIn(key.text);
    const { keyId } = (await browser.ask('GET', '/v1/whoami')).json;
    await sql(statement, [keyId]);
    const answer = await until('it is refused', async () => {
      const asked = await browser.ask('GET', '/v1/whoami');
      return asked.status === 401 ? asked : undefined;
    });
    expect(answer.json.code).toBe('session_ended');
    // The answer may come after that of a new sign-in, whose cookie it must not take away.
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  it('may do what its key may and no more, also after the key’s role changed', async () => {
    const { key } = await someTenant('roles');
    const browser = await signedIn(key.text);
    expect((await browser.ask('POST', '/v1/projects', { name: 'first' })).status).toBe(201);
    await sql(`update cmo_api_keys set role = 'viewer' where id = $1`, [key.id]);
    await until(
      'it is refused',
      async () => (await browser.ask('POST', '/v1/projects', { name: 'second' })).status === 403,
    );
  });

  it('of one tenant sees and ends nothing of another', async () => {
    const [a, b] = [await someTenant('tenant-a'), await someTenant('tenant-b')];
    const [ofA, ofB] = [await signedIn(a.key.text), await signedIn(b.key.text)];
    await ofA.ask('POST', '/v1/projects', { name: 'secret-project' });
    const sessionOfA = (await ofA.ask('GET', '/v1/whoami')).json.keyId;
    expect((await ofB.ask('GET', '/v1/projects')).text).not.toContain('secret-project');
    expect((await ofB.ask('GET', '/v1/sessions?all=true')).text).not.toContain(sessionOfA);
    expect((await ofB.ask('POST', `/v1/sessions/${sessionOfA}/revoke`)).status).toBe(404);
    expect((await ofA.ask('GET', '/v1/whoami')).status).toBe(200);
  });

  it('is no API key', async () => {
    const browser = await signedIn();
    const [secret] = browser.cookies.values();
    expect((await api.ask(secret!, 'GET', '/v1/whoami')).status).toBe(401);
    expect((await browser.ask('GET', '/v1/whoami', undefined, { cookie: `solyx-8080=${api.adminKey}` })).status).toBe(
      401,
    );
  });

  it('is in no list of keys, and no key is in the list of sessions', async () => {
    const browser = await signedIn();
    const { keyId } = (await browser.ask('GET', '/v1/whoami')).json;
    expect((await browser.ask('GET', '/v1/keys')).text).not.toContain(keyId);
    expect((await browser.ask('POST', `/v1/keys/${keyId}/revoke`)).status).toBe(404);
    const { items } = (await browser.ask('GET', '/v1/sessions')).json;
    expect(items.find((item: { current: boolean }) => item.current)).toMatchObject({
      id: keyId,
      proof: 'key',
      user: null,
    });
  });

  it('is listed and ended by its owner, not by colleagues, but by admins', async () => {
    const { tenantId, projectId, key } = await someTenant('colleagues');
    const [one, two] = [
      await api.makeKey({ tenantId, projectId, role: 'member' }),
      await api.makeKey({ tenantId, projectId, role: 'member' }),
    ];
    const [mine, other] = [await signedIn(one.text), await signedIn(two.text)];
    const id = (await mine.ask('GET', '/v1/whoami')).json.keyId;
    expect((await other.ask('GET', '/v1/sessions')).text).not.toContain(id);
    expect((await other.ask('GET', '/v1/sessions?all=true')).status).toBe(403);
    expect((await other.ask('POST', `/v1/sessions/${id}/revoke`)).status).toBe(404);
    expect((await api.ask(key.text, 'GET', '/v1/sessions?all=true')).text).toContain(id);
    expect((await api.ask(key.text, 'POST', `/v1/sessions/${id}/revoke`)).status).toBe(204);
    await until('it has ended', async () => (await mine.ask('GET', '/v1/whoami')).status === 401);
  });
});

describe('what is remembered of a key or session', () => {
  it('is forgotten within a second, so that whatever ends it counts by then', async () => {
    const { key } = await someTenant('remembered');
    const browser = await signedIn(key.text);
    const session = parseKey([...browser.cookies.values()][0]!)!;
    let now = 0;
    const authenticate = makeAuthenticator(api.database.db, { ...systemClock, monotonicMs: () => now });
    const both = () =>
      Promise.all(
        [authenticate(`Bearer ${key.text}`), authenticate(undefined, session)].map((asked) =>
          asked.then(
            () => 'in',
            (error: SolyxError) => error.code,
          ),
        ),
      );
    expect(await both()).toEqual(['in', 'in']);
    await sql('update cmo_api_keys set revoked_at = now() where id = $1', [key.id]);
    now = 1_000;
    expect(await both()).toEqual(['key_revoked', 'session_ended']);
  });
});

describe('requests that other pages make the browser send', () => {
  const change = (browser: Browser, headers: Record<string, string | undefined>) =>
    browser.ask('POST', '/v1/projects', { name: `p${Math.random().toString(36).slice(2)}` }, headers);

  it.each([
    ['another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    [
      'another site, in a browser without Sec-Fetch-Site',
      { origin: 'https://evil.example', 'sec-fetch-site': undefined },
    ],
    [
      'another port of this host, which is the same site',
      { origin: 'http://solyx.test:9000', 'sec-fetch-site': 'same-site' },
    ],
    [
      'another port of this host, said by Origin alone',
      { origin: 'http://solyx.test:9000', 'sec-fetch-site': undefined },
    ],
    ['a sandboxed frame', { origin: 'null', 'sec-fetch-site': undefined }],
    ['the address bar', { origin: undefined, 'sec-fetch-site': 'none' }],
    ['nowhere that it tells', { origin: undefined, 'sec-fetch-site': undefined }],
    ['a page that only looks like ours', { origin: `${origin}.evil.example`, 'sec-fetch-site': undefined }],
    ['a page of no web scheme', { origin: `ftp://${host}`, 'sec-fetch-site': undefined }],
    [
      'a navigation that posts a form',
      { 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    ],
  ])('change nothing from %s', async (_from, headers) => {
    const browser = await signedIn();
    expect(await change(browser, headers)).toMatchObject({ status: 403, json: { code: 'cross_origin' } });
    expect((await browser.ask('DELETE', '/v1/sessions/current', undefined, headers)).status).toBe(403);
    expect((await change(browser, {})).status).toBe(201);
  });

  it('read nothing by scripts of other sites, while links may be followed', async () => {
    const browser = await signedIn();
    const read = (headers: Record<string, string | undefined>) => browser.ask('GET', '/v1/whoami', undefined, headers);
    expect((await read({ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await read({ origin: undefined, 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' })).status).toBe(
      403,
    );
    const followed = await read({ origin: undefined, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' });
    expect(followed.status).toBe(200);
    expect(followed.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('cannot send what a plain form can: only JSON is a body', async () => {
    const browser = await signedIn();
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const answer = await browser.ask('POST', '/v1/projects', '{"name":"form"}', { 'content-type': type });
      expect(answer.status).toBe(415);
    }
  });

  it('sign nobody in as somebody else', async () => {
    const answer = await new Browser(api).ask(
      'POST',
      '/v1/sessions',
      { key: api.adminKey },
      { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    );
    expect(answer).toMatchObject({ status: 403, json: { code: 'cross_origin' } });
    expect(answer.headers['set-cookie']).toBeUndefined();
  });
});

describe('a login link', () => {
  const link = async (key: string, body: object = {}) => (await api.ask(key, 'POST', '/v1/login-links', body)).json;
  const tokenOf = ({ path }: { path: string }) => path.split('#')[1]!;

  it('signs in once, with the secret in the fragment only', async () => {
    const made = await link(api.adminKey);
    expect(made.path).toMatch(/^\/login#sx_login_/);
    const browser = new Browser(api);
    expect((await browser.ask('POST', '/v1/sessions', { link: tokenOf(made) })).json).toMatchObject({
      role: 'admin',
      user: null,
    });
    const again = await new Browser(api).ask('POST', '/v1/sessions', { link: tokenOf(made) });
    expect(again).toMatchObject({ status: 410, json: { code: 'link_invalid' } });
  });

  it('signs one in of many who use it at once', async () => {
    const token = tokenOf(await link(api.adminKey));
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => new Browser(api).ask('POST', '/v1/sessions', { link: token })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 410, 410, 410, 410, 410, 410, 410]);
  });

  it('gives a session that dies with the key that made it, also over several links', async () => {
    const { key } = await someTenant('chain');
    const first = new Browser(api);
    await first.ask('POST', '/v1/sessions', { link: tokenOf(await link(key.text)) });
    const second = new Browser(api);
    const made = (await first.ask('POST', '/v1/login-links', {})).json;
    await second.ask('POST', '/v1/sessions', { link: tokenOf(made) });
    expect((await second.ask('GET', '/v1/whoami')).status).toBe(200);
    await sql('update cmo_api_keys set revoked_at = now() where id = $1', [key.id]);
    await until('both have ended', async () =>
      [await first.ask('GET', '/v1/whoami'), await second.ask('GET', '/v1/whoami')].every(
        ({ status }) => status === 401,
      ),
    );
  });

  it('does nothing after its time, when the key has gone, or as an invitation', async () => {
    const { key } = await someTenant('late');
    const [late, orphan] = [await link(key.text), await link(key.text)];
    await sql('update cmo_links set expires_at = now() where hash = sha256($1::bytea)', [Buffer.from(tokenOf(late))]);
    expect((await new Browser(api).ask('POST', '/v1/sessions', { link: tokenOf(late) })).status).toBe(410);
    await sql('update cmo_api_keys set revoked_at = now() where id = $1', [key.id]);
    expect((await new Browser(api).ask('POST', '/v1/sessions', { link: tokenOf(orphan) })).status).toBe(410);
    expect((await new Browser(api).ask('POST', '/v1/sessions', { link: makeKey('invite').text })).status).toBe(410);
  });

  it.each([59, 601, 60.5])('lasts neither %s seconds nor any time outside 60 to 600', async (expiresInSeconds) => {
    expect((await api.ask(api.adminKey, 'POST', '/v1/login-links', { expiresInSeconds })).status).toBe(422);
  });
});

describe('guessing', () => {
  it('is slowed down for who guesses and for nobody else', async () => {
    const guarded = await startApi({ http: { strangerLimit: { perSecond: 0.001, burst: 5 } } });
    try {
      const from = (remoteAddress: string, key: string) =>
        guarded.app.inject({ method: 'POST', url: '/v1/sessions', remoteAddress, payload: { key } });
      for (let i = 0; i < 5; i += 1) expect((await from('10.0.0.66', makeKey('api').text)).statusCode).toBe(401);
      const refused = await from('10.0.0.66', guarded.adminKey);
      expect(refused.statusCode).toBe(429);
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      expect((await from('10.0.0.7', guarded.adminKey)).statusCode).toBe(201);
    } finally {
      await guarded.close();
    }
  });
});
