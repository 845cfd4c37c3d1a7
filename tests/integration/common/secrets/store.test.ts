import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withClient } from '../../../../src/common/database/connection.ts';
import { withSystem, withTenant } from '../../../../src/common/database/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { silentLogger } from '../../../../src/common/logger.ts';
import { KeyFile, openSecretStore, rotateKey, type SecretStore } from '../../../../src/common/secrets/index.ts';
import { retireOldKeys, wrapAnew } from '../../../../src/common/secrets/rotation.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { until } from '../../../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'solyx-secrets-'));
const keyFile = join(folder, 'secrets.key');
const plaintext = 'the value that nobody may see';
let database: TestDatabase;
let store: SecretStore;

const options = () => ({ db: database.db, keyFile, logger: silentLogger, registry: new Registry() });
/** Another server on the same database and file. */
const another = () => openSecretStore(options());

async function makeTenant(): Promise<{ tenant: string; project: string }> {
  const tenant = newId('tenant');
  const project = newId('project');
  await withSystem(database.db, async (tx) => {
    await tx.query('insert into cmo_tenants (id, name) values ($1, $1)', [tenant]);
    await tx.query('insert into cmo_projects (id, tenant, name) values ($1, $2, $1)', [project, tenant]);
  });
  return { tenant, project };
}

const set = (tenant: string, project: string | null, name: string, value: string, by = store) =>
  withTenant(database.db, tenant, (tx) => by.set(tx, { tenant, project }, name, Buffer.from(value), 'key_1'));
const open = (tenant: string, project: string | null, name: string, by = store) =>
  withTenant(database.db, tenant, async (tx) =>
    String((await by.open(tx, tenant, project, [name], 'job_1')).get(name)),
  );
/** As whoever owns the database, past every policy. */
const asOwner = (sql: string, values: unknown[] = []) =>
  withClient(database.admin, (client) => client.query(sql, values));

