/**
 * Who a process is, beyond its number.
 *
 * Process numbers are reused, so a number alone must never decide that "our" supervisor lives or be sent a
 * SIGKILL. A process is the triple number, start time (clock ticks since boot, field 22 of /proc/<pid>/stat)
 * and boot id; the triple never comes back.
 */
import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot, as text because it may pass 2^53 in theory and is only compared. */
  start: string;
  bootId: string;
}

export interface ProcessStat {
  /** R, S, D, Z, … */
  state: string;
  parent: number;
  group: number;
  session: number;
  /** Own user and system time, seconds. */
  cpuSeconds: number;
  /** User and system time of children that were waited for, seconds. */
  childCpuSeconds: number;
  start: string;
}

/** USER_HZ is 100 on every Linux that Node supports; it is part of the kernel's ABI there. */
const TICKS_PER_SECOND = 100;

/** Parses one /proc/<pid>/stat; the command name may itself contain spaces and parentheses. Null when it is no such text. */
export function parseStat(text: string): ProcessStat | null {
  const close = text.lastIndexOf(')');
  if (close < 0) return null;
  const fields = text.slice(close + 2).split(' ');
  if (fields.length < 20) return null;
  const at = (index: number) => Number(fields[index]);
  return {
    state: fields[0] ?? '',
    parent: at(1),
    group: at(2),
    session: at(3),
    cpuSeconds: (at(11) + at(12)) / TICKS_PER_SECOND,
    childCpuSeconds: (at(13) + at(14)) / TICKS_PER_SECOND,
    start: fields[19] ?? '',
  };
}

/** Null when there is no such process. `root` is the proc mount to look in. */
export function readStat(pid: number | 'self', root = '/proc'): ProcessStat | null {
  try {
    return parseStat(readFileSync(`${root}/${pid}/stat`, 'utf8'));
  } catch {
    return null;
  }
}

let bootIdOnce: string | undefined;

export function bootId(): string {
  bootIdOnce ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return bootIdOnce;
}

/** Null when there is no such process (any more). */
export function identify(pid: number): ProcessIdentity | null {
  const stat = readStat(pid);
  return stat === null ? null : { pid, start: stat.start, bootId: bootId() };
}

/** True while exactly this process runs; a zombie runs no more. */
export function isAlive(who: ProcessIdentity): boolean {
  if (who.bootId !== bootId()) return false;
  const stat = readStat(who.pid);
  return stat !== null && stat.start === who.start && stat.state !== 'Z' && stat.state !== 'X';
}

/** Signals exactly this process; false when it is gone or not ours. */
export function signalProcess(who: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(who)) return false;
  try {
    process.kill(who.pid, signal);
    return true;
  } catch {
    return false;
  }
}
