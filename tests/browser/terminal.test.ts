/** The terminal of a job in a real browser: keys and output, size, colours under the page's policy, and honest endings. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startKeeper } from '../support/job-shell.ts';
import { until } from '../support/until.ts';
import { expectAccessible } from './support/accessibility.ts';
import { noBrowser } from './support/chromium.ts';
import { type Console, expectQuiet, startConsole } from './support/console.ts';
import { screenshot } from './support/screenshots.ts';

const hasTerminals = (await import('@lydell/node-pty').catch(() => undefined)) !== undefined;
if (!hasTerminals) console.warn('SKIPPED: terminals: the optional package @lydell/node-pty is not installed');

describe.skipIf(noBrowser || !hasTerminals)('the terminal of a job', () => {
  let console: Console;
  let id = '';
  beforeAll(async () => {
    console = await startConsole();
    id = await startKeeper(console.product);
  }, 180_000);
  afterAll(() => console?.close(), 90_000);

  const rows = (page: Page) => page.locator('.xterm-rows');
  const says = (page: Page, text: string | RegExp) => rows(page).filter({ hasText: text }).waitFor();
  // As it is laid out: a row is a line.
  const screenText = (page: Page) =>
    rows(page).evaluate((box) => [...box.children].map((row) => row.textContent).join('\n'));
  const openShell = async (page: Page) => {
    await page.getByRole('tab', { name: 'Terminal' }).click();
    await page.getByRole('button', { name: 'Open a shell' }).click();
    await says(page, /\$ /);
  };
  const type = async (page: Page, line: string) => {
    await page.keyboard.type(line);
    await page.keyboard.press('Enter');
  };

  it('opens nothing by itself; a shell in the job answers keys, keeps colours and follows the window', async () => {
    const page = await console.open(`/jobs/${id}`);
    await page.getByRole('tab', { name: 'Terminal' }).click();
    await page.getByText('Who opened it and when is in the audit log').waitFor();
    expect(await page.locator('.xterm').count()).toBe(0);
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Open a shell' }).click();
    await says(page, /\$ /);
    await type(page, 'echo "$GREETING" from $((40 + 2))');
    await says(page, 'hello from the spec from 42');
    await type(page, "printf '\\033[38;2;10;120;200mtrue\\033[0m \\033[31mred\\033[0m\\n'; stty size");
    const coloured = page.locator('.xterm-rows span', { hasText: /^true$/ }).first();
    await coloured.waitFor();
    // Written as a style attribute, which the policy would have refused.
    expect(await coloured.evaluate((span) => (span as HTMLElement).style.color)).not.toBe('');
    const size = async () => /(\d+) (\d+)\s*$/m.exec((await screenText(page)).trimEnd().split('stty size').at(-1)!);
    const before = await until('the size is told', size);
    await page.setViewportSize({ width: 900, height: 700 });
    await type(page, 'clear; stty size');
    const after = await until('it is smaller', async () => {
      const now = await size();
      return now && Number(now[2]) < Number(before[2]) ? now : undefined;
    });
    expect(Number(after[2])).toBeGreaterThan(20);
    await screenshot(page, 'job-terminal', { dark: true });
    await expectAccessible(page);
    expectQuiet(page);
    await page.context().close();
  }, 90_000);

  it('Ctrl-C reaches the command, and keys lead out of the terminal', async () => {
    const page = await console.open(`/jobs/${id}`);
    await openShell(page);
    await type(page, 'sleep 98');
    await until('it sleeps', async () =>
      (await console.product.run(['exec', id, '--', 'pgrep', '-a', 'sleep'])).stdout.includes('sleep 98'),
    );
    await page.keyboard.press('Control+c');
    await type(page, 'echo "code $?"');
    await says(page, 'code 130');
    // Tab completes in the shell, so it cannot be the way out; the way is written beside the terminal.
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.className)).toContain('xterm');
    await page.getByText('leaves the terminal').waitFor();
    await page.keyboard.press('Control+Shift+X');
    await until('the focus is out', () =>
      page.evaluate(() => document.activeElement?.textContent === 'Close the shell'),
    );
    await page.getByLabel('For screen readers').check();
    await page.locator('.xterm-accessibility').waitFor({ state: 'attached' });
    await expectAccessible(page);
    await page.getByLabel('For screen readers').uncheck();
    expectQuiet(page);
    await page.context().close();
  }, 90_000);

  it('tells the exit code, and opens a new shell when asked', async () => {
    const page = await console.open(`/jobs/${id}`);
    await openShell(page);
    await type(page, 'exit 3');
    await page.getByText('The shell ended with exit code 3').waitFor();
    await until('the next one is a key away', () =>
      page.evaluate(() => document.activeElement?.textContent === 'Open a new shell'),
    );
    await page.keyboard.press('Enter');
    await says(page, /\$ /);
    await type(page, 'echo once a""gain');
    await says(page, 'once again');
    await page.getByRole('button', { name: 'Close the shell' }).click();
    await page.getByText('You closed the shell').waitFor();
    expectQuiet(page);
    await page.context().close();
  }, 60_000);

  it('a command that prints without end holds up neither the page nor Ctrl-C', async () => {
    const page = await console.open(`/jobs/${id}`);
    await openShell(page);
    await type(page, 'yes endless');
    await says(page, 'endless');
    await page.keyboard.press('Control+c');
    await type(page, 'clear; echo still here');
    await page.locator('.xterm-rows', { hasText: 'still here' }).waitFor({ timeout: 30_000 });
    expectQuiet(page);
    await page.context().close();
  }, 60_000);

  it('is not offered to who may not', async () => {
    const viewer = await console.product.json<{ secret: string }>([
      'keys',
      'create',
      '--name',
      'v',
      '--role',
      'viewer',
    ]);
    const page = await console.open(`/jobs/${id}`, { key: viewer.secret });
    await page.getByRole('tab', { name: 'Terminal' }).click();
    await page.getByText('A shell needs role member').waitFor();
    expectQuiet(page);
    await page.context().close();
  }, 60_000);

  it('says honestly that a session ended with its key, and with the server', async () => {
    const key = await console.product.json<{ id: string; secret: string }>([
      'keys',
      'create',
      '--name',
      'k',
      '--role',
      'admin',
    ]);
    const page = await console.open(`/jobs/${id}`, { key: key.secret });
    await openShell(page);
    await console.product.ok(['keys', 'revoke', key.id]);
    await page
      .getByText(/revoked, so the shell was ended|The connection was lost/)
      .or(page.getByRole('heading', { name: /Sign in/ }))
      .first()
      .waitFor();
    await page.context().close();

    const other = await console.open(`/jobs/${id}`);
    await openShell(other);
    await console.product.kill('SIGKILL');
    await other.getByText('The connection was lost, and the shell ended with it. The job goes on').waitFor();
    await console.product.up();
    await other.context().close();
  }, 120_000);
});
