/** Getting in with a real browser: by key, by link, by invitation, by a real OpenID provider; and what stands in the way. */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenidProvider, startOpenidProvider } from '../support/openid-provider.ts';
import { expectAccessible } from './support/accessibility.ts';
import { noBrowser } from './support/chromium.ts';
import { type Console, expectQuiet, startConsole } from './support/console.ts';
import { screenshot } from './support/screenshots.ts';

const signedOut = { key: null } as const;
const shell = (page: Page) => page.getByRole('navigation').first();

describe.skipIf(noBrowser)('getting in', () => {
  let console: Console;
  beforeAll(async () => {
    console = await startConsole({ args: ['--no-node'] });
  }, 120_000);
  afterAll(() => console?.close(), 90_000);

  const link = async (...words: string[]) => (await console.product.ok(words)).replace(console.url, '');

  it('by an API key, and back to the page that was asked for', async () => {
    const page = await console.open('/jobs?state=running', signedOut);
    await page.waitForURL('**/login?next=*');
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await screenshot(page, 'login', { dark: true });
    await expectAccessible(page);
    const key = page.getByLabel('API key');
    await key.fill('sx_api_nonsense');
    await page.keyboard.press('Enter');
    await page.getByText('This is no API key of this server.').waitFor();
    await screenshot(page, 'login-wrong-key');
    await expectAccessible(page);
    await key.fill(console.adminKey);
    await page.keyboard.press('Enter');
    await page.waitForURL('**/jobs?state=running');
    await shell(page).waitFor();
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' });
    expect(await page.evaluate('document.cookie')).toBe('');
    expect(await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]))).not.toContain(
      'sx_',
    );
    expectQuiet(page);
    await page.context().close();
  });

  it('by a link: after a word, once, and without a trace in the history', async () => {
    const path = await link('open');
    const page = await console.open(path, signedOut);
    await page.getByText('Go on only if you asked for it yourself').waitFor();
    expect(new URL(page.url()).hash).toBe('');
    await screenshot(page, 'login-link', { dark: true });
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await shell(page).waitFor();
    expectQuiet(page);

    const again = await console.open(path, signedOut);
    await again.getByRole('button', { name: 'Sign in' }).click();
    await again.getByText('This link was used, has expired or was withdrawn.').waitFor();
    await screenshot(again, 'login-link-used');
    await expectAccessible(again);
    await again.getByRole('link', { name: 'Sign in another way' }).click();
    await again.getByLabel('API key').waitFor();
    await Promise.all([page.context().close(), again.context().close()]);
  });

  it('by an invitation, with one’s own name, and no second time', async () => {
    const path = await link('users', 'invite', 'ada@example.com', '--role', 'member');
    const page = await console.open(path, signedOut);
    await page.getByRole('heading', { name: 'You are invited' }).waitFor();
    await page.getByText('ada@example.com').waitFor();
    expect(new URL(page.url()).hash).toBe('');
    await screenshot(page, 'invitation', { dark: true });
    await expectAccessible(page);
    await page.getByLabel('Your name').fill('Ada <b>Lovelace</b>');
    await page.getByRole('button', { name: 'Accept and sign in' }).click();
    await shell(page).waitFor();
    await page.getByRole('button', { name: 'You' }).click();
    await page.getByText('Ada <b>Lovelace</b>, ada@example.com').waitFor();
    expectQuiet(page);

    const again = await console.open(path, signedOut);
    await again.getByRole('heading', { name: 'This invitation does not open' }).waitFor();
    await screenshot(again, 'invitation-used');
    await expectAccessible(again);
    const without = await console.open('/invitation', signedOut);
    await without.getByText('lacks its invitation').waitFor();
    await Promise.all([page, again, without].map((one) => one.context().close()));
  });

  it('makes a key for the command line on one’s account, shows it once, and ends other sessions', async () => {
    const path = await link('users', 'invite', 'grace@example.com');
    const page = await console.open(path, signedOut);
    await page.getByRole('button', { name: 'Accept and sign in' }).click();
    await shell(page).waitFor();
    await page.goto('/account');
    await page.getByRole('button', { name: 'Make a key' }).click();
    const shown = page
      .getByRole('status')
      .getByText(/^sx_api_/)
      .first();
    const secret = (await shown.textContent())!.trim();
    const me = await console.product.run(['whoami', '--json'], {
      env: { SOLYX_API_KEY: secret, SOLYX_URL: console.url },
    });
    expect(JSON.parse(me.stdout)).toMatchObject({ role: 'member', user: { email: 'grace@example.com' } });
    const second = await console.open('/account', { key: secret });
    await second.getByText('Your account').waitFor();
    await page.reload();
    await page.getByText('(this one)').waitFor();
    await screenshot(page, 'account', { dark: true });
    await expectAccessible(page);
    expect(await page.content()).not.toContain(secret);
    await page.getByRole('button', { name: 'End' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'End' }).click();
    await expect.poll(async () => (await second.request.get('/v1/whoami')).status(), { timeout: 5_000 }).toBe(401);
    await page.getByRole('button', { name: 'Revoke' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await page.getByRole('button', { name: 'Revoke', includeHidden: true }).first().waitFor({ state: 'detached' });
    expectQuiet(page);
    await Promise.all([page.context().close(), second.context().close()]);
  });

  it('and out again: nothing of whoever was here stays', async () => {
    const page = await console.open('/fleet');
    await page.goto('/jobs');
    await page.getByRole('button', { name: 'You' }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    expect(await page.context().cookies()).toEqual([]);
    await page.goBack();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.context().close();
  });

  it.each(['//evil.example/x', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', '/login?next=/login'])(
    'never leads to %s afterwards',
    async (next) => {
      const page = await console.open(`/login?next=${encodeURIComponent(next)}`, signedOut);
      await page.getByLabel('API key').fill(console.adminKey);
      await page.keyboard.press('Enter');
      await shell(page).waitFor();
      expect(page.url()).toBe(`${console.url}/`);
      await page.context().close();
    },
  );

  it('says when the server is away, and goes on when it is back', async () => {
    const page = await console.open('/login', signedOut);
    await page.getByLabel('API key').fill(console.adminKey);
    await page.context().setOffline(true);
    await page.keyboard.press('Enter');
    await page.getByText('The server cannot be reached.').waitFor();
    await expectAccessible(page);
    await page.context().setOffline(false);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await shell(page).waitFor();
    await page.context().close();
  });

  it('is not to be had by a page of another port, which is the same site', async () => {
    const page = await console.open('/');
    await shell(page).waitFor();
    const { createServer: serve } = await import('node:http');
    const evil = serve((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>evil</h1>'),
    );
    await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
    try {
      const other = await page.context().newPage();
      await other.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}/`);
      const before = (await console.product.json<{ items: unknown[] }>(['keys', 'list'])).items.length;
      const told = await other.evaluate(async (url) => {
        const post = (type: string, mode: 'cors' | 'no-cors') =>
          fetch(`${url}/v1/keys`, {
            method: 'POST',
            mode,
            credentials: 'include',
            headers: { 'content-type': type },
            body: '{"name":"stolen"}',
          }).then(
            (answer) => `${answer.type} ${answer.status}`,
            () => 'refused',
          );
        const read = await fetch(`${url}/v1/whoami`, { credentials: 'include' }).then(
          (answer) => answer.text(),
          () => 'refused',
        );
        return [await post('application/json', 'cors'), await post('text/plain', 'no-cors'), read];
      }, console.url);
      expect(told).toEqual(['refused', 'refused', 'refused']);
      const form = `<form method=post enctype=text/plain action="${console.url}/v1/keys"><input name='{"name":"' value='x"}'></form>`;
      await other.setContent(form);
      const [posted] = await Promise.all([
        other.waitForResponse('**/v1/keys'),
        other.evaluate("document.querySelector('form').submit()"),
      ]);
      expect(posted.status()).toBe(403);
      expect((await console.product.json<{ items: unknown[] }>(['keys', 'list'])).items.length).toBe(before);
    } finally {
      evil.closeAllConnections();
      evil.close();
    }
    await page.context().close();
  });
});

describe.skipIf(noBrowser)('getting in by an OpenID provider', () => {
  let console: Console;
  let provider: OpenidProvider;
  beforeAll(async () => {
    const port = await freePort();
    const publicUrl = `http://127.0.0.1:${port}`;
    provider = await startOpenidProvider(`${publicUrl}/login/oidc`);
    provider.accounts.set('ada', { email: 'ada@corp.example', email_verified: true, name: 'Ada Lovelace' });
    provider.accounts.set('eve', { email: 'eve@corp.example', email_verified: false });
    console = await startConsole({
      args: ['--no-node', '--port', String(port)],
      env: {
        SOLYX_SERVER_PUBLIC_URL: publicUrl,
        SOLYX_OIDC_ISSUER: provider.issuer,
        SOLYX_OIDC_CLIENT_ID: provider.clientId,
        SOLYX_OIDC_CLIENT_SECRET: provider.clientSecret,
        SOLYX_OIDC_NAME: 'Corp',
        SOLYX_OIDC_ALLOWED_DOMAINS: 'corp.example',
      },
    });
  }, 120_000);
  afterAll(async () => {
    await console?.close();
    await provider?.stop();
  }, 90_000);

  async function signIn(path: string, account: string): Promise<Page> {
    const page = await console.open(path, signedOut);
    await page.getByRole('button', { name: /with Corp/ }).click();
    await page.getByLabel('Account').fill(account);
    await page.keyboard.press('Enter');
    return page;
  }

  it('goes there and comes back to the page that was asked for', async () => {
    const page = await console.open('/jobs?state=failed', signedOut);
    await page.getByRole('button', { name: 'Sign in with Corp' }).waitFor();
    await screenshot(page, 'login-oidc', { dark: true });
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Sign in with Corp' }).click();
    await page.getByLabel('Account').fill('ada');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${console.url}/jobs?state=failed`);
    await page.getByRole('button', { name: 'You' }).click();
    await page.getByText('Ada Lovelace, ada@corp.example').waitFor();
    expectQuiet(page);
    await page.context().close();
  });

  it('says why an unverified address does not get in', async () => {
    const page = await signIn('/login', 'eve');
    await page.getByText('did not say a verified e-mail address').waitFor();
    expect(page.url()).toBe(`${console.url}/login/oidc`);
    await screenshot(page, 'login-oidc-refused');
    await expectAccessible(page);
    await page.getByRole('link', { name: 'Back to the sign-in page' }).click();
    await page.getByLabel('API key').waitFor();
    await page.context().close();
  });

  it('accepts an invitation by it', async () => {
    provider.accounts.set('bob', { email: 'bob@else.example', email_verified: true, name: 'Bob' });
    const path = (await console.product.ok(['users', 'invite', 'bob@else.example'])).replace(console.url, '');
    const page = await signIn(path, 'bob');
    await shell(page).waitFor();
    expect((await (await page.request.get('/v1/whoami')).json()).user).toMatchObject({ email: 'bob@else.example' });
    await page.context().close();
  });

  it('goes another way while the provider is away', async () => {
    await provider.pause();
    try {
      const page = await console.open('/login', signedOut);
      await page.getByLabel('API key').fill(console.adminKey);
      await page.keyboard.press('Enter');
      await shell(page).waitFor();
      await page.context().close();
    } finally {
      await provider.resume();
    }
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
