/**
 * Brings PostgreSQL along: finds the engine, makes the data directory, starts or adopts the server, keeps it up.
 *
 * The server is a process of its own that outlives this one, because a control plane that is killed must lose nothing and must
 * be back in a second: the next start adopts what still runs. It is reachable by a unix socket in a directory of mode 0700
 * and by nothing else. If the server dies while we live, it is started again on the same socket; the pools reconnect.
 */
import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { SolyxError } from '../errors/index.ts';
import type { Logger } from '../logger.ts';
import { prepareCluster, prepareSocketDirectory, socketPort, superuser } from './cluster.ts';
import { canConnect } from './connection.ts';
import { type Engine, engineFailure, installEngine, removeOtherEngines } from './engine.ts';
import { lockHome } from './home-lock.ts';
import { disarmLeftovers, isPostmaster, readPostmasterFile, spawnPostmaster, stopPostmaster } from './postmaster.ts';

export interface LauncherOptions {
  /** SOLYX_HOME; made if missing. */
  readonly home: string;
  readonly logger: Logger;
  /** Server settings on top of ours, for tests (`fsync: 'off'`). */
  readonly settings?: Record<string, string>;
  /** How long crash recovery may take before the start counts as failed, seconds > 0; default 300. */
  readonly startTimeoutSeconds?: number;
}

export interface EmbeddedDatabase {
  /** The bootstrap superuser on database `postgres`: for `initDatabase` only, never for the product's own work. */
  readonly admin: pg.ClientConfig;
  /** The server's process; changes when it had to be started again. */
  readonly pid: number;
  /** Whether this start found the server running. */
  readonly adopted: boolean;
  /** Ends the server and lets go of the data directory. `timeoutMs` is for the graceful part; default 30 s. */
  stop(timeoutMs?: number): Promise<void>;
  /** Lets go of the data directory and leaves the server running for the next start to adopt. */
  leave(): void;
}

const watchEveryMs = 500;
/** How long backends of a killed server may take to notice and leave. */
const leftoversPatienceMs = 20_000;
/** What a server says that finds another one, or what is left of it, on the directory. */
const stillTaken = /pre-existing shared memory block|lock file "postmaster\.pid"/;

/**
 * Starts the embedded PostgreSQL of a data directory, or adopts the one that runs.
 *
 * @throws SolyxError `home_in_use`, `database_engine_missing`, `database_start_failed`, `database_version_unsupported`, `disk_full`
 */
export async function startEmbeddedDatabase(options: LauncherOptions): Promise<EmbeddedDatabase> {
  const lock = lockHome(options.home);
  try {
    return await start({ ...options, home: await realpath(options.home) }, lock.release);
  } catch (error) {
    lock.release();
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw new SolyxError('disk_full', { cause: error });
    throw error;
  }
}

async function start(options: LauncherOptions, release: () => void): Promise<EmbeddedDatabase> {
  const { home, logger } = options;
  const engine = await installEngine(home);
  const directory = await prepareCluster(home, engine);
  const server = new Server(options, engine, directory, await prepareSocketDirectory(home));
  const adopted = await server.adopt();
  if (!adopted) {
    await server.start();
    await removeOtherEngines(home, engine);
  }
  logger.info({ serverPid: server.pid, adopted, socket: server.socketDirectory }, 'database ready');
  server.watch();
  return {
    admin: server.admin(),
    adopted,
    get pid() {
      return server.pid;
    },
    async stop(timeoutMs = 30_000) {
      await server.unwatch();
      await stopPostmaster(server.pid, directory, timeoutMs);
      release();
    },
    leave() {
      void server.unwatch();
      release();
    },
  };
}

/** One server process after another on one data directory. */
class Server {
  pid = 0;
  socketDirectory: string;
  readonly #options: LauncherOptions;
  readonly #engine: Engine;
  readonly #directory: string;
  #timer: NodeJS.Timeout | undefined;
  #restarting: Promise<void> | undefined;

