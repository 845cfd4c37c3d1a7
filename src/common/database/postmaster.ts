/**
 * The running PostgreSQL: who it is, starting it detached, stopping it.
 *
 * `postmaster.pid` names the process, but after a crash that number may belong to somebody else. A process counts as the
 * postmaster of a data directory only if it stands in that directory (Linux) or was started for it (elsewhere).
 */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { socketPort } from './cluster.ts';
import { type Engine, engineCommand } from './engine.ts';

export interface PostmasterFile {
  readonly pid: number;
  readonly socketDirectory: string;
}

/** A lock file that is not whole and older than this will never be whole. */
const beingWrittenMs = 3_000;

/** Settings for a small box that shares its memory with jobs; everything else stays PostgreSQL's default. */
const settings: Record<string, string> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  port: String(socketPort),
  max_connections: '200',
  shared_buffers: '128MB',
  work_mem: '8MB',
  maintenance_work_mem: '64MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  huge_pages: 'off',
  // Containers often have 64 MB of /dev/shm, which parallel queries exhaust.
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  jit: 'off',
  random_page_cost: '1.1',
  // Fresh tables grow fast, and foreign-key checks keep plans made while they were empty. Each look at each of the three
  // databases is a process: every 5 s they would be most of what an idle server costs.
  autovacuum_naptime: '20s',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Refused statements are answers to the client, who logs what matters; here they would only fill the disk.
  log_min_messages: 'log',
  log_checkpoints: 'off',
};

/** Reads postmaster.pid. Undefined when there is none or it is not whole. */
export function readPostmasterFile(directory: string): PostmasterFile | undefined {
  let lines: string[];
  try {
    lines = readFileSync(join(directory, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return undefined;
  }
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  return { pid, socketDirectory: lines[4] ?? '' };
}

/** Whether that process lives and is the postmaster of that directory (a real path). */
export function isPostmaster(pid: number, directory: string): boolean {
  if (!isAlive(pid)) return false;
  if (process.platform === 'linux') {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === directory;
    } catch {
      return false;
    }
  }
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).includes(directory);
  } catch {
    return false;
  }
}

/**
 * Makes the leftovers of a dead server harmless. Call it under the home lock and only when no postmaster lives.
 *
 * PostgreSQL refuses to start when the pid in the file exists, whoever it is, so a reused one is replaced by an impossible one; so is
 * that of a server that was killed and whose parent has not looked at its end yet.
 * The file itself stays: its shared-memory key keeps a new server waiting until the old one's last backend is gone.
 */
export function disarmLeftovers(directory: string, socketDirectory: string): void {
  const file = join(directory, 'postmaster.pid');
  const found = readPostmasterFile(directory);
  if (found === undefined) {
    // One that is being written belongs to a server that a killed predecessor of ours has just started.
    const writtenAt = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (Math.abs(Date.now() - writtenAt) > beingWrittenMs) rmSync(file, { force: true });
  } else if (exists(found.pid)) {
    const rest = readFileSync(file, 'utf8').split('\n').slice(1);
    writeFileSync(`${file}.new`, ['99999999', ...rest].join('\n'), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
  rmSync(join(socketDirectory, `.s.PGSQL.${socketPort}.lock`), { force: true });
}

export interface Spawned {
  readonly pid: number;
  /** What it has logged since its start, for errors. */
  output(): Promise<string>;
  hasExited(): boolean;
}

/** Starts the server in a session of its own with its output in a file, so that it outlives this process. */
export async function spawnPostmaster(
  engine: Engine,
  directory: string,
  socketDirectory: string,
  logFile: string,
  extraSettings: Record<string, string> = {},
): Promise<Spawned> {
  await mkdir(dirname(logFile), { recursive: true, mode: 0o700 });
  rotate(logFile);
  const log = openSync(logFile, 'a', 0o600);
  try {
    const offset = statSync(logFile).size;
    const all = { ...settings, unix_socket_directories: socketDirectory, ...extraSettings };
    const { file, args, env } = engineCommand(engine, 'postgres', [
      '-D',
      directory,
      ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ]);
    const child = spawn(file, args, { env, cwd: directory, detached: true, stdio: ['ignore', log, log] });
    let exited = false;
    let spawnError = '';
    child.once('exit', () => {
      exited = true;
    });
    child.once('error', (error) => {
      exited = true;
      spawnError = error.message;
    });
    child.unref();
    return {
      pid: child.pid ?? 0,
      hasExited: () => exited,
      output: async () => spawnError + (await readFrom(logFile, offset)),
    };
  } finally {
    closeSync(log);
  }
}

/**
 * Ends the server: fast (open transactions are rolled back, everything is written), after the time limit at once (safe: the
 * next start replays the log). Resolves when the process is gone.
 */
export async function stopPostmaster(pid: number, directory: string, timeoutMs: number): Promise<void> {
  const escalation: [NodeJS.Signals, number][] = [
    ['SIGINT', timeoutMs],
    ['SIGQUIT', 6_000],
    ['SIGKILL', 2_000],
  ];
  for (const [signal, patienceMs] of escalation) {
    if (!isPostmaster(pid, directory)) return;
    process.kill(pid, signal);
    const deadline = performance.now() + patienceMs;
    while (performance.now() < deadline) {
      if (!isPostmaster(pid, directory)) return;
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  }
}

/** Whether the number is taken, be it by a zombie or by another user's process. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return true;
}

/** Alive and not a zombie; a process of another user counts as alive. */
function isAlive(pid: number): boolean {
  if (!exists(pid)) return false;
  if (process.platform !== 'linux') return true;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
  } catch {
    return false;
  }
}

function rotate(logFile: string): void {
  try {
    if (statSync(logFile).size > 10 * 1024 * 1024) renameSync(logFile, `${logFile}.1`);
  } catch {
    // No log yet.
  }
}

async function readFrom(file: string, offset: number): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const start = Math.max(offset, size - 8192);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.max(0, size - start)), 0, size - start, start);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
