/**
 * The claim: an attempt is started at most once, whoever asks how often.
 *
 * An agent that is killed right after starting a supervisor starts another one for the same directory when it
 * comes back. The first supervisor to hard-link its claim into place owns the attempt for ever; every other
 * leaves. A claim whose owner died is never taken over, because its job may already have had effects.
 * Nothing is synced to disk here (that can take longer than the whole start): after a power cut the boot id in
 * launch.json says that the attempt is over, claim or not.
 */
import { linkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FILES, readJson, writeAtomic } from './files.ts';
import { identify, type ProcessIdentity } from './process-identity.ts';

/** Owns an attempt of which it was decided that it never runs: no process, so nobody is killed when what is left of it is. */
export const nobody: ProcessIdentity = { pid: 0, start: '', bootId: '' };

/**
 * @param owner who runs the attempt: this process, or `nobody`
 * @returns true when it is owned so now
 */
export function claimAttempt(dir: string, owner = identify(process.pid)): boolean {
  const mine = join(dir, `${FILES.claim}.${process.pid}`);
  writeAtomic(mine, JSON.stringify(owner), false);
  try {
    linkSync(mine, join(dir, FILES.claim));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(mine, { force: true });
  }
}

export const readClaim = (dir: string) => readJson<ProcessIdentity>(join(dir, FILES.claim));
