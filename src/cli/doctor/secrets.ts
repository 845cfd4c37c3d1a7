/** Check of the secret store: whether the key file opens what the database holds sealed. */
import { join } from 'node:path';
import type pg from 'pg';
import type { Config } from '../../common/config/index.ts';
import { KeyFile } from '../../common/secrets/index.ts';
import { type Finding, failed, ok } from './check.ts';

/** A server starts without its key file, or with a strange one; only what needs a secret fails then, perhaps days later. */
export async function lookIntoSecrets(client: pg.Client, home: string, config: Config): Promise<Finding> {
  const { rows } = await client.query<{ keyId: string }>(
    `select distinct kek_id as "keyId" from secret_data_keys order by 1`,
  );
  if (rows.length === 0) return ok('secrets.key', 'Nothing is sealed yet.');
  const file = config.secrets.keyFile ?? join(home, 'secrets.key');
  const cure = `Put the copy of ${file} back that was made when it was last rotated; no server has to be restarted.`;
  let known: readonly { readonly id: string }[];
  try {
    known = new KeyFile(file).keys();
  } catch (error) {
    return failed('secrets.key', (error as Error).message, cure);
  }
  const strange = rows.filter(({ keyId }) => known.every(({ id }) => id !== keyId));
  if (strange.length === 0) return ok('secrets.key', 'It opens everything that is sealed.');
  const names = strange.map(({ keyId }) => keyId).join(', ');
  return failed('secrets.key', `${file} is not the file of this database: key ${names} is not in it.`, cure);
}
