/**
 * Opens the secret store at the start of a server: finds its key file, or makes it on the very first start.
 *
 * A file is made only while the database holds nothing that an earlier one sealed: a key that was lost is an operator's to bring
 * back, and a new one beside it would hide the loss. The server starts without it all the same; what needs a secret says why it
 * cannot be had, and works as soon as the file is there.
 */
import type { Registry } from 'prom-client';
import { type Database, withSystem } from '../database/index.ts';
import type { Logger } from '../logger.ts';
import { KeyFile } from './key-file.ts';
import { SecretStore } from './secret-store.ts';

export interface StoreOptions {
  readonly db: Database;
  /** Path of the key file. */
  readonly keyFile: string;
  readonly logger: Logger;
  readonly registry: Registry;
}

export async function openSecretStore({ db, keyFile, logger, registry }: StoreOptions): Promise<SecretStore> {
  const file = new KeyFile(keyFile);
  if (!file.exists()) {
    const sealed = await withSystem(
      db,
      async (tx) => (await tx.query('select from secret_data_keys limit 1')).rows.length > 0,
      { readOnly: true },
    );
    if (sealed) {
      logger.error(
        { code: 'secrets_key_missing', file: keyFile },
        'the key of the secret store is missing: secrets cannot be used until its file is back',
      );
    } else if (await file.create())
      logger.info({ file: keyFile }, 'made the key of the secret store; keep a copy of it');
  }
  return new SecretStore(file, registry);
}
