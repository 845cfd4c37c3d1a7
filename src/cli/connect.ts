/**
 * Finds server and key: `SOLYX_URL` and `SOLYX_API_KEY`, else what the server of this machine left in the data directory
 * (contracts §7).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { solyxHome } from '../common/config/home.ts';
import { type Client, createClient } from '../common/contract/client.ts';
import { SolyxError } from '../common/errors/index.ts';
import { readLocalServer } from './local-server.ts';

/**
 * Makes the client that commands use.
 * @throws server_unreachable when there is neither a URL nor a local server, unauthenticated without a key
 */
export function connect(): Client {
  const home = solyxHome();
  const url = process.env.SOLYX_URL || readLocalServer(home)?.url;
  if (!url) throw new SolyxError('server_unreachable', `There is no server.json in ${home}.`);
  return createClient({ url, apiKey: process.env.SOLYX_API_KEY || readAdminKey(home) });
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
