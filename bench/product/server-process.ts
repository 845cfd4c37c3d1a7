/** Starts `server.ts` on a benchmark's database and ends it. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchDatabase } from './database.ts';

export interface ServerProcess {
  readonly url: string;
  readonly adminKey: string;
  readonly pid: number;
  /** Begins to measure how late the event loop is. */
  resetLoopDelay(): void;
  /** How late it was since then, milliseconds. */
  loopDelay(): Promise<{ readonly loopDelayP99Ms: number; readonly loopDelayMaxMs: number }>;
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
  const child = fork(join(import.meta.dirname, 'server.ts'), [home, ...components], {
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
    resetLoopDelay: () => child.send('reset'),
    async loopDelay() {
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
