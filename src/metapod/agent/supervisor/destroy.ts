/** Ends whatever is left of an attempt and deletes its directory; safe to repeat and to interrupt. */
import { cgroupPids, killCgroup, recordedCgroup, removeCgroup } from '../isolation/cgroup.ts';
import { containerName, removeContainer } from '../isolation/container/engine.ts';
import { processesOf } from '../isolation/process.ts';
import { removeTree } from '../isolation/remove-tree.ts';
import { removeSecretFiles, secretsDirectory } from '../isolation/secret-files.ts';
import { readClaim } from './claim.ts';
import { readLaunch, readStatus } from './files.ts';
import { isAlive, signalProcess } from './process-identity.ts';

const DEADLINE_MS = 10_000;
/** For the launcher to reap the job, which is quicker than leaving its zombie to the host's init. */
const LAUNCHER_MS = 500;

/**
 * Kills by identity (number, start time, boot), by cgroup and, for isolation `process`, by the attempt's mark.
 * @throws Error when a process survives SIGKILL for 10 s (stuck in the kernel) or a file cannot be deleted;
 *   the directory is then kept, so that it can be tried again
 */
export async function destroyAttempt(attemptDir: string): Promise<void> {
  await killAttempt(attemptDir);
  const cgroup = recordedCgroup(attemptDir);
  if (cgroup !== null) removeCgroup(cgroup);
  removeTree(attemptDir);
}

/** The first half: afterwards nothing of the attempt runs any more. Files stay. */
export async function killAttempt(attemptDir: string): Promise<void> {
  const claim = readClaim(attemptDir);
  const status = readStatus(attemptDir);
  const launch = readLaunch(attemptDir);
  const cgroup = recordedCgroup(attemptDir);
  const processes = status.kind === 'ok' ? status.value.processes : [];
  const known = [...(claim.kind === 'ok' ? [claim.value] : []), ...processes];
  const launcher = launch.kind === 'ok' && launch.value.isolation !== 'process' ? processes.at(-1) : undefined;
  const strays = () =>
    launch.kind === 'ok' && launch.value.isolation === 'process'
      ? processesOf(launch.value.attemptId, 0, null).pids()
      : [];
  const container = launch.kind === 'ok' ? launch.value.container : undefined;
  const engine = container !== undefined && container.driver.kind !== 'runtime' ? container.driver : undefined;
  const began = Date.now();
  for (;;) {
    const spared = Date.now() < began + LAUNCHER_MS ? launcher : undefined;
    for (const who of known) if (who !== spared) signalProcess(who, 'SIGKILL');
    if (cgroup !== null && spared === undefined) killCgroup(cgroup);
    const left = strays();
    for (const pid of left) kill(pid);
    const isHeld =
      engine !== undefined &&
      launch.kind === 'ok' &&
      !removeContainer(engine, containerName(launch.value.attemptId, launch.value.rank), attemptDir);
    const inCgroup = cgroup === null ? 0 : cgroupPids(cgroup).length;
    if (!known.some(isAlive) && left.length === 0 && inCgroup === 0 && !isHeld) {
      if (launch.kind === 'ok') removeSecretFiles(secretsDirectory(launch.value.attemptId, launch.value.rank));
      return;
    }
    if (Date.now() > began + DEADLINE_MS) throw new Error(`processes of ${attemptDir} do not end`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Ended in between.
  }
}
