/** What a first visit of a route transfers, by kind, as the browser counts it: compressed bodies with their headers. */
import type { BenchBrowser } from './browser.ts';

export interface Weight {
  readonly scriptBytes: number;
  readonly styleBytes: number;
  readonly fontBytes: number;
  /** Page, icon and answers of the API. */
  readonly otherBytes: number;
  /** Scripts and styles of more than two kilobytes that came without a compression. */
  readonly uncompressed: readonly string[];
  readonly requests: number;
}

export interface Visit {
  readonly path: string;
  /** Something that is on the page when it is whole. */
  readonly shows: string;
  readonly signedIn?: boolean;
}

/** How long a page must be quiet before it counts as loaded, ms: what it loads when it is idle counts too. */
const quietMs = 1_500;

/** Opens the route in a window without a cache. */
export async function weigh(browser: BenchBrowser, { path, shows, signedIn = true }: Visit): Promise<Weight> {
  const window = await browser.open(signedIn);
  try {
    const kinds = new Map<string, { type: string; url: string; plain: boolean }>();
    const weight = { scriptBytes: 0, styleBytes: 0, fontBytes: 0, otherBytes: 0, requests: 0 };
    const uncompressed: string[] = [];
    let lastAt = performance.now();
    const { cdp, page } = window;
    cdp.on('Network.responseReceived', ({ requestId, type, response }) => {
      const plain = !Object.keys(response.headers).some((name) => name.toLowerCase() === 'content-encoding');
      kinds.set(requestId, { type, url: response.url, plain });
    });
    cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      lastAt = performance.now();
      weight.requests += 1;
      const { type, url, plain } = kinds.get(requestId) ?? { type: 'Other', url: '', plain: false };
      if (plain && (type === 'Script' || type === 'Stylesheet') && encodedDataLength > 2048) uncompressed.push(url);
      if (type === 'Script') weight.scriptBytes += encodedDataLength;
      else if (type === 'Stylesheet') weight.styleBytes += encodedDataLength;
      else if (type === 'Font') weight.fontBytes += encodedDataLength;
      else weight.otherBytes += encodedDataLength;
    });
    await cdp.send('Network.enable');
    await page.goto(path);
    await page.locator(shows).first().waitFor();
    while (performance.now() - lastAt < quietMs) await page.waitForTimeout(100);
    return { ...weight, uncompressed };
  } finally {
    await window.close();
  }
}
