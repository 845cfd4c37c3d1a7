/**
 * The queues that we compare with. They are no dependencies of the product: a person installs them into a folder of their own,
 * and without it their numbers are skipped, loudly.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MissingData } from '../harness.ts';

/** One line that gets them. */
export const installation =
  'npm install --prefix DIR graphile-worker@0.18.0 pg-boss@12.38.0, then BENCH_PEERS=DIR npm run bench -- queue';

/** What a drained queue took. */
export interface Drained {
  readonly jobs: number;
  /** From the first claim to the last acknowledgement, ms. */
  readonly ms: number;
}

export interface Peer {
  readonly name: string;
  /** Adds jobs and works them off; `runMs` is how long each takes. */
  drain(url: string, jobs: number, runMs: number): Promise<Drained>;
  /** Mean time from adding a job to its start, ms; absent where a queue only polls. */
  latency?(url: string, jobs: number): Promise<number>;
}

/** Loads a package of the peers' folder. @throws MissingData */
export async function loadPeer<T>(name: string): Promise<T> {
  const folder = process.env.BENCH_PEERS;
  if (folder === undefined || !existsSync(join(folder, 'node_modules', name))) {
    throw new MissingData(`${name} (${installation})`);
  }
  const file = createRequire(join(folder, 'package.json')).resolve(name);
  return (await import(pathToFileURL(file).href)) as T;
}
