/** Who a command line is: kept logins, users, service accounts and links, with the real product. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Product } from '../support/product.ts';

describe('the command line', () => {
  const here = new Product();
  /** Another machine: a data directory of its own and no server in it. */
  const elsewhere = new Product();
  let url: string;
  beforeAll(async () => {
    url = await here.up(['--no-node']);
  }, 90_000);
  afterAll(async () => {
    await elsewhere.dispose();
    await here.dispose();
  }, 60_000);
  const adminKey = () => readFileSync(join(here.home, 'admin.key'), 'utf8').trim();

  it('keeps a login for later commands, readable by its owner alone, and forgets it', async () => {
    const refused = await elsewhere.run(['jobs']);
    expect(refused.code).not.toBe(0);
    const answer = await elsewhere.ok(['login', url], { input: `${adminKey()}\n` });
    expect(answer).toContain(`signed in to ${url}`);
    const file = join(elsewhere.home, 'login.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await elsewhere.json(['whoami'])).toMatchObject({ url, role: 'admin', operator: true });
    expect(await elsewhere.ok(['whoami'])).toMatch(/Tenant\s+default/);
    expect(await elsewhere.ok(['logout'])).toContain('forgotten');
    expect((await elsewhere.run(['whoami'])).code).not.toBe(0);
  });

  it('keeps no login that does not work, and sends a kept key to no other server', async () => {
    const wrong = await elsewhere.run(['login', url], { input: 'sx_api_nonsense' });
    expect(wrong.stderr).toContain('No valid API key');
    for (const input of ['', 'sx_session_x']) expect((await elsewhere.run(['login', url], { input })).code).not.toBe(0);
    expect((await elsewhere.run(['login', 'ftp://x'], { input: 'x' })).stderr).toContain('is no URL');
    await elsewhere.ok(['login', url], { input: adminKey() });
    const other = await elsewhere.run(['whoami'], { env: { SOLYX_URL: 'https://evil.invalid' } });
    expect(other.stderr).toContain('solyx login https://evil.invalid');
    await elsewhere.ok(['logout']);
  });

  it('invites people, changes and takes away what they may', async () => {
    const link = await here.ok(['users', 'invite', 'ada@example.com', '--role', 'viewer']);
    expect(link).toMatch(new RegExp(`^${url}/invitation#sx_invite_`));
    expect(await here.ok(['users', 'invite', 'ada@example.com'])).not.toBe(link);
    const { items } = await here.json<{ items: { id: string; state: string; role: string }[] }>(['users', 'list']);
    expect(items).toMatchObject([{ email: 'ada@example.com', role: 'viewer', state: 'invited' }]);
    // What is said with a renewed invitation counts; it was dropped in silence once.
    await here.ok(['users', 'invite', 'Ada@example.com', '--role', 'admin', '--name', 'Ada L.']);
    expect(await here.ok(['users'])).toMatch(/Ada L\. +ada@example\.com +admin +invited/);
    expect(await here.ok(['users', 'role', 'Ada@example.com', 'member'])).toContain('member, invited');
    expect(await here.ok(['users', 'disable', items[0]!.id])).toContain('disabled');
    expect(await here.ok(['users', 'enable', 'ada@example.com'])).toContain('invited');
    expect((await here.run(['users', 'role', 'nobody@example.com', 'admin'])).stderr).toContain('No user');
    expect((await here.run(['users', 'role', 'ada@example.com', 'king'])).code).not.toBe(0);
  });

  it('makes service accounts whose keys overlap', async () => {
    const first = await here.ok(['service-accounts', 'create', 'ci', '--role', 'viewer']);
    const as = (key: string) => here.run(['whoami', '--json'], { env: { SOLYX_API_KEY: key, SOLYX_URL: url } });
    expect(JSON.parse((await as(first)).stdout)).toMatchObject({
      role: 'viewer',
      user: { name: 'ci', kind: 'service' },
    });
    const second = await here.ok(['service-accounts', 'rotate', 'ci', '--overlap', '3600']);
    expect([(await as(first)).code, (await as(second)).code]).toEqual([0, 0]);
    expect(await here.ok(['service-accounts', 'list'])).toMatch(/ci\s+viewer\s+active\s+2/);
    await here.ok(['service-accounts', 'disable', 'ci']);
    await expect.poll(async () => (await as(second)).code, { timeout: 10_000 }).not.toBe(0);
  });

  it('prints a link that signs a browser in once', async () => {
    const link = await here.ok(['open', '--for', '60']);
    expect(link).toMatch(new RegExp(`^${url}/login#sx_login_`));
    const signIn = () =>
      fetch(`${url}/v1/sessions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: url },
        body: JSON.stringify({ link: link.split('#')[1] }),
      });
    const answer = await signIn();
    expect([answer.status, (await signIn()).status]).toEqual([201, 410]);
    const cookie = answer.headers.getSetCookie()[0]!.split(';')[0]!;
    const me = await fetch(`${url}/v1/whoami`, { headers: { cookie } });
    expect(await me.json()).toMatchObject({ role: 'admin', session: {} });
    expect(here.log('control-plane')).not.toContain(link.split('#')[1]);
    expect((await here.run(['open', '--for', '5'])).code).not.toBe(0);
  });
});
