/** `solyx down`: ends everything on this machine: jobs, agent, control plane, database. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { solyxHome } from '../../common/config/home.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { agentDirectory, runningAgent } from '../local-agent.ts';
import { isAlive, type LocalServer, readLocalServer } from '../local-server.ts';
import { note } from '../output.ts';

/** Longest time for jobs to end within their grace, and for the control plane to stop, seconds. */
const patience = { agent: 120, server: 60 };

export function downCommand(program: Command): void {
  program
    .command('down')
    .description('end everything on this machine: jobs (with their grace), agent, control plane and database')
    .action(down);
}

async function down(): Promise<void> {
  const home = solyxHome();
  const server = readLocalServer(home);
  const alive = server !== undefined && isAlive(server);
  await endAgent(home);
  if (alive) {
    note('stopping the control plane …');
    process.kill(server.pid, 'SIGTERM');
    await untilDead(server, patience.server, 'The control plane');
  }
  await endDatabase(home);
  note('Everything has ended.');
}

/** Ends the agent after its attempts; while the control plane still runs, their ends are recorded. */
async function endAgent(home: string): Promise<void> {
  const { endEverything } = await import('../../metapod/agent/index.ts');
  const agent = runningAgent(home);
  if (agent) {
    note('ending jobs and the agent …');
    await endEverything(agentDirectory(home));
    await untilDead(agent, patience.agent, 'The agent');
  }
}

async function untilDead(
  target: Pick<LocalServer, 'pid' | 'startTicks'>,
  seconds: number,
  name: string,
): Promise<void> {
  const until = performance.now() + seconds * 1000;
  while (isAlive(target)) {
    if (performance.now() > until)
      throw new SolyxError('conflict', `${name} (process ${target.pid}) did not end within ${seconds} s.`);
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
