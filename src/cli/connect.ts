/**
 * Finds server and key: `SOLYX_URL` and `SOLYX_API_KEY`, else what `solyx login` kept, else what the server of this machine
 * left in the data directory (contracts §7).
 *
 * The admin key of the data directory goes to the server of this machine and nowhere else: not to a URL elsewhere, and not to
 * whatever listens by now on the port of a server that has ended.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { solyxHome } from '../common/config/home.ts';
import { type Client, createClient } from '../common/contract/client.ts';
import { SolyxError } from '../common/errors/index.ts';
import { isAlive, type LocalServer, readLocalServer } from './local-server.ts';
import { readLogin } from './login-file.ts';
import { note } from './output.ts';
import { fetchByNode } from './transport.ts';

/** How long a server that is starting is waited for, seconds. */
const startPatienceSeconds = 120;

/**
 * Makes the client that commands use; waits for a server that is starting.
 * @throws server_unreachable when there is neither a URL nor a local server, unauthenticated without a key
 */
export async function connect(): Promise<Client> {
  return createClient({ ...(await findServer()), fetch: fetchByNode });
}

/** Where the server is and by which key it is asked, for what the client does not do: sockets, streams. @throws as `connect` */
export async function findServer(): Promise<{ url: string; apiKey: string }> {
  const home = solyxHome();
  const url = await serverUrl();
  const login = readLogin(home);
  const kept = login?.url === url ? login.apiKey : undefined;
  return { url, apiKey: process.env.SOLYX_API_KEY || kept || keyFor(url, home) };
}

/** URL of the server that commands talk to, without a slash at its end; waits for one that is starting. */
export async function serverUrl(): Promise<string> {
  const home = solyxHome();
  const url = process.env.SOLYX_URL || readLogin(home)?.url || (await localServer(home)).url;
  return url.replace(/\/+$/, '');
}

function keyFor(url: string, home: string): string {
  let host: string;
  try {
    host = new URL(url).hostname;
  } catch (error) {
    throw new SolyxError('config_invalid', { detail: `SOLYX_URL is no URL: ${url}`, cause: error });
  }
  if (!/^(localhost|127(\.\d+){3}|\[::1\])$/.test(host) && readLocalServer(home)?.url !== url) {
    throw new SolyxError('unauthenticated', `Use \`solyx login ${url}\`, or set SOLYX_API_KEY to a key of it.`);
  }
  return readAdminKey(home);
}

/** The key that the first start wrote. @throws unauthenticated when it cannot be read */
export function readAdminKey(home: string): string {
  const file = join(home, 'admin.key');
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new SolyxError('unauthenticated', { detail: `${file} cannot be read.`, cause: error });
  }
}

/** The server of a data directory. While a process holds the directory and has not said yet where it listens, it is starting. */
async function localServer(home: string): Promise<LocalServer> {
  const until = performance.now() + startPatienceSeconds * 1000;
  let hasSaid = false;
  for (;;) {
    const server = readLocalServer(home);
    if (server && isAlive(server)) return server;
    const { holderOfHome } = await import('../common/database/home-lock.ts');
    if (holderOfHome(home) === undefined) throw new SolyxError('server_unreachable', whyNot(home, server));
    if (performance.now() > until) {
      throw new SolyxError('server_unreachable', `The server of ${home} is not ready after ${startPatienceSeconds} s.`);
    }
    if (!hasSaid) note('waiting for the server to start …');
    hasSaid = true;
    await pause(100);
  }
}

function whyNot(home: string, server: LocalServer | undefined): string {
  if (server) return `The server of ${home} (process ${server.pid}) has ended.`;
  return `No server runs on ${home}.`;
}

/** Walks the pages of a list until `most` items were seen. */
export async function collect<Item>(
  page: (cursor: string | undefined) => Promise<{ items: Item[]; nextCursor: string | null }>,
  most: number,
): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | undefined;
  do {
    const answer = await page(cursor);
    items.push(...answer.items);
    cursor = answer.nextCursor ?? undefined;
  } while (cursor !== undefined && items.length < most);
  return items.slice(0, most);
}
