/**
 * The newest fencing token that this node has seen of each job; a start under an older one is refused.
 *
 * A file a job, replaced whole, so that the refusal also holds after a restart and after the attempt's folder is gone.
 * They are dropped after a week: by then no command of an older attempt can still be on its way.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomic } from './supervisor/files.ts';

const keptMs = 7 * 86_400_000;

export class Fences {
  readonly #folder: string;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) > keptMs)
        rmSync(path, { force: true });
    }
  }

  /** Whether this token may start; remembers it if it is the newest. @throws Error when the disk is full */
  admit(jobId: string, token: bigint): boolean {
    const path = join(this.#folder, encodeURIComponent(jobId));
    const newest = this.#read(path);
    if (token < newest) return false;
    if (token > newest) writeAtomic(path, `${token}\n`);
    return true;
  }

  #read(path: string): bigint {
    try {
      return BigInt(readFileSync(path, 'utf8').trim());
    } catch {
      return -1n;
    }
  }
}
