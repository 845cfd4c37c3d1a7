/**
 * Data keys: one per tenant, which seals that tenant's values and lies in the database sealed by a key-encryption key.
 *
 * Whoever wraps a key takes a shared lock and only then reads the key file, and a rotation wraps the last ones anew under the
 * exclusive lock: so after a rotation no row can need the old key, even if another server was about to write one.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Queryable, Transaction } from '../database/queryable.ts';
import { SolyxError } from '../errors/index.ts';
import { newId } from '../ids.ts';
import { keyBytes, type Place, seal, unseal } from './envelope.ts';
import type { KeyFile } from './key-file.ts';

/** Advisory lock: shared by whoever wraps a data key, exclusive for the end of a rotation. */
const wrapLock = 7_302_215_020;
const mostRemembered = 10_000;

export interface DataKeyRow {
  readonly id: string;
  readonly tenant: string;
  readonly kek_id: string;
  readonly wrapped: Buffer;
}

const placeOf = ({ tenant, id }: { readonly tenant: string; readonly id: string }): Place => [
  'solyx-data-key-1',
  tenant,
  id,
];

export class DataKeys {
  readonly file: KeyFile;
  /** By a hash of the wrapped form: only who read the row finds the key, and a row that was wrapped anew is a new one. */
  readonly #opened = new Map<string, Buffer>();

  constructor(file: KeyFile) {
    this.file = file;
  }

  /** The tenant's data key, made now if it has none. @throws secrets_key_missing */
  async ensure(tx: Transaction, tenant: string): Promise<{ id: string; key: Buffer }> {
    const found = await this.#find(tx, tenant);
    if (found) return { id: found.id, key: this.open(found) };
    await tx.query('select pg_advisory_xact_lock_shared($1)', [wrapLock]);
    const row = this.wrap({ id: newId('dataKey'), tenant }, randomBytes(keyBytes));
    await tx.query(
      'insert into secret_data_keys (id, tenant, kek_id, wrapped) values ($1, $2, $3, $4) on conflict (tenant) do nothing',
      [row.id, row.tenant, row.kek_id, row.wrapped],
    );
    const made = (await this.#find(tx, tenant))!;
    return { id: made.id, key: this.open(made) };
  }

  /** Seals a data key by the first key-encryption key. @throws secrets_key_missing */
  wrap({ id, tenant }: { readonly id: string; readonly tenant: string }, key: Buffer): DataKeyRow {
    const kek = this.file.keys()[0]!;
    return { id, tenant, kek_id: kek.id, wrapped: seal(kek.key, key, placeOf({ id, tenant })) };
  }

  /** @throws secrets_key_missing when the file has not the key that wrapped it, or the row was tampered with */
  open(row: DataKeyRow): Buffer {
    const name = createHash('sha256')
      .update(row.wrapped)
      .update(JSON.stringify(placeOf(row)))
      .digest('base64');
    const known = this.#opened.get(name);
    if (known) return known;
    const kek = this.file.keys().find(({ id }) => id === row.kek_id);
    const key = kek && unseal(kek.key, row.wrapped, placeOf(row));
    if (!key) {
      const why = kek ? `data key ${row.id} does not open` : `it does not hold the key ${row.kek_id}`;
      throw new SolyxError('secrets_key_missing', `${this.file.path}: ${why}.`);
    }
    this.#opened.set(name, key);
    if (this.#opened.size > mostRemembered) this.#opened.delete(this.#opened.keys().next().value!);
    return key;
  }

  async #find(db: Queryable, tenant: string): Promise<DataKeyRow | undefined> {
    const { rows } = await db.query<DataKeyRow>(
      'select id, tenant, kek_id, wrapped from secret_data_keys where tenant = $1',
      [tenant],
    );
    return rows[0];
  }
}

/** Waits until nobody is wrapping a data key and keeps everybody from it until the end of the transaction. */
export async function lockWrapping(tx: Transaction): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1)', [wrapLock]);
}
