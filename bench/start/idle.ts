/** What Solyx costs a machine on which nothing happens: CPU and memory of control plane, PostgreSQL and agent. */
import { setTimeout } from 'node:timers/promises';
import { type Cost, meter } from './processes.ts';

export interface IdleCost {
  readonly seconds: number;
  readonly controlPlane: Cost;
  readonly postgres: Cost;
  readonly agent: Cost;
}

/**
 * Measures an installation that has nothing to do.
 *
 * @param home its data directory, by which its processes are known
 * @param seconds how long, > 0; a minute has every loop's re-sync in it
 */
export async function measureIdle(home: string, serverPid: number, seconds: number): Promise<IdleCost> {
  const ofHome = (mark: string) => (command: string) => command.includes(home) && command.includes(mark);
  const isAgent = ofHome(' agent ');
  const isPostgres = ofHome('postgres -D ');
  const agent = meter({ isRoot: isAgent });
  const postgres = meter({ isRoot: isPostgres });
  const controlPlane = meter({
    isRoot: (_command, pid) => pid === serverPid,
    isOther: (command) => isAgent(command) || isPostgres(command),
  });
  const began = performance.now();
  await setTimeout(seconds * 1000);
  return {
    seconds: (performance.now() - began) / 1000,
    controlPlane: controlPlane(),
    postgres: postgres(),
    agent: agent(),
  };
}

/** Share of one core, 0–1 and more. */
export const shareOf = (cost: Cost, seconds: number): number => cost.cpuSeconds / seconds;
