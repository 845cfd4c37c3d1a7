/** A real Chromium with windows that are signed in, and its own word on what it did (the DevTools protocol). */
import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from 'playwright-core';
import { chromiumArguments, findChromium } from '../../tests/browser/support/find-chromium.ts';
import { MissingData } from '../harness.ts';

const patienceMs = 60_000;

export interface Window {
  readonly page: Page;
  readonly cdp: CDPSession;
  close(): Promise<void>;
}

export class BenchBrowser {
  readonly #browser: Browser;
  readonly #url: string;
  readonly #key: string;

  private constructor(browser: Browser, url: string, key: string) {
    this.#browser = browser;
    this.#url = url;
    this.#key = key;
  }

  /**
   * @param key to sign in with
   * @throws MissingData where there is no Chromium
   */
  static async launch(url: string, key: string): Promise<BenchBrowser> {
    const executablePath = findChromium();
    if (executablePath === undefined) {
      throw new MissingData('a Chromium (tools/setup/install.sh --with-test-services brings one)');
    }
    const browser = await chromium.launch({ executablePath, args: [...chromiumArguments] });
    return new BenchBrowser(browser, url, key);
  }

  /** A new window of a desk's size: no cache, no storage. @param signedIn default true */
  async open(signedIn = true): Promise<Window> {
    const context = await this.#browser.newContext({ baseURL: this.#url, viewport: { width: 1440, height: 900 } });
    context.setDefaultTimeout(patienceMs);
    if (signedIn) await this.#signIn(context);
    const page = await context.newPage();
    const cdp = await context.newCDPSession(page);
    return { page, cdp, close: () => context.close() };
  }

  close(): Promise<void> {
    return this.#browser.close();
  }

  async #signIn(context: BrowserContext): Promise<void> {
    const answer = await context.request.post('/v1/sessions', {
      data: { key: this.#key },
      headers: { origin: this.#url },
    });
    if (answer.status() !== 201) throw new Error(`signing in was answered with ${answer.status()}`);
  }
}

/** Asks the page until an expression holds. From without: what a page may evaluate itself its policy decides. */
export async function untilTrue(page: Page, expression: string): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await page.evaluate<boolean>(expression))) {
    if (performance.now() > deadline) throw new Error(`not within ${patienceMs / 1000} s: ${expression}`);
    await page.waitForTimeout(100);
  }
}
