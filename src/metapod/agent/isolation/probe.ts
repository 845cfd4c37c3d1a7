/**
 * Which isolation levels this machine can offer, found by doing it: a sandbox is built for `true` and seen to end
 * well. Looking at versions and sysctls would miss the many ways in which a container or a security module
 * forbids it; they serve only to name the cure.
 */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeOutputPipes } from '../pipes.ts';
import type { Enforcement, Launch } from '../supervisor/files.ts';
import { startJob } from '../supervisor/job.ts';
import { machineView, planCgroup } from './cgroup-plan.ts';
import { prepare } from './isolation.ts';
import { removeTree } from './remove-tree.ts';

export type LevelProbe =
  | { level: Launch['isolation']; offered: true; enforcement: Enforcement; warnings: string[] }
  | { level: Launch['isolation']; offered: false; why: string; cure: string };

export interface IsolationProbe {
  levels: LevelProbe[];
  cgroup: { version: 1 | 2; controllers: string[]; missing: string[] };
}

/** Takes about 100 ms a level. @param nodeBinary Solyx' own Node, as jobs will see it */
export async function probeIsolation(nodeBinary: string): Promise<IsolationProbe> {
  const plan = planCgroup(machineView());
  const levels: LevelProbe[] = [];
  for (const level of ['process', 'sandbox'] as const) levels.push(await probeLevel(level, nodeBinary));
  return {
    levels,
    cgroup: { version: plan.version, controllers: Object.keys(plan.bases), missing: plan.missing },
  };
}

function probeLevel(level: Launch['isolation'], nodeBinary: string): Promise<LevelProbe> {
  return tryLaunch(() => probeLaunch(level, nodeBinary), cureFor);
}

/**
 * Runs a trial to its end in a folder of its own, which is deleted.
 * @param launch of a program that ends with 0; made when the folder exists
 */
export async function tryLaunch(
  launchIn: (dir: string) => Launch,
  cureOf: (why: string) => string,
): Promise<LevelProbe> {
  const dir = mkdtempSync(join(tmpdir(), 'solyx-probe-'));
  const launch = launchIn(dir);
  const level = launch.isolation;
  try {
    const prepared = await prepare(dir, launch);
    const job = startJob(prepared, makeOutputPipes(`${dir}/`));
    job.out.resume();
    job.err.resume();
    const started = await job.started;
    const exit = await job.exited;
    await job.gone();
    job.out.destroy();
    job.err.destroy();
    prepared.cleanup();
    if (started.kind === 'failed' || exit.code !== 0) {
      const why = started.kind === 'failed' ? started.message : `a trial run ended with code ${exit.code}`;
      return { level, offered: false, why, cure: cureOf(why) };
    }
    const warnings = warningsFor(level, prepared.enforcement);
    if (!job.hasLoopback()) warnings.push('a job without network has no loopback either: install iproute2');
    return { level, offered: true, enforcement: prepared.enforcement, warnings };
  } catch (error) {
    const why = (error as Error).message;
    return { level, offered: false, why, cure: cureOf(why) };
  } finally {
    removeTree(dir);
  }
}

/** A launch of `true` under small limits. */
export function probeLaunch(level: Launch['isolation'], nodeBinary: string): Launch {
  return {
    attemptId: `probe-${process.pid}-${level}`,
    jobId: 'probe',
    rank: 0,
    worldSize: 1,
    token: '0',
    command: ['true'],
    env: {},
    workdir: null,
    isolation: level,
    network: level === 'process' ? 'host' : 'none',
    limits: { cpuMilli: 1000, memoryBytes: 64 << 20, diskBytes: 1 << 20, sharedMemoryBytes: 1 << 20, pids: 64 },
    devices: [],
    timeoutSeconds: null,
    graceSeconds: 0,
    onDisconnect: 'keep',
    checkpoint: null,
    logBufferBytes: 0,
    nodeBinary,
  };
}

function warningsFor(level: Launch['isolation'], enforcement: Enforcement): string[] {
  const warnings: string[] = [];
  if (level === 'process') warnings.push('no isolation: a job can read and change whatever the agent can');
  if (enforcement.memory === 'watchdog')
    warnings.push('no memory cgroup: memory is watched every 200 ms and can be exceeded for that long');
  if (enforcement.cpu === 'none') warnings.push('no cpu cgroup: a job can take more CPU than it asked for');
  if (enforcement.pids === 'none') warnings.push('no pids cgroup: the number of processes is not limited');
  return warnings;
}

/** What would let this machine make namespaces. */
export function cureFor(why: string): string {
  const sysctl = (name: string) => {
    try {
      return readFileSync(`/proc/sys/${name}`, 'utf8').trim();
    } catch {
      return null;
    }
  };
  if (/not installed|ENOENT|unshare: .*not found/.test(why))
    return 'install util-linux (unshare, setpriv, nsenter, mount)';
  if (sysctl('user/max_user_namespaces') === '0') return 'sysctl user.max_user_namespaces=10000';
  if (sysctl('kernel/unprivileged_userns_clone') === '0') return 'sysctl kernel.unprivileged_userns_clone=1';
  if (sysctl('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return 'sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile that allows userns for the agent';
  }
  if (/mount/.test(why))
    return 'in a container: run it with an unmasked /proc and permission to mount, or run the agent on the host';
  return 'allow user namespaces for the user of the agent (in a container: its seccomp profile must allow unshare and mount)';
}
