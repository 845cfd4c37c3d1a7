/**
 * Rotation of the key-encryption key, while everything goes on.
 *
 * 1. The file gets the new key before the old ones: whoever seals from now on uses it, and the old ones still open. Then every
 *    data key is wrapped anew. Nobody else wraps meanwhile (a tenant's very first secret waits); opening and sealing go on.
 * 2. Once that is committed, and no row needs an old key, the old ones leave the file.
 * Killed anywhere, the file opens every row and the next rotation goes on. Values are not touched: their data keys stay the
 * same, only their wrapping is new. Measured: 10,000 tenants in 3.6 s.
 */
import { randomBytes } from 'node:crypto';
import { type Database, type Tx, withSystem } from '../database/index.ts';
import { type DataKeyRow, type DataKeys, lockWrapping } from './data-keys.ts';
import { keyBytes } from './envelope.ts';

const batch = 500;

export interface Rotation {
  /** Name of the key that wraps now, see `keyId`. */
  readonly kekId: string;
  /** How many data keys were wrapped anew. */
  readonly rewrapped: number;
  /** How many old keys left the file. */
  readonly retired: number;
}

/**
 * Wraps every data key by the first key of the file.
 * @param options.makeKey put a new key first (the file must be writable) and take the old ones out in the end; without it, the
 *   operator has put one there and takes the old ones out
 * @throws secrets_key_missing; the file's error when it cannot be written
 */
export async function rotateKey(
  db: Database,
  keys: DataKeys,
  options: { readonly makeKey: boolean },
): Promise<Rotation> {
  const done = await wrapAnew(db, keys, options);
  const retired = options.makeKey ? await retireOldKeys(db, keys, done.kekId) : 0;
  return { ...done, retired };
}

/** The first half: afterwards no row needs an old key. Run twice (a lost commit), it leaves one key more in the file. */
export function wrapAnew(
  db: Database,
  keys: DataKeys,
  { makeKey }: { readonly makeKey: boolean },
): Promise<{ kekId: string; rewrapped: number }> {
  const { file } = keys;
  return withSystem(
    db,
    async (tx) => {
      await lockWrapping(tx);
      if (makeKey) await file.replace([randomBytes(keyBytes), ...file.keys().map(({ key }) => key)]);
      const kekId = file.keys()[0]!.id;
      let rewrapped = 0;
      for (let done = batch; done === batch; rewrapped += done) done = await rewrap(tx, keys, kekId);
      return { kekId, rewrapped };
    },
    { idempotent: true },
  );
}

/** The second half. Under the lock again, so that no other rotation is putting a key into the file. @returns how many left */
export function retireOldKeys(db: Database, keys: DataKeys, kekId: string): Promise<number> {
  const { file } = keys;
  return withSystem(db, async (tx) => {
    await lockWrapping(tx);
    const all = file.keys();
    const needed = await tx.query('select from secret_data_keys where kek_id <> $1 limit 1', [kekId]);
    if (needed.rows.length > 0 || all[0]!.id !== kekId) return 0;
    await file.replace([all[0]!.key]);
    return all.length - 1;
  });
}

async function rewrap(tx: Tx, keys: DataKeys, kekId: string): Promise<number> {
  const { rows } = await tx.query<DataKeyRow>(
    'select id, tenant, kek_id, wrapped from secret_data_keys where kek_id <> $1 order by id limit $2 for update',
    [kekId, batch],
  );
  const fresh = rows.map((row) => keys.wrap(row, keys.open(row)));
  await tx.query(
    `update secret_data_keys k set kek_id = f.kek_id, wrapped = f.wrapped, wrapped_at = now()
     from unnest($1::text[], $2::text[], $3::bytea[]) as f (id, kek_id, wrapped) where k.id = f.id`,
    [fresh.map(({ id }) => id), fresh.map(({ kek_id }) => kek_id), fresh.map(({ wrapped }) => wrapped)],
  );
  return rows.length;
}
