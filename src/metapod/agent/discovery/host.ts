/**
 * The node without its devices: CPU, memory, disk, kernel, boot.
 *
 * /proc and /sys are asked first (they can be fed from a recorded tree); where they are missing (macOS) the
 * operating system's own figures stand in. The agent's cgroup lowers what is offered.
 */
import { cgroupLimits } from './cgroup.ts';
import type { Inventory } from './device.ts';
import type { Outside } from './outside.ts';
import { membersOf, numberIn } from './reading.ts';
import type { Warn } from './tools.ts';

/** Bytes of a `/proc/meminfo` line such as `MemTotal`, or null. */
export function meminfoBytes(meminfo: string, key: string): number | null {
  const line = new RegExp(`^${key}:\\s+(\\d{1,15}) kB$`, 'm').exec(meminfo);
  return line === null ? null : numberIn(Number(line[1]) * 1024, [0, 2 ** 53 - 1]);
}

/** Everything of the inventory but devices. Never throws; what cannot be read is a warning and 0. */
export async function hostInventory(
  outside: Outside,
  scratch: string,
  warn: Warn,
): Promise<Omit<Inventory, 'devices' | 'warnings'>> {
  const host = outside.host();
  const limits = await cgroupLimits(outside);
  const online = membersOf((await outside.readText('/sys/devices/system/cpu/online')) ?? '');
  const cpuMilli = (online?.length ?? host.cpus) * 1000;
  const memoryBytes = meminfoBytes((await outside.readText('/proc/meminfo')) ?? '', 'MemTotal') ?? host.memoryBytes;
  const free = await outside.freeBytes(scratch);
  if (free === null) warn({ code: 'host-unreadable', source: scratch, detail: 'free space of the scratch folder' });
  const boot = (await outside.readText('/proc/sys/kernel/random/boot_id'))?.trim() ?? '';
  const kernel = (await outside.readText('/proc/sys/kernel/osrelease'))?.trim();
  return {
    cpuMilli: Math.min(cpuMilli, limits.cpuMilli ?? cpuMilli),
    memoryBytes: Math.min(memoryBytes, limits.memoryBytes ?? memoryBytes),
    diskBytes: free === null || !Number.isFinite(free) ? 0 : Math.max(0, Math.floor(free)),
    os: host.platform,
    arch: host.arch,
    kernel: kernel || host.kernel,
    bootId: /^[0-9a-f-]{36}$/.test(boot) ? boot : null,
  };
}
