/**
 * The secret store: named values of a tenant, or of one of its projects, that jobs are given at their start.
 *
 * The database holds seals only; a value is in the memory of whoever sets or opens it and nowhere else of ours. A value that is
 * replaced is gone: its version number goes on, its bytes do not stay. Nothing here logs, and no error names a value.
 */
import { Counter, type Registry } from 'prom-client';
import type { Queryable, Transaction } from '../database/queryable.ts';
import { SolyxError } from '../errors/index.ts';
import { newId } from '../ids.ts';
import { DataKeys } from './data-keys.ts';
import { type Place, seal, unseal } from './envelope.ts';
import type { KeyFile } from './key-file.ts';

/** Largest value, bytes. */
export const mostSecretBytes = 65_536;
/** `last_used_at` is written at most so often, seconds. */
const usedPrecisionSeconds = 60;

/** Whose secret: of a tenant, or of one of its projects (its id). */
export interface SecretScope {
  readonly tenant: string;
  readonly project: string | null;
}

export interface SecretRow {
  readonly id: string;
  readonly tenant: string;
  readonly project: string | null;
  readonly name: string;
  readonly version: number;
  readonly created_at: Date;
  readonly created_by: string;
  readonly updated_at: Date;
  readonly updated_by: string;
  readonly last_used_at: Date | null;
  readonly last_used_by: string | null;
}

interface SealedRow extends SecretRow {
  readonly data_key: string;
  readonly sealed: Buffer;
  readonly key_tenant: string;
  readonly kek_id: string;
  readonly wrapped: Buffer;
}

const columns = `s.id, s.tenant, s.project, s.name, s.version, s.created_at, s.created_by, s.updated_at, s.updated_by,
  s.last_used_at, s.last_used_by`;

const placeOf = (row: Pick<SecretRow, 'tenant' | 'id' | 'project' | 'name'>, version: number): Place => [
  'solyx-secret-1',
  row.tenant,
  row.id,
  row.project ?? '',
  row.name,
  version,
];

export class SecretStore {
  readonly keys: DataKeys;
  readonly #opened: Counter<'result'>;

