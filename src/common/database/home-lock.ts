/**
 * One server per data directory, by a lock that the operating system releases.
 *
 * A file with a pid in it is fooled by kill -9 and by pid reuse. Node has no flock, but the SQLite it brings takes POSIX
 * record locks on Linux and macOS: an exclusive transaction on an empty file is held exactly as long as this process
 * lives, is not inherited by children (PostgreSQL outlives us), and refuses a second holder inside one process too.
 * `home.lock.json` beside it only says who holds the lock, for the message; nobody decides by it.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SolyxError } from '../errors/index.ts';

export interface HomeLock {
  /** Lets go; calling it twice does nothing. Process death does the same. */
  release(): void;
}

const sqliteBusy = 5;
const sqliteFull = 13;

/**
 * Takes the data directory for this process, creating it (mode 0700) if needed. Does not wait.
 *
 * @throws SolyxError `home_in_use` when another holder lives
 */
export function lockHome(home: string): HomeLock {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const holderFile = join(home, 'home.lock.json');
  const file = new DatabaseSync(join(home, 'home.lock'), { timeout: 0 });
  try {
    file.exec('begin exclusive');
  } catch (error) {
    file.close();
    const code = (error as { errcode?: number }).errcode;
    if (code === sqliteBusy) throw new SolyxError('home_in_use', { detail: describeHolder(home, holderFile) });
    if (code === sqliteFull) throw new SolyxError('disk_full', { detail: home, cause: error });
    throw error;
  }
  try {
    // Replaced whole: others read it at any time.
    const text = JSON.stringify({ pid: process.pid, since: new Date().toISOString() });
    writeFileSync(`${holderFile}.tmp`, text, { mode: 0o600 });
    renameSync(`${holderFile}.tmp`, holderFile);
  } catch {
    // Only for the message of the one who comes second; a full disk must not keep a server from starting.
  }
  return {
    release() {
      if (file.isOpen) file.close();
    },
  };
}

/**
 * The process that holds a data directory, or undefined when nobody does, or the holder could not say who it is (a full disk).
 * It may have let go by the time of the answer.
 */
export function holderOfHome(home: string): number | undefined {
  if (!existsSync(join(home, 'home.lock'))) return undefined;
  const file = new DatabaseSync(join(home, 'home.lock'), { timeout: 0 });
  try {
    file.exec('select count(*) from sqlite_master');
    return undefined;
  } catch (error) {
    if ((error as { errcode?: number }).errcode !== sqliteBusy) throw error;
  } finally {
    file.close();
  }
  // The very first holder has the lock for a moment before it has said who it is.
  for (let tries = 0; tries < 20; tries += 1) {
    const pid = pidIn(join(home, 'home.lock.json'));
    if (pid !== undefined) return pid;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
  return undefined;
}

function pidIn(holderFile: string): number | undefined {
  try {
    const { pid } = JSON.parse(readFileSync(holderFile, 'utf8')) as { pid?: unknown };
    return Number.isInteger(pid) ? (pid as number) : undefined;
  } catch {
    return undefined;
  }
}

function describeHolder(home: string, holderFile: string): string {
  try {
    const holder: unknown = JSON.parse(readFileSync(holderFile, 'utf8'));
    if (typeof holder === 'object' && holder !== null && 'pid' in holder && 'since' in holder) {
      return `${home} is held by process ${holder.pid} since ${holder.since}.`;
    }
  } catch {
    // Unreadable or half written: the lock is held all the same.
  }
  return `${home} is held by another process.`;
}
