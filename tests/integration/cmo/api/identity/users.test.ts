/** People of a tenant: invited by a one-time link, given roles, shut out; the last admin stays. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireOtherAdmin } from '../../../../../src/cmo/api/identity/user-rows.ts';
import { makeAuthenticator } from '../../../../../src/cmo/api/index.ts';
import { systemClock } from '../../../../../src/common/clock.ts';
import { withClient } from '../../../../../src/common/database/connection.ts';
import { withSystem } from '../../../../../src/common/database/index.ts';
import { parseKey } from '../../../../../src/common/keys.ts';
import { openMailer } from '../../../../../src/common/mail/index.ts';
import { type MailServer, startMailServer } from '../../../../support/mail-server.ts';
import { until } from '../../../../support/until.ts';
import { type Answer, startApi, type TestApi } from '../harness.ts';
import { Browser } from './browser.ts';

let api: TestApi;
let counter = 0;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const sql = (text: string, values: unknown[] = []) =>
  withSystem(api.database.db, (tx) => tx.query<{ n: number }>(text, values));
const tokenOf = ({ path }: { path: string }) => path.split('#')[1]!;

/** A tenant with an admin key that belongs to nobody. */
async function tenant(on = api) {
  counter += 1;
  const made = await on.makeTenant(`tenant-${counter}`);
  const key = await on.makeKey({ ...made, role: 'admin' });
  const ask = (method: string, url: string, body?: unknown) => on.ask(key.text, method, url, body);
  return { ...made, key, ask };
}
type Tenant = Awaited<ReturnType<typeof tenant>>;
async function invite(to: Tenant, email: string, role = 'member') {
  const answer = await to.ask('POST', '/v1/users', { email, role });
  expect(answer.status).toBe(201);
  return answer.json as { user: { id: string }; link: { path: string } };
}

async function join(to: Tenant, email: string, role = 'member', on = api) {
  const { user, link } = await invite(to, email, role);
  const browser = new Browser(on);
  const accepted = await browser.ask('POST', '/v1/invitations/accept', { link: tokenOf(link), name: 'Ada' });
  expect(accepted.status).toBe(201);
  return { id: user.id, browser, whoami: accepted.json };
}