  constructor(file: KeyFile, registry: Registry) {
    this.keys = new DataKeys(file);
    this.#opened = new Counter({
      name: 'solyx_secrets_opened_total',
      help: 'Secrets asked for to be used, by result: opened, missing, or failed (the key does not open it).',
      labelNames: ['result'],
      registers: [registry],
    });
  }

  /**
   * Sets a value: makes the secret, or its next version.
   * @param by id of the key that asks
   * @throws secrets_key_missing; RangeError for a value above `mostSecretBytes`
   */
  async set(tx: Transaction, scope: SecretScope, name: string, value: Uint8Array, by: string): Promise<SecretRow> {
    if (value.length > mostSecretBytes) throw new RangeError('the value is too large');
    const dataKey = await this.keys.ensure(tx, scope.tenant);
    await tx.query(
      `insert into secret_values (id, tenant, project, name, version, data_key, sealed, created_by, updated_by)
       values ($1, $2, $3, $4, 0, $5, '', $6, $6) on conflict (tenant, project, name) do nothing`,
      [newId('secret'), scope.tenant, scope.project, name, dataKey.id, by],
    );
    const found = await tx.query<SecretRow>(`${selectOne} for update`, [scope.tenant, scope.project, name]);
    const row = found.rows[0]!;
    const version = row.version + 1;
    const { rows } = await tx.query<SecretRow>(
      `update secret_values s set version = $2, data_key = $3, sealed = $4, updated_at = now(), updated_by = $5
       where id = $1 returning ${columns}`,
      [row.id, version, dataKey.id, seal(dataKey.key, value, placeOf(row, version)), by],
    );
    return rows[0]!;
  }

  /** Deletes a secret. @returns the row that was, or undefined */
  async remove(tx: Transaction, scope: SecretScope, name: string): Promise<SecretRow | undefined> {
    const { rows } = await tx.query<SecretRow>(
      `delete from secret_values s where s.tenant = $1 and s.project is not distinct from $2 and s.name = $3
       returning ${columns}`,
      [scope.tenant, scope.project, name],
    );
    return rows[0];
  }

  /** Secrets by id, at most `limit` after `after`; never their values. @param project only this project's; undefined: all */
  async list(
    db: Queryable,
    tenant: string,
    page: { readonly project?: string | undefined; readonly after: string; readonly limit: number },
  ): Promise<SecretRow[]> {
    const { rows } = await db.query<SecretRow>(
      `select ${columns} from secret_values s
       where s.tenant = $1 and s.id > $2 and ($3::text is null or s.project = $3) order by s.id limit $4`,
      [tenant, page.after, page.project ?? null, page.limit],
    );
    return rows;
  }

  /** Which of these names a job of the project would not find. */
  async missing(db: Queryable, tenant: string, project: string, names: readonly string[]): Promise<string[]> {
    if (names.length === 0) return [];
    const { rows } = await db.query<{ name: string }>(
      `select w.name from unnest($3::text[]) as w (name) where not exists (
         select from secret_values s
         where s.tenant = $1 and s.name = w.name and (s.project is null or s.project = $2))`,
      [tenant, project, [...new Set(names)]],
    );
    return rows.map(({ name }) => name);
  }

  /**
   * Opens secrets for a use, and notes the use. A project's own goes before the tenant's of the same name.
   *
   * @param usedBy id of the job, or whatever else uses it
   * @returns values by name
   * @throws secret_missing naming those that do not exist; secrets_key_missing
   */
  async open(
    tx: Transaction,
    tenant: string,
    project: string | null,
    names: readonly string[],
    usedBy: string,
  ): Promise<Map<string, Buffer>> {
    if (names.length === 0) return new Map();
    const { rows } = await tx.query<SealedRow>(
      `select distinct on (s.name) ${columns}, s.data_key, s.sealed, k.tenant as key_tenant, k.kek_id, k.wrapped
       from secret_values s join secret_data_keys k on k.tenant = s.tenant and k.id = s.data_key
       where s.tenant = $1 and s.name = any($3::text[]) and (s.project is null or s.project = $2)
       order by s.name, s.project nulls last`,
      [tenant, project, [...names]],
    );
    const absent = names.filter((name) => !rows.some((row) => row.name === name));
    if (absent.length > 0) {
      this.#opened.inc({ result: 'missing' }, absent.length);
      throw new SolyxError('secret_missing', {
        detail: `There is no secret ${absent.join(', ')}.`,
        issues: absent.map((name) => ({ at: '/secrets', message: `there is no secret "${name}"` })),
      });
    }
    const values = new Map(rows.map((row) => [row.name, this.#unseal(row)]));
    await tx.query(
      `update secret_values set last_used_at = now(), last_used_by = $2 where id = any($1::text[])
       and (last_used_at is null or last_used_by <> $2 or last_used_at < now() - make_interval(secs => $3))`,
      [rows.map(({ id }) => id), usedBy.slice(0, 200), usedPrecisionSeconds],
    );
    return values;
  }

  #unseal(row: SealedRow): Buffer {
    try {
      const key = this.keys.open({
        id: row.data_key,
        tenant: row.key_tenant,
        kek_id: row.kek_id,
        wrapped: row.wrapped,
      });
      const value = unseal(key, row.sealed, placeOf(row, row.version));
      if (!value) throw new SolyxError('secrets_key_missing', `Secret ${row.id} does not open: its row was changed.`);
      this.#opened.inc({ result: 'opened' });
      return value;
    } catch (error) {
      this.#opened.inc({ result: 'failed' });
      throw error;
    }
  }
}

const selectOne = `select ${columns} from secret_values s
  where s.tenant = $1 and s.project is not distinct from $2 and s.name = $3`;
