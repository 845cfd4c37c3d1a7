/**
 * CPU and memory of the node from /proc/stat and /proc/meminfo (proc_stat(5), proc_meminfo(5)).
 */

/** Kernel ticks per second as /proc shows them: USER_HZ is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export type CpuTimes = {
  /** Seconds that all CPUs together were busy since boot (not idle, not waiting for disks, not stolen). */
  busySeconds: number;
  /** Busy plus idle plus waiting, seconds. */
  totalSeconds: number;
};

/** CPU times of a /proc/stat, or null when its first line is not the sum over CPUs. */
export function cpuTimesOf(stat: string): CpuTimes | null {
  const line = /^cpu +(\d{1,19}(?: +\d{1,19}){3,9})\s*$/m.exec(stat);
  if (line === null) return null;
  const ticks = (line[1] ?? '').split(/ +/).map(Number);
  // user nice system idle iowait irq softirq steal; guest time (after steal) is inside user already.
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0] = ticks;
  const busy = user + nice + system + irq + softirq;
  return { busySeconds: busy / TICKS_PER_SECOND, totalSeconds: (busy + idle + iowait) / TICKS_PER_SECOND };
}

/** Busy share between two readings, 0..1; null without progress (or when iowait ran backwards, as the manual warns). */
export function utilizationBetween(before: CpuTimes, after: CpuTimes): number | null {
  const total = after.totalSeconds - before.totalSeconds;
  if (!(total > 0)) return null;
  return Math.min(1, Math.max(0, (after.busySeconds - before.busySeconds) / total));
}

/** Memory that could not be given to a new program, bytes: MemTotal − MemAvailable. */
export function memoryUsedOf(meminfo: string): number | null {
  const kb = (key: string) => new RegExp(`^${key}:\\s+(\\d{1,15}) kB$`, 'm').exec(meminfo)?.[1];
  const total = kb('MemTotal');
  const available = kb('MemAvailable');
  if (total === undefined || available === undefined) return null;
  return Math.max(0, Number(total) - Number(available)) * 1024;
}
