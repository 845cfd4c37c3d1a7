/**
 * Finds the cgroup directories in which this machine lets us make groups of our own.
 *
 * Version 1 has a tree per controller and each may or may not be writable; version 2 has one tree, in which a
 * group that holds processes cannot hand controllers to children, so an agent needs a delegated parent
 * (systemd: `Delegate=yes` with `DelegateSubgroup=agent`). Groups are always made below the agent's own group,
 * so that limits set on the agent keep holding for its jobs. This file only reads, through `CgroupView`, so that
 * version 2 is tested on recorded trees.
 */
import { accessSync, constants, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Mount, readMounts } from './mounts.ts';

export type Controller = 'memory' | 'pids' | 'cpu' | 'cpuacct';

export interface CgroupView {
  /** Text of /proc/self/cgroup. */
  selfCgroup: string;
  mounts: readonly Mount[];
  isWritable(path: string): boolean;
  /** Null when the file is absent or unreadable. */
  read(path: string): string | null;
}

export interface CgroupPlan {
  version: 1 | 2;
  /** Directory below which a group may be made, for each controller that we may use. */
  bases: Partial<Record<Controller, string>>;
  /** Version 2: controllers that must first be switched on for the children of the base. */
  enable: Controller[];
  /** Why the missing controllers are missing, for `doctor`. */
  missing: string[];
}

const CONTROLLERS: readonly Controller[] = ['memory', 'pids', 'cpu', 'cpuacct'];

export const machineView = (): CgroupView => ({
  selfCgroup: readFileSync('/proc/self/cgroup', 'utf8'),
  mounts: readMounts(),
  isWritable(path) {
    try {
      accessSync(path, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  },
  read(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return null;
    }
  },
});

/** Where a group path of /proc/self/cgroup appears below a mount; null when the mount shows another subtree. */
export function locate(mount: Mount, path: string): string | null {
  const root = mount.root === '/' ? '' : mount.root;
  // Inside a container without a cgroup namespace the mount shows our own group as its root.
  if (root !== '' && path !== root && !path.startsWith(`${root}/`)) return path === '/' ? mount.target : null;
  const rest = path.slice(root.length).replace(/\/+$/, '');
  return `${mount.target}${rest}`;
}

export function planCgroup(view: CgroupView): CgroupPlan {
  const lines = view.selfCgroup
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, controllers = '', ...path] = line.split(':');
      return { controllers: controllers.split(','), path: path.join(':') };
    });
  const legacy = CONTROLLERS.filter((name) => lines.some((line) => line.controllers.includes(name)));
  const unified = lines.find((line) => line.controllers[0] === '');
  if (legacy.length === 0 && unified !== undefined) return planUnified(view, unified.path);

  const plan: CgroupPlan = { version: 1, bases: {}, enable: [], missing: [] };
  for (const name of CONTROLLERS) {
    const line = lines.find((candidate) => candidate.controllers.includes(name));
    const mount = view.mounts.find((candidate) => candidate.type === 'cgroup' && candidate.superOptions.includes(name));
    const base = line === undefined || mount === undefined ? null : locate(mount, line.path);
    if (base === null) plan.missing.push(`${name}: no cgroup v1 controller of that name is mounted`);
    else if (!view.isWritable(base)) plan.missing.push(`${name}: ${base} is not writable`);
    else plan.bases[name] = base;
  }
  return plan;
}

function planUnified(view: CgroupView, path: string): CgroupPlan {
  const plan: CgroupPlan = { version: 2, bases: {}, enable: [], missing: [] };
  const mount = view.mounts.find((candidate) => candidate.type === 'cgroup2');
  const own = mount === undefined ? null : locate(mount, path);
  if (mount === undefined || own === null) {
    plan.missing.push('no cgroup2 file system shows this process');
    return plan;
  }
  const wanted: Controller[] = ['memory', 'pids', 'cpu'];
  for (const base of new Set([own, own === mount.target ? own : dirname(own), mount.target])) {
    if (!base.startsWith(mount.target)) continue;
    if (!view.isWritable(base) || !view.isWritable(`${base}/cgroup.procs`)) {
      plan.missing.push(`${base} is not delegated to us`);
      continue;
    }
    const words = (name: string) => (view.read(`${base}/${name}`) ?? '').split(/\s+/);
    const available = wanted.filter((name) => words('cgroup.controllers').includes(name));
    const enabled = available.filter((name) => words('cgroup.subtree_control').includes(name));
    const occupied = (view.read(`${base}/cgroup.procs`) ?? '').trim() !== '';
    // Only the true root of the machine may hold processes and hand out controllers; it alone has no cgroup.type.
    const mayEnable = !occupied || view.read(`${base}/cgroup.type`) === null;
    const usable = mayEnable && view.isWritable(`${base}/cgroup.subtree_control`) ? available : enabled;
    if (!usable.includes('memory')) {
      plan.missing.push(
        occupied
          ? `${base} holds processes itself; run the agent in a subgroup (systemd: Delegate=yes, DelegateSubgroup=agent)`
          : `${base} may not hand out the memory controller`,
      );
      continue;
    }
    for (const name of usable) plan.bases[name] = base;
    plan.bases.cpuacct = base;
    plan.enable = usable.filter((name) => !enabled.includes(name));
    plan.missing = [];
    return plan;
  }
  return plan;
}
