/**
 * A server of the operator's own, as SOLYX_DATABASE_URL names it: passwords, and a login that is no superuser.
 */
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { canConnect, withClient } from '../../../../src/common/database/connection.ts';
import {
  type EmbeddedDatabase,
  initDatabase,
  parseDatabaseUrl,
  startDatabase,
  startEmbeddedDatabase,
} from '../../../../src/common/database/index.ts';
import { silentLogger } from '../../../../src/common/logger.ts';

let home: string;
let server: EmbeddedDatabase;

const asSuperuser = (statement: string) => withClient(server.admin, (client) => client.query(statement));
const urlOf = (login: string, database = 'solyx') =>
  `postgres://${login}@localhost/${database}?host=${encodeURIComponent(server.admin.host!)}`;
const init = (url: string) => {
  const { admin, database } = parseDatabaseUrl(url);
  return initDatabase(admin, database);
};

beforeAll(async () => {
  home = await mkdtemp(join(await realpath(tmpdir()), 'solyx-external-'));
  server = await startEmbeddedDatabase({ home, logger: silentLogger, settings: { fsync: 'off' } });
  await asSuperuser(`create role dba login createrole createdb password 'secret'`);
  await asSuperuser(`create role guest login password 'guest'`);
  await writeFile(join(home, 'postgres', 'pg_hba.conf'), 'local all postgres trust\nlocal all all scram-sha-256\n');
  await asSuperuser('select pg_reload_conf()');
});
afterAll(async () => {
  await server.stop(5_000);
  await rm(home, { recursive: true, force: true });
});

test('a login that may create nothing is refused with the statements that are missing', async () => {
  await expect(init(urlOf('guest:guest'))).rejects.toMatchObject({
    code: 'database_roles_missing',
    detail: expect.stringContaining('create role solyx_owner'),
  });
});

test('a wrong password is an error that does not repeat it', async () => {
  const error = await init(urlOf('dba:wr0ng')).catch((error: Error) => error);
  expect(error).toMatchObject({ code: 'database_unavailable' });
  expect(String((error as Error).message)).not.toContain('wr0ng');
});

test('several processes set up at once with a login that is no superuser', async () => {
  const all = await Promise.all([1, 2, 3].map(() => init(urlOf('dba:secret'))));
  expect(all[1]).toEqual(all[0]);
  for (const login of [all[0]!.owner, all[0]!.app, all[0]!.system]) {
    expect(await canConnect(login)).toBe(true);
    expect(await canConnect({ ...login, password: 'secret' })).toBe(false);
  }
});

test('a changed password of the URL changes the derived ones', async () => {
  const before = await init(urlOf('dba:secret'));
  await asSuperuser(`alter role dba password 'changed'`);
  const after = await init(urlOf('dba:changed'));
  expect(await canConnect(before.app)).toBe(false);
  expect(await canConnect(after.app)).toBe(true);
  await asSuperuser(`alter role dba password 'secret'`);
  await init(urlOf('dba:secret'));
});

test('a login that could bypass row-level security is refused', async () => {
  await asSuperuser('alter role solyx_app bypassrls');
  await expect(init(urlOf('dba:secret'))).rejects.toMatchObject({
    code: 'database_roles_missing',
    detail: 'alter role solyx_app nosuperuser nobypassrls;',
  });
  await asSuperuser('alter role solyx_app nobypassrls');
});

test('the product runs on it, twice at once, and leaves it running', async () => {
  const url = urlOf('dba:secret', 'another');
  const replicas = await Promise.all([1, 2].map(() => startDatabase({ home, url, logger: silentLogger })));
  const { rows } = await replicas[0]!.db.app.query('select current_database() as name, current_user::text as login');
  expect(rows).toEqual([{ name: 'another', login: 'solyx_app' }]);
  await Promise.all(replicas.map((replica) => replica.stop()));
  expect(await canConnect(server.admin)).toBe(true);
});
