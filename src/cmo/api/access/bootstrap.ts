/**
 * The first start: the operator's tenant, its project, and the admin key in `<home>/admin.key`.
 *
 * Every start goes through here and does what is missing, so a crash in between is mended by the next start. The key is
 * written to the disk before its row is committed: a key without a row opens nothing and is replaced, while a row
 * without its key could never be used. A lost file means a new key, and the old one is revoked.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { type Database, type Tx, withSystem } from '../../../common/database/index.ts';
import { appendEvents } from '../../../common/events/index.ts';
import { newId } from '../../../common/ids.ts';
import { makeKey, parseKey } from '../../../common/keys.ts';
import { replaceFile } from '../../../common/replace-file.ts';
import { recordAudit } from '../audit/index.ts';

/** Name of the admin key that belongs to the data directory. */
const adminKeyFileName = 'admin.key';
/** Servers that start at once meet here. */
const bootstrapLock = 7_302_215_010;

export interface Bootstrapped {
  readonly tenantId: string;
  readonly projectId: string;
  /** Path of the key's file; its content is never logged. */
  readonly adminKeyFile: string;
  /** Whether a key was made now. */
  readonly keyMade: boolean;
}

/** Makes what a server needs in order to be used by the person on this machine. Repeatable. */
export async function bootstrap(db: Database, options: { readonly home: string }): Promise<Bootstrapped> {
  const adminKeyFile = join(options.home, adminKeyFileName);
  return withSystem(
    db,
    async (tx) => {
      await tx.query('select pg_advisory_xact_lock($1)', [bootstrapLock]);
      const tenantId = await ensureOperator(tx);
      const projectId = await ensureProject(tx, tenantId);
      if (await keyWorks(tx, tenantId, adminKeyFile)) return { tenantId, projectId, adminKeyFile, keyMade: false };
      await makeAdminKey(tx, tenantId, projectId, adminKeyFile);
      return { tenantId, projectId, adminKeyFile, keyMade: true };
    },
    { idempotent: true },
  );
}

async function ensureOperator(tx: Tx): Promise<string> {
  const { rows } = await tx.query<{ id: string }>('select id from cmo_tenants where operator order by id limit 1');
  if (rows[0]) return rows[0].id;
  const id = newId('tenant');
  await tx.query(`insert into cmo_tenants (id, name, operator) values ($1, 'default', true)`, [id]);
  await appendEvents(tx, [
    { tenant: id, kind: 'tenant.created', subject: id, revision: 1n, data: { name: 'default', why: 'first start' } },
  ]);
  return id;
}

/** The project of the admin key: the one called default, or, since projects may be renamed, the oldest. */
async function ensureProject(tx: Tx, tenant: string): Promise<string> {
  const known = await tx.query<{ id: string }>(
    `select id from cmo_projects where tenant = $1 order by name <> 'default', id limit 1`,
    [tenant],
  );
  if (known.rows[0]) return known.rows[0].id;
  const { rows } = await tx.query<{ id: string }>(
    `insert into cmo_projects (id, tenant, name) values ($1, $2, 'default') returning id`,
    [newId('project'), tenant],
  );
  return rows[0]!.id;
}

async function keyWorks(tx: Tx, tenant: string, file: string): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const key = parseKey(text.trim());
  if (!key) return false;
  const { rows } = await tx.query(
    `select 1 from cmo_api_keys where hash = $1 and tenant = $2 and kind = 'api' and role = 'admin' and revoked_at is null`,
    [key.hash, tenant],
  );
  return rows.length > 0;
}

/** Servers of several machines share a database, each with a data directory and a key of its own that it may replace. */
function nameOfKeyIn(file: string): string {
  const place = createHash('sha256')
    .update(`${hostname()}:${resolve(file)}`)
    .digest('hex');
  return `admin-key-${place.slice(0, 12)}`;
}

async function makeAdminKey(tx: Tx, tenant: string, project: string, file: string): Promise<void> {
  const key = makeKey('api');
  const id = newId('key');
  const name = nameOfKeyIn(file);
  const revoked = await tx.query<{ id: string }>(
    `update cmo_api_keys set revoked_at = now() where tenant = $1 and name = $2 and kind = 'api' and revoked_at is null returning id`,
    [tenant, name],
  );
  await tx.query(
    `insert into cmo_api_keys (id, tenant, project, name, kind, role, hash) values ($1, $2, $3, $4, 'api', 'admin', $5)`,
    [id, tenant, project, name, key.hash],
  );
  await appendEvents(tx, [
    ...revoked.rows.map((row) => ({
      tenant,
      kind: 'key.revoked',
      subject: row.id,
      revision: 2n,
      data: { why: 'its file was lost' },
    })),
    {
      tenant,
      kind: 'key.created',
      subject: id,
      revision: 1n,
      data: { name, kind: 'api', role: 'admin', why: 'data directory without a working key' },
    },
  ]);
  const data = { name, role: 'admin', revoked: revoked.rows.map((row) => row.id) };
  await recordAudit(tx, { system: 'first start', tenant, action: 'key.created', subject: id, data });
  await replaceFile(file, `${key.text}\n`, 0o600);
}
