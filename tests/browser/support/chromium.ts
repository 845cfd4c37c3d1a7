/**
 * A real Chromium for tests: found on this machine, one per test file, a fresh context per test.
 *
 * Without a Chromium the tests are skipped, and say so; tools/setup/install.sh --with-test-services brings one.
 */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core';
import { afterAll } from 'vitest';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Path of a Chromium; undefined when there is none. SOLYX_TEST_CHROMIUM names another. */
export function findChromium(): string | undefined {
  const given = process.env.SOLYX_TEST_CHROMIUM;
  if (given !== undefined && given !== '') return given;
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find((file) => existsSync(file));
}

/** Why browser tests cannot run here; false when they can. Use with `describe.skipIf`. */
export const noBrowser: string | false =
  findChromium() === undefined ? 'no Chromium on this machine (tools/setup/install.sh --with-test-services)' : false;

if (noBrowser !== false) process.stderr.write(`browser tests are skipped: ${noBrowser}\n`);

/** No sandbox: as root there is none. Nothing may be fetched but what the tests serve. */
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-quic',
  '--disable-dev-shm-usage',
];

let browser: Promise<Browser> | undefined;

/** The browser of this test file; it is closed after the file's last test. */
export function openBrowser(): Promise<Browser> {
  browser ??= chromium.launch({ executablePath: findChromium()!, args });
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
