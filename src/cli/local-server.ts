/**
 * How processes of one machine find each other: `server.json` in the data directory says where the control plane
 * listens and which process it is. CLI and local agent read it at each try, so a changed port needs no restart.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

export interface LocalServer {
  readonly url: string;
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, which tells a process from a later one of the same id; null where there is no /proc. */
  readonly startTicks: string | null;
  readonly version: string;
}

export const serverFile = (home: string): string => join(home, 'server.json');

/** Start time of a process in clock ticks since boot; null when it does not exist or cannot be told. */
export function startTicks(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

/** Whether exactly this process still lives. */
export function isAlive({ pid, startTicks: ticks }: Pick<LocalServer, 'pid' | 'startTicks'>): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return ticks === null || startTicks(pid) === ticks;
}

/** Writes `server.json` whole or not at all. */
export async function writeLocalServer(home: string, server: LocalServer): Promise<void> {
  const temporary = `${serverFile(home)}.${process.pid}.tmp`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(server)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, serverFile(home));
}

/** Reads `server.json`; undefined when there is none that can be read. */
export function readLocalServer(home: string): LocalServer | undefined {
  try {
    const value = JSON.parse(readFileSync(serverFile(home), 'utf8')) as LocalServer;
    return typeof value.url === 'string' && Number.isInteger(value.pid) ? value : undefined;
  } catch {
    return undefined;
  }
}

const endingFile = (home: string): string => join(home, 'ending.json');

/** Says that this process is ending everything of the data directory, so that nobody starts an agent again meanwhile. */
export function announceEnd(home: string): void {
  const self = { pid: process.pid, startTicks: startTicks(process.pid) };
  writeFileSync(endingFile(home), JSON.stringify(self), { mode: 0o600 });
}

/** Takes the announcement back. */
export const withdrawEnd = (home: string): void => rmSync(endingFile(home), { force: true });

/** Whether a process that lives is ending everything of the data directory. */
export function isEnding(home: string): boolean {
  try {
    return isAlive(JSON.parse(readFileSync(endingFile(home), 'utf8')) as LocalServer);
  } catch {
    return false;
  }
}

/** Removes `server.json` if it is this process's. */
export async function removeLocalServer(home: string): Promise<void> {
  if (readLocalServer(home)?.pid === process.pid) await rm(serverFile(home), { force: true });
}
