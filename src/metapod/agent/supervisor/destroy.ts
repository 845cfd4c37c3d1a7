/** Ends whatever is left of an attempt and deletes its directory; safe to repeat and to interrupt. */
import { cgroupPids, killCgroup, recordedCgroup, removeCgroup } from '../isolation/cgroup.ts';
import { processesOf } from '../isolation/process.ts';
import { removeTree } from '../isolation/remove-tree.ts';
import { readClaim } from './claim.ts';
import { readLaunch, readStatus } from './files.ts';
import { isAlive, signalProcess } from './process-identity.ts';

const DEADLINE_MS = 10_000;

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
  const known = [
    ...(claim.kind === 'ok' ? [claim.value] : []),
    ...(status.kind === 'ok' ? status.value.processes : []),
  ];
  const strays = () =>
    launch.kind === 'ok' && launch.value.isolation === 'process'
      ? processesOf(launch.value.attemptId, 0, null).pids()
      : [];
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    for (const who of known) signalProcess(who, 'SIGKILL');
    if (cgroup !== null) killCgroup(cgroup);
    const left = strays();
    for (const pid of left) kill(pid);
    const inCgroup = cgroup === null ? 0 : cgroupPids(cgroup).length;
    if (!known.some(isAlive) && left.length === 0 && inCgroup === 0) return;
    if (Date.now() > deadline) throw new Error(`processes of ${attemptDir} do not end`);
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
