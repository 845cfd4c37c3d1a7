/** Starts `server.ts` on a benchmark's database and ends it. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchDatabase } from './database.ts';

/** Since the last reset. */
export interface ServerCost {
  /** How late the event loop was, milliseconds. */
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
  /** Processor cores that the process used, all threads. */
  readonly cores: number;
}

export interface ServerProcess {
  readonly url: string;
  readonly adminKey: string;
  readonly pid: number;
  /** Begins to measure what it costs. */
  resetCost(): void;
  cost(): Promise<ServerCost>;
  stop(): Promise<void>;
}

/** @param components such as `['api', 'scheduler']`, on one port */
export async function startServer(
  database: BenchDatabase,
  components: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const home = join(database.home, 'home');
  await mkdir(home, { recursive: true });
  const child = fork(fileURLToPath(new URL('server.ts', import.meta.url)), [home, ...components], {
    env: { ...process.env, SOLYX_HOME: home, SOLYX_DATABASE_URL: database.url, ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  const first = await Promise.race([once(child, 'message'), ended]);
  const { url } = first[0] as { url?: string };
  if (url === undefined) throw new Error(`the server ended with ${first[0] ?? first[1]}`);
  return {
    url,
    adminKey: (await readFile(join(home, 'admin.key'), 'utf8')).trim(),
    pid: child.pid!,
    resetCost: () => child.send('reset'),
    async cost() {
      const answer = once(child, 'message');
      child.send('read');
      return (await answer)[0];
    },
    async stop() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