describe('an invitation', () => {
  it('says what it is to without being used up, then makes a user who is signed in', async () => {
    const acme = await tenant();
    const { user, link } = await invite(acme, '  Ada@Example.COM ', 'viewer');
    expect(link.path).toMatch(/^\/invitation#sx_invite_/);
    const browser = new Browser(api);
    for (let i = 0; i < 2; i += 1) {
      const look = await browser.ask('POST', '/v1/invitations/look', { link: tokenOf(link) });
      expect(look.json).toMatchObject({ tenant: `tenant-${counter}`, email: 'ada@example.com', role: 'viewer' });
    }
    const accepted = await browser.ask('POST', '/v1/invitations/accept', { link: tokenOf(link), name: 'Ada L.' });
    expect(accepted.json).toMatchObject({
      role: 'viewer',
      user: { id: user.id, name: 'Ada L.', email: 'ada@example.com', kind: 'person' },
      session: {},
    });
    expect((await browser.ask('GET', '/v1/whoami')).json).toEqual(accepted.json);
    const [listed] = (await acme.ask('GET', '/v1/users')).json.items;
    expect(listed).toMatchObject({ state: 'active', name: 'Ada L.', invitationExpiresAt: null });
  });

  it('works once, also for many who use it at once', async () => {
    const { link } = await invite(await tenant(), 'once@example.com');
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => new Browser(api).ask('POST', '/v1/invitations/accept', { link: tokenOf(link) })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 410, 410, 410, 410, 410]);
    expect((await new Browser(api).ask('POST', '/v1/invitations/look', { link: tokenOf(link) })).status).toBe(410);
  });

  it('stops working when it is renewed, withdrawn or seven days old', async () => {
    const acme = await tenant();
    const first = await invite(acme, 'renewed@example.com');
    const renewed = await acme.ask('POST', `/v1/users/${first.user.id}/invitation`, {});
    expect(renewed.json.link.path).not.toBe(first.link.path);
    const accept = (link: { path: string }) =>
      new Browser(api).ask('POST', '/v1/invitations/accept', { link: tokenOf(link) });
    expect((await accept(first.link)).json.code).toBe('link_invalid');

    await acme.ask('POST', `/v1/users/${first.user.id}/disable`);
    expect((await accept(renewed.json.link)).json.code).toBe('link_invalid');
    expect((await acme.ask('POST', `/v1/users/${first.user.id}/invitation`, {})).status).toBe(409);
    await acme.ask('POST', `/v1/users/${first.user.id}/enable`);
    const again = (await acme.ask('POST', `/v1/users/${first.user.id}/invitation`, {})).json;
    expect(again.user.state).toBe('invited');
    expect(Date.parse(again.link.expiresAt) - Date.now()).toBeGreaterThan(6.9 * 86_400_000);
    await sql(`update cmo_links set expires_at = now() where user_id = $1`, [first.user.id]);
    expect((await accept(again.link)).json.code).toBe('link_invalid');
  });

  it('cannot be renewed once accepted, nor made twice', async () => {
    const acme = await tenant();
    const { id } = await join(acme, 'twice@example.com');
    expect((await acme.ask('POST', `/v1/users/${id}/invitation`, {})).status).toBe(409);
    expect((await acme.ask('POST', '/v1/users', { email: 'TWICE@example.com' })).json.code).toBe('already_exists');
  });

  it('is not to be had as a login link, nor a login link as an invitation', async () => {
    const acme = await tenant();
    const { link } = await invite(acme, 'kinds@example.com');
    expect((await new Browser(api).ask('POST', '/v1/sessions', { link: tokenOf(link) })).status).toBe(410);
    const login = (await acme.ask('POST', '/v1/login-links', {})).json;
    expect((await new Browser(api).ask('POST', '/v1/invitations/accept', { link: tokenOf(login) })).status).toBe(410);
    expect((await new Browser(api).ask('POST', '/v1/invitations/accept', { link: tokenOf(link) })).status).toBe(201);
  });

  it('cannot be accepted by another site’s page', async () => {
    const { link } = await invite(await tenant(), 'csrf@example.com');
    const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    const answer = await new Browser(api).ask('POST', '/v1/invitations/accept', { link: tokenOf(link) }, foreign);
    expect(answer.json.code).toBe('cross_origin');
  });

  it.each(['not an address', 'a@b', `${'x'.repeat(250)}@example.com`, 'two@x.com,three@x.com', 'line\nbreak@x.com'])(
    'refuses %j as an address',
    async (email) => {
      expect((await (await tenant()).ask('POST', '/v1/users', { email })).status).toBe(422);
    },
  );

  it('refuses names that would trick who reads them', async () => {
    const acme = await tenant();
    for (const name of ['', 'a\u202eb', 'a\nb', 'x'.repeat(101)]) {
      expect((await acme.ask('POST', '/v1/users', { email: 'n@example.com', name })).status).toBe(422);
    }
  });
});

