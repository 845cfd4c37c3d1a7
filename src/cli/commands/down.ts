/** `solyx down`: ends everything on this machine: jobs, agent, control plane, database. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { solyxHome } from '../../common/config/home.ts';
import { holderOfHome } from '../../common/database/home-lock.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { readLocalServer } from '../local-server.ts';
import { note } from '../output.ts';

/** Longest time for the control plane to stop, seconds. */
const patienceSeconds = 60;

export function downCommand(program: Command): void {
  program
    .command('down')
    .description('end everything on this machine: jobs (with their grace), agent, control plane and database')
    .action(down);
}

async function down(): Promise<void> {
  const home = solyxHome();
  await endAgent(home);
  // By the lock, not by server.json: a control plane that is stopping has removed its file and still holds the database.
  const pid = holderOfHome(home);
  if (pid !== undefined) {
    note('stopping the control plane …');
    if (readLocalServer(home)?.pid === pid) process.kill(pid, 'SIGTERM');
    await untilFree(home, pid);
  }
  await endDatabase(home);
  note('Everything has ended.');
}

/** Ends the agent after its attempts; while the control plane still runs, their ends are recorded. */
async function endAgent(home: string): Promise<void> {
  const [{ endEverything }, { agentDirectory, runningAgent }] = await Promise.all([
    import('../../metapod/agent/index.ts'),
    import('../local-agent.ts'),
  ]);
  if (!existsSync(agentDirectory(home))) return;
  if (runningAgent(home)) note('ending jobs and the agent …');
  await endEverything(agentDirectory(home));
}

async function untilFree(home: string, pid: number): Promise<void> {
  const until = performance.now() + patienceSeconds * 1000;
  while (holderOfHome(home) === pid) {
    if (performance.now() > until) {
      throw new SolyxError('conflict', `The control plane (process ${pid}) did not end within ${patienceSeconds} s.`);
    }
    await pause(50);
  }
}

/** A control plane that was killed leaves its database running: adopt it and stop it. */
async function endDatabase(home: string): Promise<void> {
  if (!existsSync(join(home, 'postgres', 'postmaster.pid'))) return;
  const [{ startEmbeddedDatabase }, { silentLogger }] = await Promise.all([
    import('../../common/database/index.ts'),
    import('../../common/logger.ts'),
  ]);
  note('stopping the database …');
  const database = await startEmbeddedDatabase({ home, logger: silentLogger });
  await database.stop();
}
