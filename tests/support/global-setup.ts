/**
 * One PostgreSQL per test run, started when the first test asks for it: runs of unit tests alone never pay for it.
 *
 * Test files run in processes of their own, so the server belongs to vitest's main process, and a broker on a unix socket tells
 * where it is. The server is the product's own, started by the product's own launcher (without fsync), or that of
 * SOLYX_TEST_DATABASE_URL. Because it would outlive a killed test run by design, a shell watches over it.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import type { TestProject } from 'vitest/node';
import { withClient } from '../../src/common/database/connection.ts';
import {
  type EmbeddedDatabase,
  initDatabase,
  migrate,
  parseDatabaseUrl,
  startEmbeddedDatabase,
} from '../../src/common/database/index.ts';
import { silentLogger } from '../../src/common/logger.ts';
import { ensureDashboard } from '../../tools/scripts/build-dashboard.mjs';

/** What the broker answers. */
export interface TestServer {
  readonly admin: pg.ClientConfig;
  /** A migrated database to copy. */
  readonly template: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    databaseBroker: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Once here, or every product that a test starts would build it; when it does not build, the browser tests say so.
  await ensureDashboard().catch((error: Error) => process.stderr.write(`${error.message}\n`));
  const directory = await mkdtemp(join(await realpath(tmpdir()), 'solyx-test-'));
  const socket = join(directory, 'broker');
  let embedded: EmbeddedDatabase | undefined;
  let server: Promise<TestServer> | undefined;

  async function start(): Promise<TestServer> {
    const url = process.env.SOLYX_TEST_DATABASE_URL;
    if (url === undefined || url === '') {
      embedded = await startEmbeddedDatabase({
        home: join(directory, 'home'),
        logger: silentLogger,
        settings: { fsync: 'off' },
      });
      watchOver(embedded.pid, directory);
    }
    const admin = embedded?.admin ?? parseDatabaseUrl(url!).admin;
    const template = `solyx_template_${process.pid}`;
    const logins = await initDatabase(admin, template);
    await migrate(logins.owner, silentLogger);
    return { admin, template };
  }

  const broker = createServer((_request, response) => {
    server ??= start();
    server.then(
      (answer) => response.end(JSON.stringify(answer)),
      (error: Error) => response.writeHead(500).end(error.stack),
    );
  });
  await new Promise<void>((resolve) => broker.listen(socket, resolve));
  broker.unref();
  project.provide('databaseBroker', socket);

  return async () => {
    broker.close();
    const started = await server?.catch(() => undefined);
    if (started && !embedded) await dropTemplate(started);
    await embedded?.stop(5_000);
    await rm(directory, { recursive: true, force: true });
  };
}

async function dropTemplate(server: TestServer): Promise<void> {
  await withClient(server.admin, (client) => client.query(`drop database if exists ${server.template} with (force)`));
}

function watchOver(serverPid: number, directory: string): void {
  const script = 'while kill -0 "$1" 2>/dev/null; do sleep 1; done; kill -INT "$2" 2>/dev/null && sleep 2; rm -rf "$3"';
  spawn('sh', ['-c', script, 'sh', String(process.pid), String(serverPid), directory], {
    detached: true,
    stdio: 'ignore',
  }).unref();
}
