/** A PostgreSQL of its own for a benchmark, as the product brings it along: with fsync, on the disk of the temporary folder. */
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import {
  type Database,
  type DatabaseLogins,
  initDatabase,
  migrate,
  openDatabase,
  startEmbeddedDatabase,
} from '../../src/common/database/index.ts';
import { silentLogger } from '../../src/common/logger.ts';

export interface BenchDatabase {
  /** Folder of everything; also the home of servers that use the database. */
  readonly home: string;
  /** The superuser on the product's database, past every policy: for filling tables. */
  readonly admin: pg.ClientConfig;
  readonly logins: DatabaseLogins;
  /** Of the server's first process. */
  readonly serverPid: number;
  /** For SOLYX_DATABASE_URL. */
  readonly url: string;
  open(poolSize?: number): Promise<Database>;
  dispose(): Promise<void>;
}

/** Starts a server in a folder of its own and makes the product's database in it. */
export async function startBenchDatabase(): Promise<BenchDatabase> {
  const home = await mkdtemp(join(await realpath(tmpdir()), 'solyx-bench-'));
  const embedded = await startEmbeddedDatabase({ home: join(home, 'database'), logger: silentLogger });
  const logins = await initDatabase(embedded.admin, 'solyx');
  await migrate(logins.owner, silentLogger);
  const { user, password, host, port } = embedded.admin;
  const login = `${encodeURIComponent(String(user))}${password ? `:${encodeURIComponent(String(password))}` : ''}`;
  return {
    home,
    admin: { ...embedded.admin, database: 'solyx' },
    logins,
    serverPid: embedded.pid,
    url: `postgres://${login}@localhost:${port}/solyx?host=${encodeURIComponent(String(host))}`,
    open: (poolSize = 4) => openDatabase({ logins, logger: silentLogger, poolSize }),
    async dispose() {
      await embedded.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}