describe('a role', () => {
  it('counts when it changes, up and down, for sessions and keys that exist', async () => {
    const acme = await tenant();
    const { id, browser } = await join(acme, 'roles@example.com', 'admin');
    const own = (await browser.ask('POST', '/v1/whoami/keys', { name: 'cli' })).json;
    const set = (role: string) => acme.ask('PATCH', `/v1/users/${id}`, { role });
    await set('viewer');
    await until('both may do less', async () => {
      const made = await Promise.all([
        browser.ask('POST', '/v1/projects', { name: `by-session-${counter}` }),
        api.ask(own.secret, 'POST', '/v1/projects', { name: `by-key-${counter}` }),
      ]);
      return made.every(({ status }) => status === 403);
    });
    await set('admin');
    await until('both may do more', async () => {
      const [session, key] = [await browser.ask('GET', '/v1/whoami'), await api.ask(own.secret, 'GET', '/v1/whoami')];
      return session.json.role === 'admin' && key.json.role === 'admin';
    });
  });

  it('is the most that own keys can have', async () => {
    const acme = await tenant();
    const { browser } = await join(acme, 'most@example.com', 'member');
    expect((await browser.ask('POST', '/v1/whoami/keys', { name: 'more', role: 'admin' })).status).toBe(403);
    const less = (await browser.ask('POST', '/v1/whoami/keys', { name: 'less', role: 'viewer' })).json;
    expect((await api.ask(less.secret, 'GET', '/v1/whoami')).json).toMatchObject({
      role: 'viewer',
      user: { email: 'most@example.com' },
    });
    expect((await api.ask(less.secret, 'POST', '/v1/whoami/keys', { name: 'climb', role: 'member' })).status).toBe(403);
    // A session made from the weaker key is as weak.
    const weak = new Browser(api);
    await weak.ask('POST', '/v1/sessions', { key: less.secret });
    expect((await weak.ask('GET', '/v1/whoami')).json.role).toBe('viewer');
    expect((await browser.ask('GET', '/v1/whoami/keys')).json.items).toMatchObject([{ id: less.id, role: 'viewer' }]);
    expect((await browser.ask('POST', `/v1/whoami/keys/${less.id}/revoke`)).json.revokedAt).not.toBeNull();
    await until('key and session are dead', async () => {
      const both = [await api.ask(less.secret, 'GET', '/v1/whoami'), await weak.ask('GET', '/v1/whoami')];
      return both.every(({ status }) => status === 401);
    });
  });

  it('of admin cannot be taken from the last who has it', async () => {
    const acme = await tenant();
    const ada = await join(acme, 'ada@last.example', 'admin');
    // The key that belongs to nobody could still administer; without it Ada is the last.
    await sql('update cmo_api_keys set revoked_at = now() where id = $1', [acme.key.id]);
    expect((await ada.browser.ask('PATCH', `/v1/users/${ada.id}`, { role: 'viewer' })).json.code).toBe('last_admin');
    expect((await ada.browser.ask('POST', `/v1/users/${ada.id}/disable`)).json.code).toBe('last_admin');
    const link = (await ada.browser.ask('POST', '/v1/users', { email: 'bob@last.example', role: 'admin' })).json.link;
    expect((await ada.browser.ask('POST', `/v1/users/${ada.id}/disable`)).json.code, 'invited is not there').toBe(
      'last_admin',
    );
    const bob = new Browser(api);
    const { user } = (await bob.ask('POST', '/v1/invitations/accept', { link: tokenOf(link) })).json;
    // Bob is being demoted by somebody whose transaction is open: whether Ada may go has to wait for how that ends.
    let answer: Promise<Answer> | undefined;
    await withSystem(api.database.db, async (tx) => {
      await requireOtherAdmin(tx, acme.tenantId, user.id);
      await tx.query(`update cmo_users set role = 'viewer' where id = $1`, [user.id]);
      answer = ada.browser.ask('PATCH', `/v1/users/${ada.id}`, { role: 'viewer' });
      await until('she waits', async () => {
        const { rows } = await withClient(api.database.admin, (client) =>
          client.query(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
        );
        return rows.length > 0;
      });
    });
    expect((await answer!).json.code).toBe('last_admin');
  });
});

describe('who is disabled', () => {
  it('is refused for being disabled, also by what was made at that very moment', async () => {
    const acme = await tenant();
    const { id, browser } = await join(acme, 'moment@example.com');
    const own = (await browser.ask('POST', '/v1/whoami/keys', { name: 'cli' })).json;
    await sql('update cmo_users set disabled_at = now() where id = $1', [id]);
    const authenticate = makeAuthenticator(api.database.db, systemClock);
    await expect(authenticate(`Bearer ${own.secret}`)).rejects.toMatchObject({ code: 'key_revoked' });
    const session = parseKey(browser.cookie!.split('=')[1]!)!;
    await expect(authenticate(undefined, session)).rejects.toMatchObject({ code: 'session_ended' });
  });

  it('loses sessions, keys and links, and does not get them back', async () => {
    const acme = await tenant();
    const { id, browser } = await join(acme, 'out@example.com');
    const own = (await browser.ask('POST', '/v1/whoami/keys', { name: 'cli' })).json;
    const byKey = new Browser(api);
    await byKey.ask('POST', '/v1/sessions', { key: own.secret });
    const link = (await browser.ask('POST', '/v1/login-links', {})).json;
    const cookie = browser.cookie;
    expect((await acme.ask('POST', `/v1/users/${id}/disable`)).json.state).toBe('disabled');
    const all = async () => [
      await browser.ask('GET', '/v1/whoami', undefined, { cookie }),
      await byKey.ask('GET', '/v1/whoami'),
      await api.ask(own.secret, 'GET', '/v1/whoami'),
    ];
    await until('all are refused', async () => (await all()).every(({ status }) => status === 401));
    expect((await new Browser(api).ask('POST', '/v1/sessions', { link: tokenOf(link) })).status).toBe(410);

    expect((await acme.ask('POST', `/v1/users/${id}/enable`)).json.state).toBe('active');
    // One that remembers nothing.
    const authenticate = makeAuthenticator(api.database.db, systemClock);
    await expect(authenticate(`Bearer ${own.secret}`)).rejects.toMatchObject({ code: 'key_revoked' });
    const session = parseKey(cookie!.split('=')[1]!)!;
    await expect(authenticate(undefined, session)).rejects.toMatchObject({ code: 'session_ended' });
  });

  it('is written down, with who did it, in events and audit log', async () => {
    const acme = await tenant();
    const { id } = await join(acme, 'log@example.com');
    await acme.ask('PATCH', `/v1/users/${id}`, { role: 'viewer' });
    await acme.ask('POST', `/v1/users/${id}/disable`);
    await acme.ask('POST', `/v1/users/${id}/enable`);
    const events = await withSystem(api.database.db, (tx) =>
      tx.query<{ kind: string; revision: bigint }>(
        `select kind, revision from feed_events where subject = $1 order by id`,
        [id],
      ),
    );
    expect(events.rows.map(({ kind, revision }) => [kind, Number(revision)])).toEqual([
      ['user.invited', 1],
      ['user.accepted', 2],
      ['user.changed', 3],
      ['user.disabled', 4],
      ['user.enabled', 5],
    ]);
    const audit = await withSystem(api.database.db, (tx) =>
      tx.query<{ action: string; key_id: string | null }>(
        `select action, key_id from audit_entries where tenant = $1 order by sequence`,
        [acme.tenantId],
      ),
    );
    expect(audit.rows.map(({ action }) => action)).toEqual([
      'user.invited',
      'session.started',
      'user.changed',
      'user.disabled',
      'user.enabled',
    ]);
    expect(
      audit.rows.filter(({ action }) => action.startsWith('user.')).every(({ key_id }) => key_id === acme.key.id),
    ).toBe(true);
  });

  it('and nobody of another tenant can be seen or touched', async () => {
    const [acme, globex] = [await tenant(), await tenant()];
    const { id, browser } = await join(acme, 'seen@example.com', 'admin');
    for (const [method, path, body] of [
      ['PATCH', `/v1/users/${id}`, { role: 'viewer' }],
      ['POST', `/v1/users/${id}/disable`, undefined],
      ['POST', `/v1/users/${id}/enable`, undefined],
      ['POST', `/v1/users/${id}/invitation`, {}],
    ] as const) {
      expect((await globex.ask(method, path, body)).status).toBe(404);
    }
    expect((await globex.ask('GET', '/v1/users')).json.items).toEqual([]);
    expect((await browser.ask('GET', '/v1/whoami')).json.role).toBe('admin');
  });
});

describe('a service account', () => {
  it('has keys of its own, and two while one replaces the other', async () => {
    const acme = await tenant();
    const made = await acme.ask('POST', '/v1/service-accounts', { name: 'ci', role: 'member' });
    expect(made.json).toMatchObject({
      account: { kind: 'service', role: 'member', state: 'active' },
      key: { role: 'member' },
    });
    const first = made.json.key.secret;
    expect((await api.ask(first, 'GET', '/v1/whoami')).json).toMatchObject({
      role: 'member',
      user: { name: 'ci', email: null, kind: 'service' },
    });
    const rotated = (
      await acme.ask('POST', `/v1/service-accounts/${made.json.account.id}/rotate`, { overlapSeconds: 3_600 })
    ).json;
    expect(rotated.account.keys).toHaveLength(2);
    for (const key of [first, rotated.key.secret]) expect((await api.ask(key, 'GET', '/v1/whoami')).status).toBe(200);
    const [old] = rotated.account.keys;
    expect(Date.parse(old.expiresAt) - Date.now()).toBeLessThanOrEqual(3_600_000);
    await sql('update cmo_api_keys set expires_at = now() where id = $1', [old.id]);
    await until(
      'the old one has ended',
      async () => (await api.ask(first, 'GET', '/v1/whoami')).json.code === 'key_revoked',
    );
    expect((await api.ask(rotated.key.secret, 'GET', '/v1/whoami')).status).toBe(200);
  });

  it('never lives longer by a rotation than it would have', async () => {
    const acme = await tenant();
    const { account } = (await acme.ask('POST', '/v1/service-accounts', { name: 'short', expiresInSeconds: 120 })).json;
    const rotated = (await acme.ask('POST', `/v1/service-accounts/${account.id}/rotate`, { overlapSeconds: 86_400 }))
      .json;
    expect(Date.parse(rotated.account.keys[0].expiresAt) - Date.now()).toBeLessThanOrEqual(120_000);
  });

  it('loses its old keys at once where no overlap is wanted', async () => {
    const acme = await tenant();
    const made = (await acme.ask('POST', '/v1/service-accounts', { name: 'leaked' })).json;
    const rotated = (await acme.ask('POST', `/v1/service-accounts/${made.account.id}/rotate`, { overlapSeconds: 0 }))
      .json;
    expect(rotated.account.keys.map(({ id }: { id: string }) => id)).toEqual([rotated.key.id]);
    await until('it is refused', async () => (await api.ask(made.key.secret, 'GET', '/v1/whoami')).status === 401);
  });

  it('has what its role allows, also after a change, and is listed apart from people', async () => {
    const acme = await tenant();
    const made = (await acme.ask('POST', '/v1/service-accounts', { name: 'deploy', role: 'viewer' })).json;
    await acme.ask('PATCH', `/v1/users/${made.account.id}`, { role: 'admin' });
    await until(
      'it may do more',
      async () => (await api.ask(made.key.secret, 'POST', '/v1/projects', { name: `p${counter}` })).status === 201,
    );
    expect((await acme.ask('GET', '/v1/users')).json.items).toEqual([]);
    expect((await acme.ask('GET', '/v1/service-accounts')).json.items).toMatchObject([
      { name: 'deploy', keys: [{ role: 'admin' }] },
    ]);
    expect((await acme.ask('POST', '/v1/service-accounts', { name: 'deploy' })).json.code).toBe('already_exists');
    expect((await api.ask(made.key.secret, 'POST', '/v1/whoami/keys', { name: 'own' })).status).toBe(409);
    await acme.ask('POST', `/v1/users/${made.account.id}/disable`);
    await until('it is refused', async () => (await api.ask(made.key.secret, 'GET', '/v1/whoami')).status === 401);
    expect((await acme.ask('POST', `/v1/service-accounts/${made.account.id}/rotate`, {})).status).toBe(409);
  });
});

describe('by e-mail', () => {
  let mails: MailServer;
  let mailing: TestApi;
  beforeAll(async () => {
    mails = await startMailServer();
    const mailer = openMailer({
      host: '127.0.0.1',
      port: mails.port,
      security: 'none',
      from: 'Solyx <solyx@example.com>',
    });
    mailing = await startApi({ identity: { mailer, publicUrl: 'https://solyx.example.com/' } });
  });
  afterAll(async () => {
    await mailing.close();
    await mails.stop();
  });
  const linkIn = (mail: { text: string }) => /https:\/\/solyx\.example\.com(\/\S+)/.exec(mail.text)![1]!;
  const signInByMail = async (email: string) => {
    const before = mails.mails.length;
    expect((await new Browser(mailing).ask('POST', '/v1/login-links/mail', { email })).status).toBe(204);
    return until('the mail is there', () => mails.mails[before]);
  };

  it('an invitation goes to the person and to nobody else', async () => {
    const acme = await tenant(mailing);
    const answer = await acme.ask('POST', '/v1/users', { email: 'mailed@example.com' });
    expect(answer.json).toMatchObject({ sent: true, link: null });
    expect(answer.text).not.toContain('sx_invite_');
    const mail = mails.mails.at(-1)!;
    expect(mail.to).toEqual(['mailed@example.com']);
    const accepted = await new Browser(mailing).ask('POST', '/v1/invitations/accept', {
      link: tokenOf({ path: linkIn(mail) }),
    });
    expect(accepted.json.user.email).toBe('mailed@example.com');
  });

  it('an invitation that cannot be sent says so and can be renewed, also by hand', async () => {
    const acme = await tenant(mailing);
    mails.refusing = true;
    const refused = (await acme.ask('POST', '/v1/users', { email: 'full@example.com' })).json;
    mails.refusing = false;
    expect(refused).toMatchObject({ sent: false, link: null, user: { state: 'invited' } });
    const byHand = (await acme.ask('POST', `/v1/users/${refused.user.id}/invitation`, { deliver: 'link' })).json;
    expect(byHand).toMatchObject({ sent: false, link: { path: expect.stringMatching(/^\/invitation#/) } });
  });

  it('a person signs in again, and finds all her tenants', async () => {
    const [acme, globex] = [await tenant(mailing), await tenant(mailing)];
    for (const one of [acme, globex]) {
      await one.ask('POST', '/v1/users', { email: 'two@example.com', role: one === acme ? 'admin' : 'viewer' });
      await new Browser(mailing).ask('POST', '/v1/invitations/accept', {
        link: tokenOf({ path: linkIn(mails.mails.at(-1)!) }),
      });
    }
    const browser = new Browser(mailing);
    const answer = await browser.ask('POST', '/v1/sessions', {
      link: tokenOf({ path: linkIn(await signInByMail('Two@Example.com')) }),
    });
    expect(answer.json.tenant.id).toBe(globex.tenantId);
    const tenants = (await browser.ask('GET', '/v1/sessions/tenants')).json.items;
    expect(tenants).toMatchObject([
      { tenant: { id: acme.tenantId }, role: 'admin', current: false },
      { tenant: { id: globex.tenantId }, role: 'viewer', current: true },
    ]);
    const before = browser.cookie;
    const switched = await browser.ask('POST', '/v1/sessions/current/tenant', { tenantId: acme.tenantId });
    expect(switched.json).toMatchObject({ tenant: { id: acme.tenantId }, role: 'admin', session: answer.json.session });
    await until(
      'the old session has ended',
      async () => (await browser.ask('GET', '/v1/whoami', undefined, { cookie: before })).status === 401,
    );
    await globex.ask('POST', `/v1/users/${(await globex.ask('GET', '/v1/users')).json.items[0].id}/disable`);
    expect((await browser.ask('POST', '/v1/sessions/current/tenant', { tenantId: globex.tenantId })).status).toBe(404);
  });

  it('an invitation that an admin kept opens no other tenant of its address', async () => {
    const [acme, evil] = [await tenant(mailing), await tenant(mailing)];
    await acme.ask('POST', '/v1/users', { email: 'victim@example.com', role: 'admin' });
    await new Browser(mailing).ask('POST', '/v1/invitations/accept', {
      link: tokenOf({ path: linkIn(mails.mails.at(-1)!) }),
    });
    const kept = (await evil.ask('POST', '/v1/users', { email: 'victim@example.com', deliver: 'link' })).json.link;
    const attacker = new Browser(mailing);
    await attacker.ask('POST', '/v1/invitations/accept', { link: tokenOf(kept) });
    expect((await attacker.ask('GET', '/v1/sessions/tenants')).json.items).toHaveLength(1);
    expect((await attacker.ask('POST', '/v1/sessions/current/tenant', { tenantId: acme.tenantId })).status).toBe(404);
    // Nor does a login link made in that session.
    const link = (await attacker.ask('POST', '/v1/login-links', {})).json;
    const second = new Browser(mailing);
    await second.ask('POST', '/v1/sessions', { link: tokenOf(link) });
    expect((await second.ask('POST', '/v1/sessions/current/tenant', { tenantId: acme.tenantId })).status).toBe(404);
  });

  it('says the same of addresses that nobody has, and fills no mailbox', async () => {
    const acme = await tenant(mailing);
    await acme.ask('POST', '/v1/users', { email: 'flood@example.com' });
    await new Browser(mailing).ask('POST', '/v1/invitations/accept', {
      link: tokenOf({ path: linkIn(mails.mails.at(-1)!) }),
    });
    const before = mails.mails.length;
    const asked = ['nobody@example.com', ...Array<string>(5).fill('flood@example.com')];
    const answers = [];
    for (const email of asked) answers.push(await new Browser(mailing).ask('POST', '/v1/login-links/mail', { email }));
    expect(answers.map(({ status, text }) => [status, text])).toEqual(asked.map(() => [204, '']));
    await until('three are there', () => mails.mails.length === before + 3);
    // A mail that is not to be sent cannot be waited for; one that is sent comes before it.
    await signInByMail('two@example.com');
    expect(mails.mails.length).toBe(before + 4);
  });

  it('nobody who was shut out gets in', async () => {
    const acme = await tenant(mailing);
    const { user } = (await acme.ask('POST', '/v1/users', { email: 'gone@example.com' })).json;
    await new Browser(mailing).ask('POST', '/v1/invitations/accept', {
      link: tokenOf({ path: linkIn(mails.mails.at(-1)!) }),
    });
    const mail = await signInByMail('gone@example.com');
    await acme.ask('POST', `/v1/users/${user.id}/disable`);
    expect(
      (await new Browser(mailing).ask('POST', '/v1/sessions', { link: tokenOf({ path: linkIn(mail) }) })).status,
    ).toBe(410);
  });

  it('is refused where the server sends none, and offered where it does', async () => {
    expect((await mailing.ask(null, 'GET', '/v1/sign-in')).json).toEqual({ mail: true, oidc: null });
    expect((await api.ask(null, 'GET', '/v1/sign-in')).json).toEqual({ mail: false, oidc: null });
    expect((await new Browser(api).ask('POST', '/v1/login-links/mail', { email: 'a@example.com' })).json.code).toBe(
      'mail_unavailable',
    );
    expect(
      (await (await tenant()).ask('POST', '/v1/users', { email: 'a@example.com', deliver: 'mail' })).json.code,
    ).toBe('mail_unavailable');
  });
});
