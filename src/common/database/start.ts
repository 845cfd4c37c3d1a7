/**
 * From configuration to an open, migrated database: embedded below SOLYX_HOME, or the server of SOLYX_DATABASE_URL.
 */
import type { Logger } from '../logger.ts';
import { startEmbeddedDatabase } from './launcher.ts';
import { migrate } from './migrate.ts';
import { type Database, openDatabase } from './pools.ts';
import { initDatabase, parseDatabaseUrl } from './roles.ts';

export interface StartOptions {
  /** SOLYX_HOME; where the embedded server lives. */
  readonly home: string;
  /** SOLYX_DATABASE_URL; undefined means embedded. */
  readonly url?: string | undefined;
  readonly logger: Logger;
  /** Connections per pool, 1..100; default 10. */
  readonly poolSize?: number;
}

export interface StartedDatabase {
  readonly db: Database;
  /** Closes the pools and, where it is ours, stops the server. */
  stop(): Promise<void>;
}

/**
 * Starts or finds the server, makes logins and database, migrates, opens the pools.
 *
 * @throws SolyxError of `startEmbeddedDatabase`, `initDatabase`, `migrate` and `openDatabase`
 */
export async function startDatabase(options: StartOptions): Promise<StartedDatabase> {
  const embedded = options.url === undefined ? await startEmbeddedDatabase(options) : undefined;
  try {
    const { admin, database } =
      options.url === undefined ? { admin: embedded!.admin, database: 'solyx' } : parseDatabaseUrl(options.url);
    const logins = await initDatabase(admin, database);
    await migrate(logins.owner, options.logger);
    const db = await openDatabase({ ...options, logins });
    return {
      db,
      async stop() {
        await db.close();
        await embedded?.stop();
      },
    };
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}
