/**
 * The README's story, as a person lives it: she signs in by the link, submits by form, watches the loss fall, asks why here; the server
 * dies and comes back under her with the job still running; she opens a shell in it, cancels it, clones and edits it. And once more
 * by keyboard alone.
 */
import { createServer } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { noBrowser } from './support/chromium.ts';
import { type Console, expectQuiet, startConsole } from './support/console.ts';
import { screenshot } from './support/screenshots.ts';

/** The server must come back where it was. */
async function freePort(): Promise<string> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return String(port);
}

describe.skipIf(noBrowser)('the story', () => {
  let console: Console;
  let port = '';
  beforeAll(async () => {
    port = await freePort();
    console = await startConsole({ args: ['--port', port] });
  }, 120_000);
  afterAll(() => console?.close(), 90_000);

  const state = (page: Page, tone: string) =>
    page.locator(`header [data-tone="${tone}"]`).first().waitFor({ timeout: 45_000 });

  it('is lived from the form to the clone, over the death of the server', async () => {
    const page = await console.open('/submit');
    await page.getByRole('link', { name: /Training/ }).click();
    await page.getByText(/examples\/train: 4 files/).waitFor();
    const yaml = page.getByLabel('Job spec as YAML');
    // Long enough for all that happens to it.
    await yaml.fill((await yaml.inputValue()).replace(/args:.*/, 'args: ["--seed", "1", "--steps", "100000"]'));
    await page.getByText('It would start now').waitFor();
    await page.getByRole('button', { name: 'Submit', exact: true }).click();
    await page.waitForURL(/\/jobs\/job_/);
    await state(page, 'running');

    await page.getByRole('tab', { name: 'Charts' }).click();
    const loss = page.getByRole('figure', { name: 'loss', exact: true });
    await loss.getByRole('button', { name: 'Table' }).click();
    await until('the loss has points', async () => (await loss.locator('tbody tr').count()) > 5, 45_000);
    const values = (await loss.locator('tbody td').allTextContents()).map(Number);
    expect(values.at(-1)!).toBeLessThan(values[0]!);
    await loss.getByRole('button', { name: 'Curve' }).click();
    await screenshot(page, 'story-loss', { dark: true });

    await page.getByRole('tab', { name: 'Overview' }).click();
    await page.getByRole('heading', { name: 'Why here?' }).waitFor();
    await page.getByText('One node fitted and was taken').waitFor();
    await screenshot(page, 'story-why-here', { dark: true });

    await console.product.kill('SIGKILL');
    await page
      .getByText(/reconnecting|stale/)
      .first()
      .waitFor();
    await screenshot(page, 'story-server-away');
    await console.product.up(['--port', port]);
    await page.getByText('live', { exact: true }).first().waitFor({ timeout: 45_000 });
    await state(page, 'running');

    await page.getByRole('tab', { name: 'Terminal' }).click();
    await page.getByRole('button', { name: 'Open a shell' }).click();
    const shell = page.locator('.xterm-rows');
    await until('the shell has a prompt', async () => /[$#]/.test((await shell.textContent()) ?? ''), 30_000);
    await page.keyboard.type('echo here-$((6*7))');
    await page.keyboard.press('Enter');
    await until('the shell answers', async () => ((await shell.textContent()) ?? '').includes('here-42'), 30_000);
    await screenshot(page, 'story-shell', { dark: true });

    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.getByRole('button', { name: 'Cancel the job' }).click();
    await state(page, 'cancelled');
    await page.getByRole('link', { name: 'Clone and edit' }).click();
    await page.getByRole('heading', { name: 'Clone and edit' }).waitFor();
    await page.getByLabel('Name', { exact: true }).fill('second-try');
    await yaml.fill((await yaml.inputValue()).replace('100000', '50'));
    await page.getByText('It would start now').waitFor();
    await page.getByRole('button', { name: 'Submit', exact: true }).click();
    await page.getByRole('heading', { name: 'second-try' }).waitFor();
    await state(page, 'succeeded');
    expectQuiet(page);
    await page.context().close();
  }, 300_000);

  it('is lived by keyboard alone', async () => {
    const page = await console.open('/');
    const press = (...keys: string[]) =>
      keys.reduce((done, key) => done.then(() => page.keyboard.press(key)), Promise.resolve());
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await press('Control+k');
    await page.getByRole('dialog').locator('input:focus').waitFor();
    await page.keyboard.type('submit');
    await page.getByRole('dialog').getByRole('option').first().waitFor();
    await press('Enter');
    await page.waitForURL(/\/submit/);
    await page.getByText('It would start now').waitFor();
    const tabTo = async (name: RegExp, most = 120) => {
      for (let step = 0; step < most; step++) {
        await press('Tab');
        const label = await page.evaluate(() => {
          const element = document.activeElement as HTMLElement | null;
          const role = element?.getAttribute('role') ?? element?.tagName.toLowerCase();
          return `${role} ${element?.getAttribute('aria-label') ?? element?.textContent ?? ''}`.trim();
        });
        if (name.test(label)) return;
      }
      throw new Error(`no Tab reaches ${name}`);
    };
    await tabTo(/^button Submit$/);
    await press('Enter');
    await page.waitForURL(/\/jobs\/job_/);
    await page.locator('header [data-tone]').first().waitFor();
    await tabTo(/^tab Overview$/);
    await press('ArrowRight');
    await page.getByRole('log').waitFor();
    expectQuiet(page);
    await page.context().close();
  }, 120_000);
});
