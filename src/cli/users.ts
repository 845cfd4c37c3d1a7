/** Users as people name them on the command line. */
import type { Client } from '../common/contract/client.ts';
import { SolyxError } from '../common/errors/index.ts';
import { collect } from './connect.ts';

/**
 * Id of a user by id, e-mail address or name of a service account.
 * @throws not_found
 */
export async function findUser(client: Client, text: string): Promise<string> {
  if (/^usr_[0-9a-z]{26}$/.test(text)) return text;
  const wanted = text.toLowerCase();
  const found = text.includes('@')
    ? (await collect((cursor) => client.listUsers({ query: { limit: 500, cursor } }), 100_000)).find(
        ({ email }) => email === wanted,
      )
    : (await collect((cursor) => client.listServiceAccounts({ query: { limit: 500, cursor } }), 100_000)).find(
        ({ name }) => name === text,
      );
  if (!found) throw new SolyxError('not_found', `No user or service account ${text}.`);
  return found.id;
}
