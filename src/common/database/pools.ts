/**
 * The two pools that the product works with: `app` for tenants' requests, `system` for loops.
 *
 * They are separate logins with separate policies, so no code path can reach another tenant's rows by forgetting a filter,
 * and a burst of requests cannot starve the loops of connections. Migrations use a connection of their own.
 */
import pg from 'pg';
import type { Logger } from '../logger.ts';
import { connectionTypes } from './connection.ts';
import { classify, toSolyxError } from './failures.ts';
import { makeNicer } from './niceness.ts';
import { backoff } from './retry.ts';
import type { DatabaseLogins } from './roles.ts';

export interface Database {
  readonly app: pg.Pool;
  readonly system: pg.Pool;
  readonly logins: DatabaseLogins;
  readonly logger: Logger;
  /** Waits for running queries and closes every connection. */
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly logins: DatabaseLogins;
  readonly logger: Logger;
  /** Connections per pool, 1..100; default 10. */
  readonly poolSize?: number;
  /** Longest time a statement may take, seconds > 0; default 30. */
  readonly statementTimeoutSeconds?: number;
  /** How much nicer the server's processes for these connections are to the others, 0..19, where it runs on this Linux; default 0. */
  readonly nicer?: number;
}

const connectTimeoutMs = 5_000;
const openAttempts = 8;

/**
 * Opens both pools and checks that they connect; waits some seconds for a server that is just starting.
 *
 * @throws SolyxError `database_unavailable`
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const app = makePool(options, options.logins.app, 'app');
  const system = makePool(options, options.logins.system, 'system');
  const close = async () => {
    await Promise.all([app.end(), system.end()]);
  };
  try {
    for (const pool of [app, system]) await firstContact(pool);
  } catch (error) {
    await close();
    throw toSolyxError(error);
  }
  return { app, system, logins: options.logins, logger: options.logger, close };
}

function makePool(options: DatabaseOptions, login: pg.ClientConfig, name: string): pg.Pool {
  const pool = new pg.Pool({
    ...login,
    types: connectionTypes,
    application_name: `solyx ${name}`,
    max: options.poolSize ?? 10,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    statement_timeout: (options.statementTimeoutSeconds ?? 30) * 1000,
    idle_in_transaction_session_timeout: 60_000,
  });
  // Without listeners a server restart would end the process: idle connections report their death to the pool, those at work to
  // themselves (and to their query, where it is dealt with).
  pool.on('connect', (client) => client.on('error', () => {}));
  const { nicer = 0 } = options;
  if (nicer > 0 && login.host?.startsWith('/')) {
    pool.on('connect', (client) => makeNicer((client as { processID?: number }).processID, nicer, 'postgres: '));
  }
  pool.on('error', (error) => options.logger.warn({ err: error, pool: name }, 'idle database connection lost'));
  return pool;
}

async function firstContact(pool: pg.Pool): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await pool.query('select 1');
      return;
    } catch (error) {
      if (classify(error) !== 'connection' || attempt === openAttempts) throw error;
      await backoff(attempt);
    }
  }
}
