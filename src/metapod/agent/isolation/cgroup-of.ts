/**
 * The cgroup in which somebody else put a process, to read its accounts and nothing more: whoever made it may have put
 * others into it, so it is never killed by us. Our own group, and those above it, are nobody's container.
 */
import { readFileSync } from 'node:fs';
import type { Cgroup } from './cgroup.ts';
import { type Controller, locate } from './cgroup-plan.ts';
import { readMounts } from './mounts.ts';

const CONTROLLERS: readonly Controller[] = ['memory', 'pids', 'cpu', 'cpuacct'];

/** Null when the process is gone, or its memory is counted in no group of its own that we can see. */
export function cgroupOf(pid: number): Cgroup | null {
  const found = groupOf(pid);
  const own = groupOf('self')?.directories.memory;
  const memory = found?.directories.memory;
  if (memory === undefined || own === undefined) return null;
  return own === memory || own.startsWith(`${memory}/`) ? null : found;
}

function groupOf(pid: number | 'self'): Cgroup | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  } catch {
    return null;
  }
  const mounts = readMounts();
  const lines = text.split('\n').flatMap((line) => {
    const [, controllers, ...path] = line.split(':');
    return controllers === undefined ? [] : [{ controllers: controllers.split(','), path: path.join(':') }];
  });
  const directories: Cgroup['directories'] = {};
  for (const name of CONTROLLERS) {
    const line = lines.find(({ controllers }) => controllers.includes(name));
    const mount = mounts.find((one) => one.type === 'cgroup' && one.superOptions.includes(name));
    const found = line === undefined || mount === undefined ? null : locate(mount, line.path);
    if (found !== null) directories[name] = found;
  }
  if (directories.memory !== undefined) return { version: 1, directories };
  const unified = lines.find(({ controllers }) => controllers[0] === '');
  const mount = mounts.find((one) => one.type === 'cgroup2');
  const found = unified === undefined || mount === undefined ? null : locate(mount, unified.path);
  return found === null ? null : { version: 2, directories: { memory: found } };
}
