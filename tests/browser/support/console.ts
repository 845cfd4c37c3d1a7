/**
 * The dashboard as a person has it: a real product on a data directory of its own, and windows that are signed in.
 *
 * What a page says to the browser's console as an error, what its policy refused and what it threw is kept, and
 * `expectQuiet` fails on it: a page that works but complains is not finished.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContext, BrowserContextOptions, Page, Route, WebSocketRoute } from 'playwright-core';
import { expect } from 'vitest';
import { Product, type ProductOptions } from '../../support/product.ts';
import { openWindow } from './chromium.ts';

export interface Console {
  readonly product: Product;
  readonly url: string;
  /** Key of the admin of the operator's tenant. */
  readonly adminKey: string;
  /** Opens a page in a new window that is signed in by a key; default: the admin's. null: signed out. */
  open(path: string, options?: BrowserContextOptions & { readonly key?: string | null }): Promise<Page>;
  /** Signs a page's window in; for pages that set something up before they are opened. */
  signIn(page: Page, key?: string): Promise<void>;
  close(): Promise<void>;
}

/** @param args of `solyx up`, such as `--no-node` */
export async function startConsole(
  options: ProductOptions & { readonly args?: readonly string[] } = {},
): Promise<Console> {
  const product = new Product(options);
  const url = await product.up(options.args);
  const adminKey = readFileSync(join(product.home, 'admin.key'), 'utf8').trim();
  return {
    product,
    url,
    adminKey,
    async open(path, { key = adminKey, ...rest } = {}) {
      const context = await openWindow({ baseURL: url, reducedMotion: 'reduce', ...rest });
      if (key !== null) await signIn(context, url, key);
      const page = await context.newPage();
      listen(page);
      await page.goto(path);
      return page;
    },
    signIn: (page, key = adminKey) => signIn(page.context(), url, key),
    close: () => product.dispose(),
  };
}

async function signIn(context: BrowserContext, url: string, key: string): Promise<void> {
  const answer = await context.request.post('/v1/sessions', { data: { key }, headers: { origin: url } });
  expect(answer.status()).toBe(201);
}

/**
 * A network that can be cut and mended, sockets included; call it before the page is opened. (What the browser itself calls
 * "offline" leaves open sockets as they are.)
 */
export async function cutNetwork(page: Page): Promise<{ cut(): void; mend(): void }> {
  let isUp = true;
  const sockets = new Set<WebSocketRoute>();
  await page.route('**/v1/**', (route) => (isUp ? route.continue() : route.abort('connectionrefused')));
  await page.routeWebSocket('**/v1/live', (socket) => {
    if (!isUp) return void socket.close();
    sockets.add(socket);
    socket.connectToServer();
  });
  return {
    cut() {
      isUp = false;
      for (const socket of sockets) void socket.close();
      sockets.clear();
    },
    mend() {
      isUp = true;
    },
  };
}

const complaints = new WeakMap<Page, string[]>();

function listen(page: Page): void {
  const said: string[] = [];
  complaints.set(page, said);
  page.on('console', (message) => {
    // A failed request is told by the page itself; the browser's own line about it is no news.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) said.push(message.text());
  });
  page.on('pageerror', (error) => said.push(error.stack ?? error.message));
}

/** Fails when a page complained, threw, or tried what its policy forbids. */
export function expectQuiet(page: Page): void {
  expect(complaints.get(page)).toEqual([]);
}

/** Answers a request with a problem, as the server would. */
export function refuse(route: Route, status: number, code: string, detail: string): Promise<void> {
  return route.fulfill({
    status,
    contentType: 'application/problem+json',
    body: JSON.stringify({
      type: `urn:solyx:error:${code}`,
      title: 'The request was refused by the test.',
      status,
      code,
      detail,
      remedy: 'Try again later.',
      instance: 'req_00000000000000000000000000',
    }),
  });
}
