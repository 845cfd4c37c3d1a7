import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withClient } from '../../../../src/common/database/connection.ts';
import {
  type EmbeddedDatabase,
  initDatabase,
  migrate,
  openDatabase,
  startDatabase,
  startEmbeddedDatabase,
  withSystem,
} from '../../../../src/common/database/index.ts';
import { isPostmaster, readPostmasterFile } from '../../../../src/common/database/postmaster.ts';
import { silentLogger } from '../../../../src/common/logger.ts';
import { until } from '../../../support/until.ts';

const ownerScript = fileURLToPath(new URL('../../../support/database-owner.ts', import.meta.url));
const settings = { fsync: 'off' };

/** A stopped home, so that not every test has to copy the engine and run initdb. */
let seed: string;
let home: string;
let children: ChildProcess[];
let servers: EmbeddedDatabase[];

beforeAll(async () => {
  seed = await mkdtemp(join(await realpath(tmpdir()), 'solyx-launcher-seed-'));
  await (await startEmbeddedDatabase({ home: seed, logger: silentLogger, settings })).stop();
});
afterAll(() => rm(seed, { recursive: true }));

/** Gives the home an engine, and with `cluster` a data directory that was stopped. */
async function sow(parts: { cluster: boolean }, target = home): Promise<void> {
  mkdirSync(target, { recursive: true });
  symlinkSync(join(seed, 'engine'), join(target, 'engine'));
  if (parts.cluster) execFileSync('cp', ['-R', join(seed, 'postgres'), target]);
}

