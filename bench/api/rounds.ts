/** What a server's scheduler has done since it was started, by its metrics. */
import { HttpLoad } from '../product/http-load.ts';
import type { ServerProcess } from '../product/server-process.ts';

export interface Rounds {
  /** Rounds that were planned. */
  readonly rounds: number;
  /** Jobs that were placed, and are committed. */
  readonly placements: number;
}

/** Reads the metrics of a server. */
export async function readRounds(server: ServerProcess): Promise<Rounds> {
  const load = new HttpLoad(server.url, 1);
  const { body } = await load.send('GET', '/metrics', server.adminKey);
  load.close();
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1] ?? Number.NaN);
  return {
    rounds: value('solyx_scheduler_round_seconds_count'),
    placements: value('solyx_scheduler_placements_total'),
  };
}

/** Resolves when the scheduler has placed something. @throws Error after a minute */
export async function firstRound(server: ServerProcess): Promise<void> {
  const deadline = performance.now() + 60_000;
  while ((await readRounds(server)).placements === 0) {
    if (performance.now() > deadline) throw new Error('the scheduler placed nothing within a minute');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
