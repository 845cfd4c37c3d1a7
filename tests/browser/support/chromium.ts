/**
 * A real Chromium for tests: found on this machine, one per test file, a fresh context per test.
 *
 * Without a Chromium the tests are skipped, and say so; tools/setup/install.sh --with-test-services brings one.
 */
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core';
import { afterAll } from 'vitest';
import { chromiumArguments, findChromium } from './find-chromium.ts';

/** Why browser tests cannot run here; false when they can. Use with `describe.skipIf`. */
export const noBrowser: string | false =
  findChromium() === undefined ? 'no Chromium on this machine (tools/setup/install.sh --with-test-services)' : false;

if (noBrowser !== false) process.stderr.write(`browser tests are skipped: ${noBrowser}\n`);

let browser: Promise<Browser> | undefined;

/** The browser of this test file; it is closed after the file's last test. */
export function openBrowser(): Promise<Browser> {
  browser ??= chromium.launch({ executablePath: findChromium()!, args: [...chromiumArguments] });
  return browser;
}

afterAll(async () => {
  await (await browser)?.close();
  browser = undefined;
});

/** A window with a session of its own: no cookies, no storage, no cache of others. */
export async function openWindow(options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const context = await (await openBrowser()).newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(15_000);
  return context;
}