beforeEach(async () => {
  home = await mkdtemp(join(await realpath(tmpdir()), 'solyx-launcher-'));
  children = [];
  servers = [];
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const server of servers) await server.stop(5_000);
  // What a killed owner left behind is ended by the pid in its file.
  const left = readPostmasterFile(join(home, 'postgres'));
  if (left && isPostmaster(left.pid, join(home, 'postgres'))) process.kill(left.pid, 'SIGQUIT');
  await rm(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

async function start(options: { home?: string } = {}): Promise<EmbeddedDatabase> {
  const server = await startEmbeddedDatabase({ home, logger: silentLogger, settings, ...options });
  servers.push(server);
  return server;
}

/** Starts the database in a process of its own; resolves with what it reports. */
async function startOwner(...args: string[]): Promise<{ child: ChildProcess; report: Record<string, unknown> }> {
  const child = spawn(process.execPath, [ownerScript, home, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout! })) return { child, report: JSON.parse(line) };
  throw new Error('the owner said nothing');
}

const answer = (server: EmbeddedDatabase) =>
  withClient(server.admin, async (client) => (await client.query<{ n: number }>('select 1 as n')).rows[0]!.n);

test('a fresh home gets an engine, a data directory and a server that listens on a private socket only', async () => {
  const server = await start();
  expect(server.adopted).toBe(false);
  const shown = await withClient(server.admin, async (client) => {
    const { rows } = await client.query<{ name: string; setting: string }>(
      `select name, setting from pg_settings where name in ('listen_addresses', 'max_connections', 'autovacuum_naptime')`,
    );
    return Object.fromEntries(rows.map((row) => [row.name, row.setting]));
  });
  expect(shown).toEqual({ listen_addresses: '', max_connections: '200', autovacuum_naptime: '20' });
  expect((await stat(server.admin.host!)).mode & 0o777).toBe(0o700);
});

test('stop ends the server and the next start finds what was committed', async () => {
  await sow({ cluster: true });
  const first = await start();
  await withClient(first.admin, (client) => client.query('create table kept as select 42 as answer'));
  const pid = first.pid;
  await first.stop();
  expect(isPostmaster(pid, join(home, 'postgres'))).toBe(false);

  const second = await start();
  expect(second.adopted).toBe(false);
  const { rows } = await withClient(second.admin, (client) => client.query('select answer from kept'));
  expect(rows).toEqual([{ answer: 42 }]);
});

test('a server whose owner was killed lives on and is adopted', async () => {
  await sow({ cluster: true });
  const { child, report } = await startOwner();
  const died = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await died;

  const server = await start();
  expect(server.adopted).toBe(true);
  expect(server.pid).toBe(report.pid);
  expect(await answer(server)).toBe(1);
});

test('a second owner of the same home is refused with a code, in this process and in another', async () => {
  await sow({ cluster: true });
  await start();
  await expect(startEmbeddedDatabase({ home, logger: silentLogger })).rejects.toMatchObject({
    code: 'home_in_use',
    detail: expect.stringContaining(String(process.pid)),
  });
  const { report } = await startOwner();
  expect(report).toEqual({ code: 'home_in_use' });
});

test('of many that start at once on a fresh home exactly one wins', async () => {
  await sow({ cluster: false });
  const owners = await Promise.all([startOwner(), startOwner(), startOwner()]);
  const reports = owners.map((owner) => owner.report.code ?? 'won');
  expect(reports.sort()).toEqual(['home_in_use', 'home_in_use', 'won']);
});

test('an owner that leaves keeps the server running for the next', async () => {
  await sow({ cluster: true });
  const { report } = await startOwner('leave');
  const server = await until('the owner let go', () => start().catch(() => undefined));
  expect([server.adopted, server.pid]).toEqual([true, report.pid]);
});

describe('what a crash leaves behind', () => {
  test('a kill during initdb leaves a home that starts', async () => {
    await sow({ cluster: false });
    const child = spawn(process.execPath, [ownerScript, home], { stdio: 'ignore' });
    children.push(child);
    await until('initdb has begun to write', () => {
      const unfinished = readdirSync(home).find((name) => name.startsWith('.postgres-new-'));
      return unfinished && existsSync(join(home, unfinished, 'base'));
    });
    child.kill('SIGKILL');
    expect(existsSync(join(home, 'postgres'))).toBe(false);

    const server = await until('the lock of the killed is gone', () => start().catch(() => undefined));
    expect(await answer(server)).toBe(1);
  });

  test('a kill during the copy of the engine leaves a home that starts', async () => {
    mkdirSync(join(home, 'engine', '.copy-killed', 'bin'), { recursive: true });
    const server = await start();
    expect(await answer(server)).toBe(1);
    expect(readdirSync(join(home, 'engine')).some((name) => name.startsWith('.copy-'))).toBe(false);
  });

  test('a killed server is replaced while we live, and pools reconnect by themselves', async () => {
    await sow({ cluster: true });
    const server = await start();
    const logins = await initDatabase(server.admin);
    const db = await openDatabase({ logins, logger: silentLogger });
    try {
      const before = server.pid;
      process.kill(before, 'SIGKILL');
      // A session that was busy may answer once more before it notices.
      await until('another server was started', () => server.pid !== before);
      const { rows } = await until('the database is back', () =>
        withSystem(db, (tx) => tx.query('select 1 as n')).catch(() => undefined),
      );
      expect(rows).toEqual([{ n: 1 }]);
    } finally {
      await db.close();
    }
  });

  test('a pid file whose number now belongs to somebody else does not keep the server from starting', async () => {
    await sow({ cluster: true });
    const first = await start();
    const file = join(home, 'postgres', 'postmaster.pid');
    const lines = readFileSync(file, 'utf8').split('\n');
    await first.stop();
    // It lives and is no postmaster; PostgreSQL itself would refuse to start.
    const stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
    children.push(stranger);
    writeFileSync(file, [String(stranger.pid), ...lines.slice(1)].join('\n'));
    const socketLock = join(home, 'run', '.s.PGSQL.5432.lock');
    writeFileSync(socketLock, [String(stranger.pid), ...lines.slice(1)].join('\n'));

    const second = await start();
    expect(second.adopted).toBe(false);
    expect(await answer(second)).toBe(1);
    expect(stranger.exitCode).toBeNull();
  });

  test('a killed server whose parent has not looked at its end does not keep the next one from starting', async () => {
    await sow({ cluster: true });
    const first = await start();
    const file = join(home, 'postgres', 'postmaster.pid');
    const lines = readFileSync(file, 'utf8').split('\n');
    await first.stop();
    // The shell's child ends when the shell has become something that never asks for it.
    const parent = spawn('sh', ['-c', 'sleep 1 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    children.push(parent);
    const zombie = await new Promise<string>((told) => parent.stdout.once('data', (text) => told(String(text).trim())));
    await until('it is a zombie', () => readFileSync(`/proc/${zombie}/stat`, 'utf8').includes(') Z '));
    writeFileSync(file, [zombie, ...lines.slice(1)].join('\n'));
    expect(await answer(await start())).toBe(1);
  });

  test('an empty pid file (the disk was full) does not keep the server from starting', async () => {
    await sow({ cluster: true });
    const first = await start();
    await first.stop();
    writeFileSync(join(home, 'postgres', 'postmaster.pid'), '');
    expect(await answer(await start())).toBe(1);
  });
});

test('a home whose path is too long for a socket gets a short private socket directory', async () => {
  const long = join(home, 'x'.repeat(60), 'y'.repeat(60));
  await sow({ cluster: true }, long);
  const server = await start({ home: long });
  try {
    expect(server.admin.host!.startsWith(home)).toBe(false);
    expect((await stat(server.admin.host!)).mode & 0o777).toBe(0o700);
    expect(await answer(server)).toBe(1);
  } finally {
    await server.stop();
    await rm(server.admin.host!, { recursive: true, force: true });
  }
});

test('a data directory of another major version is refused with a code and left alone', async () => {
  await sow({ cluster: false });
  mkdirSync(join(home, 'postgres'));
  writeFileSync(join(home, 'postgres', 'PG_VERSION'), '14\n');
  await expect(start()).rejects.toMatchObject({ code: 'database_version_unsupported' });
  expect(readdirSync(join(home, 'postgres'))).toEqual(['PG_VERSION']);
});

test('a server that cannot start says why and names its log', async () => {
  await sow({ cluster: true });
  await (await start()).stop();
  writeFileSync(join(home, 'postgres', 'postgresql.auto.conf'), 'no_such_setting = on\n');
  await expect(start()).rejects.toMatchObject({
    code: 'database_start_failed',
    detail: expect.stringMatching(/no_such_setting.*postgres\.log/s),
  });
});

test('startDatabase gives an open, migrated database and stops what it started', async () => {
  await sow({ cluster: true });
  const started = await startDatabase({ home, logger: silentLogger });
  const applied = await migrate(started.db.logins.owner, silentLogger);
  expect(applied).toEqual([]);
  const { rows } = await started.db.system.query('select current_user::text as login');
  expect(rows).toEqual([{ login: 'solyx_system' }]);
  const pid = readPostmasterFile(join(home, 'postgres'))!.pid;
  await started.stop();
  expect(isPostmaster(pid, join(home, 'postgres'))).toBe(false);
});
