/**
 * Limits of the agent's own cgroup: an agent in a container or a systemd slice must not offer the whole machine.
 *
 * The limit in force is the smallest of all ancestors, so the walk goes from the agent's group up to the mount.
 * In a container the path in /proc/self/cgroup is the host's and does not exist below the mount; the mount's
 * own root (mountinfo) tells which part of it to drop. Version 1 and 2 both, also mixed ("hybrid"), where the
 * controllers stay on version 1. Version 1 was recorded on a real machine, version 2 follows the kernel's
 * Documentation/admin-guide/cgroup-v2.rst.
 */
import type { Outside } from './outside.ts';
import { membersOf } from './reading.ts';

export type CgroupLimits = {
  /** CPU time that the group may use, thousandths of a CPU (quota and cpuset); null without a limit. */
  cpuMilli: number | null;
  /** Memory that the group may use, bytes; null without a limit. */
  memoryBytes: number | null;
};

type Mount = { root: string; point: string; controllers: string[]; version: 1 | 2 };

/** Version 1 says "no limit" with the largest page-aligned number; anything beyond 8 EiB/2 means the same. */
const NO_LIMIT_BYTES = 2 ** 62;
const MAX_DEPTH = 32;

/** Reads the limits of the calling process' cgroup. Missing or strange files mean no limit. */
export async function cgroupLimits(outside: Outside): Promise<CgroupLimits> {
  const mounts = cgroupMounts((await outside.readText('/proc/self/mountinfo')) ?? '');
  const paths = cgroupPaths((await outside.readText('/proc/self/cgroup')) ?? '');
  const cpu: number[] = [];
  const memory: number[] = [];
  for (const mount of mounts) {
    const path = mount.version === 2 ? paths.get('') : mount.controllers.map((name) => paths.get(name)).find(Boolean);
    if (path === undefined) continue;
    for (const folder of foldersUp(mount, path)) {
      const read = async (file: string) => (await outside.readText(`${folder}/${file}`))?.trim() ?? '';
      if (mount.version === 2) {
        memory.push(bytesOr(await read('memory.max')));
        cpu.push(quotaMilli(await read('cpu.max')), cpusetMilli(await read('cpuset.cpus.effective')));
      } else {
        if (mount.controllers.includes('memory')) memory.push(bytesOr(await read('memory.limit_in_bytes')));
        if (mount.controllers.includes('cpu')) {
          cpu.push(quotaMilli(`${await read('cpu.cfs_quota_us')} ${await read('cpu.cfs_period_us')}`));
        }
        if (mount.controllers.includes('cpuset')) {
          const effective = await read('cpuset.effective_cpus');
          cpu.push(cpusetMilli(effective === '' ? await read('cpuset.cpus') : effective));
        }
      }
    }
  }
  return { cpuMilli: smallest(cpu), memoryBytes: smallest(memory) };
}

/** Mounted cgroup hierarchies of a /proc/self/mountinfo (proc_pid_mountinfo(5)). */
function cgroupMounts(mountinfo: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ');
    const [, , , root, point] = before?.split(' ') ?? [];
    const [type, , options] = after?.split(' ') ?? [];
    if (root === undefined || point === undefined) continue;
    if (type === 'cgroup2') mounts.push({ root, point, controllers: [], version: 2 });
    else if (type === 'cgroup') mounts.push({ root, point, controllers: options?.split(',') ?? [], version: 1 });
  }
  return mounts;
}

/** Controller → path of a /proc/self/cgroup; version 2 has the empty controller. */
function cgroupPaths(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const parts = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (parts === null) continue;
    for (const controller of (parts[1] ?? '').split(',')) paths.set(controller, parts[2] ?? '/');
  }
  return paths;
}

/** Folders from the group itself up to the mount point. */
function foldersUp(mount: Mount, path: string): string[] {
  const below = path === mount.root || path.startsWith(`${mount.root}/`) ? path.slice(mount.root.length) : path;
  // A path outside the mount's root (`/../..`) belongs to a namespace we cannot see; the mount itself is all there is.
  const relative = mount.root !== '/' && below === path ? '' : below;
  const parts = relative
    .split('/')
    .filter((part) => part !== '' && part !== '.' && part !== '..')
    .slice(0, MAX_DEPTH);
  return parts.map((_, depth) => [mount.point, ...parts.slice(0, parts.length - depth)].join('/')).concat(mount.point);
}

function bytesOr(text: string): number {
  const bytes = /^\d{1,20}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
  return bytes > 0 && bytes < NO_LIMIT_BYTES ? bytes : Number.POSITIVE_INFINITY;
}

/** `200000 100000` → 2000; `max 100000` and `-1 100000` → no limit. */
function quotaMilli(text: string): number {
  const parts = /^(\d{1,15}) (\d{1,15})$/.exec(text);
  if (parts === null) return Number.POSITIVE_INFINITY;
  const milli = Math.floor((Number(parts[1]) / Number(parts[2])) * 1000);
  return Number.isFinite(milli) && milli > 0 ? milli : Number.POSITIVE_INFINITY;
}

function cpusetMilli(text: string): number {
  const members = text === '' ? null : membersOf(text);
  return members === null ? Number.POSITIVE_INFINITY : members.length * 1000;
}

function smallest(values: number[]): number | null {
  const least = Math.min(Number.POSITIVE_INFINITY, ...values);
  return Number.isFinite(least) ? least : null;
}