beforeAll(async () => {
  database = await createTestDatabase();
  store = await another();
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

describe('the secret store', () => {
  it('makes its key at the first start, for its user alone, and keeps it', async () => {
    const text = readFileSync(keyFile, 'utf8');
    expect(text).toMatch(/^solyx-kek-1 [0-9a-f]{64}\n$/);
    expect(new KeyFile(keyFile).keys()).toHaveLength(1);
    await another();
    expect(readFileSync(keyFile, 'utf8')).toBe(text);
  });

  it('gives back what was set, by version, and keeps nothing of it readable', async () => {
    const { tenant } = await makeTenant();
    expect((await set(tenant, null, 'token', plaintext)).version).toBe(1);
    expect((await set(tenant, null, 'token', `${plaintext} 2`)).version).toBe(2);
    expect(await open(tenant, null, 'token')).toBe(`${plaintext} 2`);
    const { rows } = await asOwner(`select string_agg(sealed::text, '') as all from secret_values`);
    expect(Buffer.from(String(rows[0].all).replaceAll('\\x', ''), 'hex').includes(plaintext)).toBe(false);
  });

  it('takes the project’s secret before the tenant’s, and gives another project only the tenant’s', async () => {
    const { tenant, project } = await makeTenant();
    await set(tenant, null, 'token', 'of the tenant');
    await set(tenant, project, 'token', 'of the project');
    expect(await open(tenant, project, 'token')).toBe('of the project');
    expect(await open(tenant, newId('project'), 'token')).toBe('of the tenant');
    expect(await store.missing(database.db.system, tenant, project, ['token', 'none', 'none'])).toEqual(['none']);
  });

  it('says which do not exist, and notes who used one last', async () => {
    const { tenant } = await makeTenant();
    await set(tenant, null, 'there', 'x');
    await expect(
      withTenant(database.db, tenant, (tx) => store.open(tx, tenant, null, ['there', 'gone', 'lost'], 'job_9')),
    ).rejects.toMatchObject({ code: 'secret_missing', detail: expect.stringContaining('gone, lost') });
    await open(tenant, null, 'there');
    const [row] = await store.list(database.db.system, tenant, { after: '', limit: 10 });
    expect(row).toMatchObject({ name: 'there', last_used_by: 'job_1' });
  });

  it('keeps tenants apart, whatever is asked', async () => {
    const [a, b] = [await makeTenant(), await makeTenant()];
    await set(a.tenant, null, 'token', plaintext);
    const stolen = withTenant(database.db, b.tenant, (tx) => store.open(tx, a.tenant, null, ['token'], 'job_1'));
    await expect(stolen).rejects.toMatchObject({ code: 'secret_missing' });
  });

  it('makes one data key and one secret when many set it at once', async () => {
    const { tenant } = await makeTenant();
    const rows = await Promise.all(Array.from({ length: 12 }, (_, n) => set(tenant, null, 'token', `v${n}`)));
    expect(rows.map(({ version }) => version).sort((x, y) => x - y)).toEqual(
      Array.from({ length: 12 }, (_, n) => n + 1),
    );
    const winner = rows.findIndex(({ version }) => version === 12);
    expect(await open(tenant, null, 'token')).toBe(`v${winner}`);
    expect((await asOwner('select from secret_data_keys where tenant = $1', [tenant])).rowCount).toBe(1);
  });

  it('does not open a value that was moved to another name, scope, version or tenant', async () => {
    const { tenant, project } = await makeTenant();
    const other = await makeTenant();
    await set(other.tenant, null, 'token', 'theirs');
    for (const [change, at] of [
      [`name = 'other'`, 'other'],
      ['project = $2', 'token'],
      ['version = 7', 'token'],
    ] as const) {
      await set(tenant, null, 'token', plaintext);
      await asOwner(
        `update secret_values set ${change} where tenant = $1 and name = 'token' and $2::text is not null`,
        [tenant, project],
      );
      await expect(open(tenant, project, at), change).rejects.toMatchObject({ code: 'secrets_key_missing' });
      await asOwner('delete from secret_values where tenant = $1', [tenant]);
    }
    await set(tenant, null, 'token', plaintext);
    await asOwner(
      `update secret_values v set sealed = s.sealed from secret_values s where s.tenant = $1 and v.tenant = $2`,
      [other.tenant, tenant],
    );
    await expect(open(tenant, null, 'token')).rejects.toMatchObject({ code: 'secrets_key_missing' });
  });

  it('says that its key is missing, unreadable, open to others or another one, and works again when it is back', async () => {
    const { tenant } = await makeTenant();
    await set(tenant, null, 'token', plaintext);
    const text = readFileSync(keyFile, 'utf8');
    const refused = { code: 'secrets_key_missing', detail: expect.stringContaining(keyFile) };
    try {
      rmSync(keyFile);
      const server = await another();
      await expect(open(tenant, null, 'token', server)).rejects.toMatchObject(refused);
      writeFileSync(keyFile, `solyx-kek-1 ${'0'.repeat(64)}\n`, { mode: 0o600 });
      await expect(open(tenant, null, 'token', server)).rejects.toMatchObject(refused);
      writeFileSync(keyFile, 'nonsense\n');
      await expect(open(tenant, null, 'token', server)).rejects.toMatchObject(refused);
      writeFileSync(keyFile, text);
      chmodSync(keyFile, 0o604);
      await expect(open(tenant, null, 'token', server)).rejects.toMatchObject(refused);
      chmodSync(keyFile, 0o600);
      expect(await open(tenant, null, 'token', server)).toBe(plaintext);
    } finally {
      writeFileSync(keyFile, text);
      chmodSync(keyFile, 0o600);
    }
  });
});

describe('a rotation of the key', () => {
  it('leaves one new key that wraps everything, while another server goes on by the same file', async () => {
    const tenants = await Promise.all(Array.from({ length: 3 }, makeTenant));
    for (const { tenant } of tenants) await set(tenant, null, 'token', plaintext);
    const server = await another();
    const before = readFileSync(keyFile, 'utf8');
    const done = await rotateKey(database.db, store.keys, { makeKey: true });
    const after = readFileSync(keyFile, 'utf8');
    expect(after).not.toBe(before);
    expect(after.trim().split('\n')).toHaveLength(1);
    expect(done.retired).toBe(1);
    expect(done.rewrapped).toBeGreaterThanOrEqual(3);
    expect((await asOwner('select from secret_data_keys where kek_id <> $1', [done.kekId])).rowCount).toBe(0);
    for (const { tenant } of tenants) expect(await open(tenant, null, 'token', server)).toBe(plaintext);
    const late = await makeTenant();
    await set(late.tenant, null, 'token', 'new', server);
    expect(await open(late.tenant, null, 'token')).toBe('new');
  });

  it('that was killed in the middle opens everything, and the next one finishes it', async () => {
    const { tenant } = await makeTenant();
    await set(tenant, null, 'token', plaintext);
    // Killed before the old key leaves: both keys are in the file.
    await wrapAnew(database.db, store.keys, { makeKey: true });
    expect(new KeyFile(keyFile).keys()).toHaveLength(2);
    expect(await open(tenant, null, 'token', await another())).toBe(plaintext);
    // Killed after the new key came and before anything was wrapped by it.
    const keys = new KeyFile(keyFile).keys();
    await new KeyFile(keyFile).replace([Buffer.alloc(32, 7), ...keys.map(({ key }) => key)]);
    expect(await open(tenant, null, 'token', await another())).toBe(plaintext);
    const done = await rotateKey(database.db, store.keys, { makeKey: true });
    expect(done.retired).toBe(3);
    expect(new KeyFile(keyFile).keys()).toHaveLength(1);
    expect(await open(tenant, null, 'token', await another())).toBe(plaintext);
  });

  it('of several at once, and with tenants that come meanwhile, loses nothing', async () => {
    const server = await another();
    const tenants = await Promise.all(Array.from({ length: 8 }, makeTenant));
    await Promise.all([
      rotateKey(database.db, store.keys, { makeKey: true }),
      ...tenants.map(({ tenant }, n) => set(tenant, null, 'token', `v${n}`, n % 2 ? server : store)),
      rotateKey(database.db, server.keys, { makeKey: true }),
    ]);
    const fresh = await another();
    for (const [n, { tenant }] of tenants.entries()) expect(await open(tenant, null, 'token', fresh)).toBe(`v${n}`);
  });

  it('waits for a tenant whose first secret is being set, and wraps its key, too', async () => {
    const { tenant } = await makeTenant();
    let finish = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const setting = withTenant(database.db, tenant, async (tx) => {
      await store.set(tx, { tenant, project: null }, 'token', Buffer.from(plaintext), 'key_1');
      await finished;
    });
    await until('the key is made', async () => {
      const { rows } = await asOwner(`select from pg_locks l join pg_database d on d.oid = l.database
         where d.datname = current_database() and locktype = 'advisory' and mode = 'ShareLock'`);
      return rows.length > 0;
    });
    const rotation = rotateKey(database.db, store.keys, { makeKey: true });
    await until('the rotation waits', async () => {
      const { rows } = await asOwner(`select from pg_locks l join pg_database d on d.oid = l.database
         where d.datname = current_database() and locktype = 'advisory' and not granted`);
      return rows.length > 0;
    });
    finish();
    await setting;
    const { kekId } = await rotation;
    const { rows } = await asOwner('select kek_id from secret_data_keys where tenant = $1', [tenant]);
    expect(rows).toEqual([{ kek_id: kekId }]);
    expect(await open(tenant, null, 'token', await another())).toBe(plaintext);
  });

  it('keeps old keys as long as a row needs one, or when another rotation has come first', async () => {
    const { tenant } = await makeTenant();
    const { kekId } = await wrapAnew(database.db, store.keys, { makeKey: true });
    expect(await retireOldKeys(database.db, store.keys, 'f'.repeat(16))).toBe(0);
    const old = { ...store.keys.wrap({ id: newId('dataKey'), tenant }, Buffer.alloc(32)), kek_id: 'e'.repeat(16) };
    await asOwner('insert into secret_data_keys (id, tenant, kek_id, wrapped) values ($1, $2, $3, $4)', [
      old.id,
      tenant,
      old.kek_id,
      old.wrapped,
    ]);
    expect(await retireOldKeys(database.db, store.keys, kekId)).toBe(0);
    expect(new KeyFile(keyFile).keys()).toHaveLength(2);
    await asOwner('delete from secret_data_keys where tenant = $1', [tenant]);
    expect(await retireOldKeys(database.db, store.keys, kekId)).toBe(1);
  });

  it('to a key that the operator put first leaves taking out the old one to the operator', async () => {
    const { tenant } = await makeTenant();
    await set(tenant, null, 'token', plaintext);
    const old = new KeyFile(keyFile).keys();
    await new KeyFile(keyFile).replace([Buffer.alloc(32, 9), ...old.map(({ key }) => key)]);
    const done = await rotateKey(database.db, store.keys, { makeKey: false });
    expect(done.retired).toBe(0);
    await new KeyFile(keyFile).replace([Buffer.alloc(32, 9)]);
    expect(await open(tenant, null, 'token', await another())).toBe(plaintext);
  });
});
