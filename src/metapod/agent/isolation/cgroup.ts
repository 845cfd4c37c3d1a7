/**
 * One control group (per controller, on version 1) around one attempt: limits, accounts, and a sure kill.
 *
 * The group is written down in cgroup.json before anything runs in it, so that whoever finds the attempt later
 * can kill and remove it even if the agent by then lives in another group.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FILES, type Launch, readJson, writeAtomic } from '../supervisor/files.ts';
import { type CgroupPlan, type Controller, machineView, planCgroup } from './cgroup-plan.ts';

export interface Cgroup {
  version: 1 | 2;
  directories: Partial<Record<Controller, string>>;
}

/** Our own processes inside the group: launcher, pid 1 and the steps between. */
const OWN_PROCESSES = 6;
const PERIOD_MICROS = 100_000;

/**
 * Makes the group with its limits.
 * @returns null when not even the memory controller is to be had; then nothing is left behind
 */
export function createCgroup(dir: string, launch: Launch, plan: CgroupPlan = planCgroup(machineView())): Cgroup | null {
  if (plan.bases.memory === undefined) return null;
  const cgroup: Cgroup = { version: plan.version, directories: {} };
  for (const [controller, base] of Object.entries(plan.bases)) {
    cgroup.directories[controller as Controller] = join(base, `solyx-${launch.attemptId}-${launch.rank}`);
  }
  writeAtomic(join(dir, FILES.cgroup), JSON.stringify(cgroup), false);
  try {
    const base = plan.bases.memory;
    if (plan.enable.length > 0) {
      writeFileSync(join(base, 'cgroup.subtree_control'), plan.enable.map((name) => `+${name}`).join(' '));
    }
    for (const directory of new Set(Object.values(cgroup.directories))) mkdirSync(directory, { recursive: true });
    for (const [path, value] of limitFiles(cgroup, launch.limits)) {
      try {
        writeFileSync(path, value);
      } catch (error) {
        // Swap accounting is absent on many kernels; each other limit must hold.
        if (!/memsw|swap/.test(path)) throw error;
      }
    }
    return cgroup;
  } catch {
    removeCgroup(cgroup);
    return null;
  }
}

/** The files that hold the limits, in the order in which they must be written. */
export function limitFiles(cgroup: Cgroup, limits: Launch['limits']): [path: string, value: string][] {
  const { memory, pids, cpu } = cgroup.directories;
  const quota = String(Math.max(1000, Math.round((limits.cpuMilli * PERIOD_MICROS) / 1000)));
  const bytes = String(Math.floor(limits.memoryBytes));
  const files: [string, string][] = [];
  if (memory !== undefined && cgroup.version === 1) {
    files.push([join(memory, 'memory.limit_in_bytes'), bytes], [join(memory, 'memory.memsw.limit_in_bytes'), bytes]);
  } else if (memory !== undefined) {
    files.push([join(memory, 'memory.max'), bytes], [join(memory, 'memory.swap.max'), '0']);
  }
  if (pids !== undefined) files.push([join(pids, 'pids.max'), String(limits.pids + OWN_PROCESSES)]);
  if (cpu !== undefined && cgroup.version === 1) {
    files.push([join(cpu, 'cpu.cfs_period_us'), String(PERIOD_MICROS)], [join(cpu, 'cpu.cfs_quota_us'), quota]);
  } else if (cpu !== undefined) files.push([join(cpu, 'cpu.max'), `${quota} ${PERIOD_MICROS}`]);
  return files;
}

/** Files into which a process writes `0` to enter the group. */
export const joinFiles = (cgroup: Cgroup) =>
  [...new Set(Object.values(cgroup.directories))].map((directory) => join(directory, 'cgroup.procs'));

const readText = (path: string) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/** The number after a word in a flat-keyed file such as memory.events; 0 when absent. */
export function keyed(text: string, key: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${key} `));
  return line === undefined ? 0 : Number(line.slice(key.length + 1));
}

/** Processes that the kernel killed for want of memory since the group was made. */
export function oomKills(cgroup: Cgroup): number {
  const { memory = '' } = cgroup.directories;
  return keyed(readText(join(memory, cgroup.version === 1 ? 'memory.oom_control' : 'memory.events')), 'oom_kill');
}

/** The kernel's own account. Null fields are not to be had with the controllers that we got. */
export function readAccount(cgroup: Cgroup): {
  memoryBytes: number;
  peakBytes: number | null;
  cpuSeconds: number | null;
} {
  const { memory = '', cpuacct } = cgroup.directories;
  const number = (path: string) => {
    const text = readText(path).trim();
    return text === '' ? null : Number(text);
  };
  if (cgroup.version === 1) {
    const nanos = cpuacct === undefined ? null : number(join(cpuacct, 'cpuacct.usage'));
    return {
      memoryBytes: number(join(memory, 'memory.usage_in_bytes')) ?? 0,
      peakBytes: number(join(memory, 'memory.max_usage_in_bytes')),
      cpuSeconds: nanos === null ? null : nanos / 1e9,
    };
  }
  return {
    memoryBytes: number(join(memory, 'memory.current')) ?? 0,
    peakBytes: number(join(memory, 'memory.peak')),
    cpuSeconds: keyed(readText(join(memory, 'cpu.stat')), 'usage_usec') / 1e6,
  };
}

export function cgroupPids(cgroup: Cgroup): number[] {
  const pids = joinFiles(cgroup).flatMap((path) => readText(path).split('\n'));
  return [...new Set(pids.filter((line) => line !== '').map(Number))].filter((pid) => pid > 0);
}

/** One round of SIGKILL to everything inside; repeat until `cgroupPids` is empty. */
export function killCgroup(cgroup: Cgroup): void {
  const { memory } = cgroup.directories;
  if (cgroup.version === 2 && memory !== undefined && existsSync(join(memory, 'cgroup.kill'))) {
    try {
      writeFileSync(join(memory, 'cgroup.kill'), '1');
    } catch {
      // Gone already; the loop below finds nothing either.
    }
  }
  for (const pid of cgroupPids(cgroup)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Ended by itself in between.
    }
  }
}

/** @returns false while a directory still holds a process */
export function removeCgroup(cgroup: Cgroup): boolean {
  let removed = true;
  for (const directory of new Set(Object.values(cgroup.directories))) {
    try {
      rmdirSync(directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') removed = false;
    }
  }
  return removed;
}

/** The group that an attempt was given, if any. */
export function recordedCgroup(dir: string): Cgroup | null {
  const record = readJson<Cgroup>(join(dir, FILES.cgroup));
  return record.kind === 'ok' ? record.value : null;
}
