/**
 * A migrated database per test file, copied from the run's template in a tenth of a second.
 */
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import type pg from 'pg';
import { inject } from 'vitest';
import { withClient } from '../../src/common/database/connection.ts';
import { type Database, type DatabaseLogins, deriveLogins, openDatabase } from '../../src/common/database/index.ts';
import { silentLogger } from '../../src/common/logger.ts';
import type { TestServer } from './global-setup.ts';

export interface TestDatabase {
  readonly db: Database;
  readonly name: string;
  readonly logins: DatabaseLogins;
  /** The setting-up login (superuser on the embedded server) on this database, for looking past every policy. */
  readonly admin: pg.ClientConfig;
  /** The same as postgres:// URL, for processes under test (SOLYX_DATABASE_URL). */
  readonly url: string;
  /** Opens further pools on it, as another process would; closed by the caller. */
  open(): Promise<Database>;
  /** Closes the pools and deletes the database, whoever is still connected. */
  drop(): Promise<void>;
}

/** Where the run's server is; starts it if this is the first who asks. */
export async function testServer(): Promise<TestServer> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: inject('databaseBroker'), path: '/' }, (response) => {
      text(response).then((body) => {
        if (response.statusCode === 200) resolve(JSON.parse(body));
        else reject(new Error(`the test database did not start: ${body}`));
      }, reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** Makes a database from the template. `template` names another one, such as template1. */
export async function createTestDatabase(
  options: { poolSize?: number; template?: string } = {},
): Promise<TestDatabase> {
  const server = await testServer();
  const name = `test_${process.pid}_${randomBytes(4).toString('hex')}`;
  const template = options.template ?? server.template;
  await withClient(server.admin, (client) =>
    client.query(`create database ${name} owner solyx_owner template ${template}`),
  );
  const logins = deriveLogins(server.admin, name);
  const open = () => openDatabase({ logins, logger: silentLogger, poolSize: options.poolSize ?? 5 });
  const db = await open();
  return {
    db,
    name,
    logins,
    admin: { ...server.admin, database: name },
    url: toUrl(server.admin, name),
    open,
    async drop() {
      await db.close();
      await withClient(server.admin, (client) => client.query(`drop database if exists ${name} with (force)`));
    },
  };
}

function toUrl(admin: pg.ClientConfig, database: string): string {
  const user = encodeURIComponent(admin.user ?? '');
  const login = typeof admin.password === 'string' ? `${user}:${encodeURIComponent(admin.password)}` : user;
  if (!admin.host?.startsWith('/')) return `postgres://${login}@${admin.host}:${admin.port}/${database}`;
  return `postgres://${login}@localhost:${admin.port}/${database}?host=${encodeURIComponent(admin.host)}`;
}
