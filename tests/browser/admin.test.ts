import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../support/until.ts';
import { expectAccessible } from './support/accessibility.ts';
import { noBrowser } from './support/chromium.ts';
import { type Console, expectQuiet, refuse, startConsole } from './support/console.ts';
import { screenshot } from './support/screenshots.ts';

/** What a button copies, by its label. */
const copied = async (button: Locator): Promise<string> =>
  (await button.getAttribute('aria-label'))!.slice('Copy '.length);

describe.skipIf(noBrowser)('the admin page', () => {
  let console: Console;
  beforeAll(async () => {
    console = await startConsole({
      args: ['--no-node'],
      env: { SOLYX_NOTIFICATIONS_ALLOW_NETWORKS: '127.0.0.1/32' },
    });
  }, 120_000);
  afterAll(() => console?.close(), 90_000);

  it('invites a person by a link that is shown once, changes her role, and shuts her out', async () => {
    const page = await console.open('/admin');
    await page.getByText('Nobody has been invited').waitFor();
    await expectAccessible(page);
    await screenshot(page, 'admin-people-empty');
    await page.getByRole('button', { name: 'Invite a person' }).click();
    await page.getByLabel('E-mail address').fill('ada@example.org');
    await page.getByRole('button', { name: 'Invite', exact: true }).click();
    const link = await copied(page.getByRole('button', { name: /^Copy http/ }));
    expect(link).toMatch(/\/invitation#/);
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByText('ada@example.org').waitFor();
    await page.getByText('invited').waitFor();
    expect(await page.getByText(link).count()).toBe(0);

    const guest = await console.open(link.slice(console.url.length), { key: null });
    await guest.getByRole('button', { name: /Accept|Join/ }).click();
    await guest.getByRole('heading', { name: 'Overview' }).waitFor();
    await page.reload();
    await page.getByText('active').waitFor();
    await expectAccessible(page);
    await screenshot(page, 'admin-people', { dark: true });

    await page.getByRole('button', { name: 'Disable' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
    await page.getByText('disabled').waitFor();
    await guest.reload();
    await guest.waitForURL(/\/login/);
    expectQuiet(page);
    await Promise.all([page.context().close(), guest.context().close()]);
  }, 120_000);

  it('makes a service account and replaces its key while the one before still works', async () => {
    const page = await console.open('/admin/service-accounts');
    await page.getByRole('button', { name: 'Create a service account' }).click();
    await page.getByLabel('Name').fill('ci');
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    const first = await copied(page.getByRole('button', { name: /^Copy sx_api_/ }));
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('button', { name: 'Replace key' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Replace key' }).click();
    const second = await copied(page.getByRole('button', { name: /^Copy sx_api_/ }));
    await page.getByRole('button', { name: 'Done' }).click();
    for (const key of [first, second]) {
      const answer = await fetch(`${console.url}/v1/whoami`, { headers: { authorization: `Bearer ${key}` } });
      expect(answer.status).toBe(200);
    }
    await expectAccessible(page);
    await screenshot(page, 'admin-service-accounts');
    expectQuiet(page);
    await page.context().close();
  }, 90_000);

  it('makes and revokes a key', async () => {
    const page = await console.open('/admin/keys');
    await page.getByRole('button', { name: 'Create a key' }).click();
    await page.getByLabel('Name').fill('<img src=x onerror=alert(1)>');
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    const alert = page.getByRole('alert').or(page.getByRole('button', { name: /^Copy sx_api_/ }));
    await alert.first().waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Create a key' }).click();
    await page.getByLabel('Name').fill('laptop');
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    const key = await copied(page.getByRole('button', { name: /^Copy sx_api_/ }));
    await page.getByRole('button', { name: 'Done' }).click();
    const row = page.getByRole('row').filter({ hasText: 'laptop' });
    await row.getByRole('button', { name: 'Revoke' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await row.getByText('revoked').waitFor();
    const refused = await fetch(`${console.url}/v1/whoami`, { headers: { authorization: `Bearer ${key}` } });
    expect(refused.status).toBe(401);
    await expectAccessible(page);
    await screenshot(page, 'admin-keys', { dark: true });
    expectQuiet(page);
    await page.context().close();
  }, 90_000);

  it('sets a secret that no page and no answer shows again', async () => {
    const page = await console.open('/admin/secrets');
    await page.getByText('There are no secrets').waitFor();
    const answers: string[] = [];
    page.on('response', async (response) => {
      if (response.url().includes('/v1/')) answers.push(await response.text().catch(() => ''));
    });
    await page.getByRole('button', { name: 'Set a secret' }).click();
    await page.getByLabel('Name').fill('hf-token');
    await page.locator('input[name=value]').fill('correct-horse-battery');
    await page.getByRole('button', { name: 'Set', exact: true }).click();
    await page.getByRole('rowheader', { name: 'hf-token' }).waitFor();
    await page.reload();
    await page.getByRole('rowheader', { name: 'hf-token' }).waitFor();
    expect(answers.join()).not.toContain('correct-horse');
    expect(await page.content()).not.toContain('correct-horse');
    await expectAccessible(page);
    await screenshot(page, 'admin-secrets');
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByLabel('Type hf-token to confirm').fill('hf-token');
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('There are no secrets').waitFor();
    expectQuiet(page);
    await page.context().close();
  }, 90_000);

  it('sets what a project gets, shows it, and forgets it', async () => {
    const page = await console.open('/admin/quotas');
    await page.getByRole('rowheader', { name: 'The whole tenant' }).waitFor();
    await page.getByRole('button', { name: 'Set a quota' }).click();
    await page.getByRole('combobox', { name: 'Project' }).click();
    await page.getByRole('option', { name: 'default' }).click();
    await page.getByLabel('Weight: its part of what projects share').fill('3');
    await page.getByLabel('Guaranteed, whoever else wants them').fill('2');
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Set', exact: true }).click();
    await page.getByText('gpu 2', { exact: true }).waitFor();
    await expectAccessible(page);
    await screenshot(page, 'admin-quotas');
    await page.getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await page.getByText('gpu 2', { exact: true }).waitFor({ state: 'hidden' });
    expectQuiet(page);
    await page.context().close();
  }, 90_000);

  it('adds a web-hook, shows what a test of it was answered, and sends that again', async () => {
    const told: { readonly headers: IncomingHttpHeaders }[] = [];
    let answer = 204;
    const hook = createServer((request, response) => {
      told.push({ headers: request.headers });
      response.writeHead(answer).end();
    });
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void hook.close());
    const { port } = hook.address() as AddressInfo;
    const page = await console.open('/admin/notifications');
    await page.getByText('Nobody is told what becomes of jobs').waitFor();
    await expectAccessible(page);
    await screenshot(page, 'admin-notifications-empty');
    await page.getByRole('button', { name: 'Call a web-hook' }).click();
    await page.getByLabel('Name').fill('pager');
    await page.getByLabel('Address').fill(`http://user:word@127.0.0.1:${port}/`);
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page
      .getByRole('alert')
      .getByText(/neither user, password nor fragment/)
      .waitFor();
    await page.getByLabel('Address').fill(`http://127.0.0.1:${port}/`);
    await page.getByLabel('was cancelled').check();
    await page.getByLabel('is stuck').uncheck();
    await expectAccessible(page);
    await screenshot(page, 'admin-notifications-add');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    const secret = await copied(page.getByRole('dialog').getByRole('button', { name: /^Copy / }));
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByText('finished, failed, cancelled', { exact: true }).waitFor();
    expect(await page.content()).not.toContain(secret);

    const test = () => page.getByRole('button', { name: 'Test', exact: true }).click();
    await test();
    await page
      .getByRole('row', { name: /^test / })
      .getByText('sent')
      .waitFor();
    await page.getByRole('button', { name: 'Send again' }).click();
    await until('it was told again', () => told.length === 2);
    expect(new Set(told.map(({ headers }) => headers['solyx-delivery'])).size).toBe(1);
    answer = 500;
    await test();
    await page.getByText(/500.*; again/).waitFor();
    await expectAccessible(page);
    await screenshot(page, 'admin-notifications', { dark: true });

    await page.getByRole('button', { name: 'Pause' }).click();
    await page
      .getByRole('row', { name: /^pager/ })
      .getByText('paused')
      .waitFor();
    await page.getByRole('button', { name: 'Resume' }).waitFor();
    await page.getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await page.getByText('Nobody is told what becomes of jobs').waitFor();
    await page.getByText('Nothing was told yet').waitFor();
    expectQuiet(page);
    await page.context().close();
  }, 120_000);

  it('lists projects with what they used, and who did what', async () => {
    const page = await console.open('/admin/projects');
    await page.getByRole('button', { name: 'Create a project' }).click();
    await page.getByLabel('Name').fill('vision');
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('link', { name: 'vision' }).waitFor();
    await expectAccessible(page);
    await screenshot(page, 'admin-projects', { dark: true });
    const row = page.getByRole('row').filter({ hasText: 'vision' });
    await row.getByRole('button', { name: 'Rename' }).click();
    await page.getByLabel('New name of vision').fill('default');
    await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
    await page.getByRole('dialog').getByText('A project is called default').waitFor();
    await page.getByLabel('New name of vision').fill('sight');
    await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
    await page.getByRole('link', { name: 'sight' }).waitFor();
    const renamed = page.getByRole('row').filter({ hasText: 'sight' });
    await renamed.getByRole('button', { name: 'Delete' }).click();
    await expectAccessible(page);
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('link', { name: 'sight' }).waitFor({ state: 'detached' });
    const own = page.getByRole('row').filter({ hasText: 'default' });
    await own.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page
      .getByRole('dialog')
      .getByText(/default still has/)
      .waitFor();
    await page.getByRole('button', { name: 'Keep' }).click();
    await page.getByRole('link', { name: 'Audit log' }).click();
    await page.getByRole('rowheader', { name: 'project.created' }).first().waitFor();
    await page.getByLabel('Action').fill('key.');
    await page.getByRole('rowheader', { name: 'key.revoked' }).first().waitFor();
    await expectAccessible(page);
    await screenshot(page, 'admin-audit', { dark: true });
    await page.getByLabel('Action').fill('nothing.like.this');
    await page.getByText('Nothing in the log matches').waitFor();
    expectQuiet(page);
    await page.context().close();
  }, 90_000);

  it('tells a member which role she lacks, and a failing server how to try again', async () => {
    const created = await console.product.json<{ secret: string }>([
      'keys',
      'create',
      '--name',
      'm',
      '--role',
      'member',
    ]);
    const page = await console.open('/admin', { key: created.secret });
    await page.getByText(/it takes the role admin/).waitFor();
    await expectAccessible(page);
    await screenshot(page, 'admin-forbidden');
    await page.context().close();
    const failing = await console.open('/login');
    await failing.route('**/v1/users?**', (route) => refuse(route, 500, 'internal', 'The disk is on fire.'));
    await failing.goto('/admin');
    await failing.getByRole('button', { name: 'Try again' }).waitFor();
    await failing.context().close();
  }, 90_000);
});