  constructor(options: LauncherOptions, engine: Engine, directory: string, socketDirectory: string) {
    this.#options = options;
    this.#engine = engine;
    this.#directory = directory;
    this.socketDirectory = socketDirectory;
  }

  admin(): pg.ClientConfig {
    return { host: this.socketDirectory, port: socketPort, user: superuser, database: 'postgres' };
  }

  /** Takes over a server that runs on this directory. False when there is none, or none that can be reached. */
  async adopt(): Promise<boolean> {
    const found = readPostmasterFile(this.#directory);
    if (!found || !isPostmaster(found.pid, this.#directory)) return false;
    const own = this.socketDirectory;
    // It may have been started with another TMPDIR or a shorter name of the same directory: its file says where it listens.
    if (found.socketDirectory !== '') this.socketDirectory = found.socketDirectory;
    const isGone = () => !isPostmaster(found.pid, this.#directory);
    if (await this.#becomesReady(isGone, () => this.#socketVanished())) {
      this.pid = found.pid;
      return true;
    }
    this.#options.logger.warn({ serverPid: found.pid }, 'the running database cannot be reached; starting it again');
    await stopPostmaster(found.pid, this.#directory, 30_000);
    this.socketDirectory = own;
    return false;
  }

  async start(): Promise<void> {
    const logFile = join(this.#options.home, 'logs', 'postgres.log');
    const leftoversDeadline = performance.now() + leftoversPatienceMs;
    for (;;) {
      disarmLeftovers(this.#directory, this.socketDirectory);
      const spawned = await spawnPostmaster(
        this.#engine,
        this.#directory,
        this.socketDirectory,
        logFile,
        this.#options.settings,
      );
      this.pid = spawned.pid;
      if (await this.#becomesReady(spawned.hasExited, () => false)) return;
      const output = await spawned.output();
      if (stillTaken.test(output) && performance.now() < leftoversDeadline) {
        // Started by a predecessor that was killed before the server had written its file.
        if (await this.adopt()) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
        continue;
      }
      if (!spawned.hasExited()) await stopPostmaster(spawned.pid, this.#directory, 5_000);
      throw engineFailure('PostgreSQL did not become ready', output, logFile);
    }
  }

  /** Starts the server again whenever it has died, for as long as we live. */
  watch(): void {
    this.#timer = setInterval(() => {
      if (this.#restarting || isPostmaster(this.pid, this.#directory)) return;
      this.#options.logger.error({ serverPid: this.pid }, 'database died; starting it again');
      this.#restarting = this.start()
        .then(() => this.#options.logger.info({ serverPid: this.pid }, 'database back'))
        .catch((error: unknown) => this.#options.logger.error({ err: error }, 'database did not start; trying again'))
        .finally(() => {
          this.#restarting = undefined;
        });
    }, watchEveryMs);
    this.#timer.unref();
  }

  async unwatch(): Promise<void> {
    clearInterval(this.#timer);
    await this.#restarting;
  }

  /** Waits until the server answers. False when it is gone or `hopeless` says so twice, or the time limit passed. */
  async #becomesReady(isGone: () => boolean, isHopeless: () => boolean): Promise<boolean> {
    const deadline = performance.now() + (this.#options.startTimeoutSeconds ?? 300) * 1000;
    let hopelessSince: number | undefined;
    while (performance.now() < deadline) {
      if (isGone()) return false;
      if (await canConnect(this.admin())) return true;
      hopelessSince = isHopeless() ? (hopelessSince ?? performance.now()) : undefined;
      if (hopelessSince !== undefined && performance.now() - hopelessSince > 3_000) return false;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return false;
  }

  /** A cleaner of temporary directories took the socket away; nobody can ever connect again. */
  #socketVanished(): boolean {
    return !existsSync(join(this.socketDirectory, `.s.PGSQL.${socketPort}`));
  }
}
