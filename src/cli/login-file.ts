/**
 * Where `solyx login` keeps URL and key of a server elsewhere: `login.json` in the data directory, readable by its owner alone.
 *
 * The key goes to that URL and nowhere else: both are kept together, and SOLYX_URL with another URL does not get it.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Login {
  /** Like `https://solyx.example.com`. */
  readonly url: string;
  readonly apiKey: string;
}

export const loginFile = (home: string): string => join(home, 'login.json');

/** What was kept; undefined when there is nothing that can be used. */
export function readLogin(home: string): Login | undefined {
  try {
    const value = JSON.parse(readFileSync(loginFile(home), 'utf8')) as Partial<Login>;
    const { url, apiKey } = value;
    return typeof url === 'string' && typeof apiKey === 'string' ? { url, apiKey } : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps a login, whole or not at all, with mode 0600. */
export function writeLogin(home: string, login: Login): void {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const temporary = `${loginFile(home)}.${process.pid}.tmp`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, `${JSON.stringify(login)}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(temporary, loginFile(home));
}

/** @returns whether there was one */
export function removeLogin(home: string): boolean {
  const had = readLogin(home) !== undefined;
  rmSync(loginFile(home), { force: true });
  return had;
}
