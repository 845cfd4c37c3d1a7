/**
 * The database of a data directory for commands that work beside the server or without it: the one that runs, whoever
 * started it, else one that is started for the command and stopped after.
 */
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { socketPort, superuser } from '../common/database/cluster.ts';
import { parseDatabaseUrl, startEmbeddedDatabase } from '../common/database/index.ts';
import { isPostmaster, readPostmasterFile } from '../common/database/postmaster.ts';
import { SolyxError } from '../common/errors/index.ts';
import { silentLogger } from '../common/logger.ts';

export interface ReachedDatabase {
  /** Login that sets up; the product's own are derived from it. */
  readonly admin: pg.ClientConfig;
  readonly database: string;
  release(): Promise<void>;
}

/**
 * Reaches the database of a data directory, or of `url`.
 * @throws SolyxError `not_found` when the directory has none, and what starting one throws
 */
export async function reachDatabase(home: string, url: string | undefined): Promise<ReachedDatabase> {
  if (url !== undefined) return { ...parseDatabaseUrl(url), release: async () => {} };
  if (!existsSync(join(home, 'postgres'))) {
    throw new SolyxError('not_found', `${home} has no database; SOLYX_HOME names another data directory.`);
  }
  const directory = join(realpathSync(home), 'postgres');
  const found = readPostmasterFile(directory);
  if (found && isPostmaster(found.pid, directory)) {
    const admin = { host: found.socketDirectory, port: socketPort, user: superuser, database: 'postgres' };
    return { admin, database: 'solyx', release: async () => {} };
  }
  return startDatabaseOf(home);
}

/**
 * Starts the embedded database of a data directory for this process alone.
 * @throws SolyxError `home_in_use` while a control plane runs on it
 */
export async function startDatabaseOf(home: string): Promise<ReachedDatabase> {
  const started = await startEmbeddedDatabase({ home, logger: silentLogger });
  return { admin: started.admin, database: 'solyx', release: () => started.stop() };
}
