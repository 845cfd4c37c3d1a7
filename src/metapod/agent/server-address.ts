/**
 * Where the control plane is: a fixed URL, or a file that says so and is read again before every try, so that the local
 * agent follows a server that came back on another port.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';

export type ServerAddress = { readonly serverUrl: string } | { readonly serverFile: string };

const serverFile = z.object({ url: z.url({ protocol: /^https?$/ }) });

/** The server's URL without a trailing slash, or undefined while the file does not say. */
export async function resolveServer(address: ServerAddress): Promise<string | undefined> {
  if ('serverUrl' in address) return address.serverUrl.replace(/\/+$/, '');
  try {
    return serverFile.parse(JSON.parse(await readFile(address.serverFile, 'utf8'))).url.replace(/\/+$/, '');
  } catch {
    return undefined;
  }
}
