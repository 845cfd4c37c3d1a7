/** `solyx down`: ends everything on this machine: jobs, agent, control plane, database. */
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { solyxHome } from '../../common/config/home.ts';
import { holderOfHome } from '../../common/database/home-lock.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { announceEnd, withdrawEnd } from '../local-server.ts';
import { note, printJson } from '../output.ts';

/** Longest time for the control plane to stop, seconds. */
const patienceSeconds = 60;
/** How often a long wait is told again, seconds. */
const tellEverySeconds = 5;

/** What was running and has been ended. */
interface Ended {
  home: string;
  agent: boolean;
  controlPlane: boolean;
  database: boolean;
}

export function downCommand(program: Command): void {
  program
    .command('down')
    .description('end everything on this machine: jobs (with their grace), agent, control plane and database')
    .option('--json', 'print JSON: what was running')
    .action(async (options: { json?: boolean }) => {
      const ended = await down(solyxHome());
      if (options.json) printJson(ended);
      else if (ended.agent || ended.controlPlane || ended.database) note('Everything has ended.');
      else note(`Nothing was running on ${ended.home}.`);
    });
}

async function down(home: string): Promise<Ended> {
  if (!existsSync(home)) return { home, agent: false, controlPlane: false, database: false };
  // The control plane keeps an agent running, unless it knows that everything is to end.
  announceEnd(home);
  try {
    // The agent first: while the control plane runs, the ends of its attempts are recorded.
    const agent = await endAgent(home);
    const controlPlane = await endControlPlane(home);
    // One that the control plane was just starting is ended now that nobody starts another.
    if (controlPlane) await endAgent(home);
    return { home, agent, controlPlane, database: (await endDatabase(home)) || controlPlane };
  } finally {
    withdrawEnd(home);
  }
}

/** Also one that was started a moment ago and has not taken its lock yet: it is awaited, and ended when it has. */
async function endAgent(home: string): Promise<boolean> {
  const [{ endEverything }, { agentDirectory, runningAgent, startedAgent }] = await Promise.all([
    import('../../metapod/agent/index.ts'),
    import('../local-agent.ts'),
  ]);
  if (!existsSync(agentDirectory(home)) && startedAgent(home) === undefined) return false;
  const isRunning = runningAgent(home) !== undefined || startedAgent(home) !== undefined;
  await telling('ending jobs and the agent', isRunning, async () => {
    const until = performance.now() + patienceSeconds * 1000;
    await endEverything(agentDirectory(home));
    for (let starting = startedAgent(home); starting !== undefined; starting = startedAgent(home)) {
      if (performance.now() > until) {
        throw new SolyxError(
          'conflict',
          `The agent (process ${starting.pid}) did not end within ${patienceSeconds} s.`,
        );
      }
      await pause(100);
      await endEverything(agentDirectory(home));
    }
  });
  return isRunning;
}

/** Found by its lock and not by server.json: one that starts or stops has none, and still holds the database. */
async function endControlPlane(home: string): Promise<boolean> {
  const pid = holderOfHome(home);
  if (pid === undefined) return false;
  await telling('stopping the control plane', true, async () => {
    const until = performance.now() + patienceSeconds * 1000;
    for (let told = false; holderOfHome(home) === pid; told = true) {
      if (!told) tellToEnd(pid);
      if (performance.now() > until) {
        throw new SolyxError('conflict', `The control plane (process ${pid}) did not end within ${patienceSeconds} s.`);
      }
      await pause(50);
    }
  });
  return true;
}

function tellToEnd(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPERM') throw new SolyxError('forbidden', `Process ${pid} belongs to another user of this machine.`);
    if (code !== 'ESRCH') throw error;
  }
}

/** A control plane that was killed leaves its database running: adopt it and stop it. */
async function endDatabase(home: string): Promise<boolean> {
  const { isPostmaster, readPostmasterFile } = await import('../../common/database/postmaster.ts');
  const directory = join(realpathSync(home), 'postgres');
  const found = readPostmasterFile(directory);
  if (!found || !isPostmaster(found.pid, directory)) return false;
  const [{ startEmbeddedDatabase }, { silentLogger }] = await Promise.all([
    import('../../common/database/index.ts'),
    import('../../common/logger.ts'),
  ]);
  await telling('stopping the database', true, async () => {
    const database = await startEmbeddedDatabase({ home, logger: silentLogger });
    await database.stop();
  });
  return true;
}

/** Says what is being done, and again every few seconds while it takes. */
async function telling(what: string, isWorthIt: boolean, work: () => Promise<void>): Promise<void> {
  const started = performance.now();
  if (isWorthIt) note(`${what} …`);
  const timer = setInterval(
    () => note(`${what} … ${Math.round((performance.now() - started) / 1000)} s`),
    tellEverySeconds * 1000,
  );
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
}
