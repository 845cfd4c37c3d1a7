/**
 * Measures a job's processes where no cgroup does it for us.
 *
 * Adding up resident sizes is cheap and counts shared pages once per process, so a loader that forked eight
 * workers would look eight times its size and be ended for nothing. The exact proportional size (smaps_rollup)
 * walks page tables. So: the cheap sum first, and only if it exceeds the limit the exact one decides. Files in
 * the sandbox's tmpfs are memory too; a shared mapping of such a file is counted once, by the larger number.
 *
 * Memory in a memfd that no process maps is found by `unnamed-files.ts`. Not seen, and stated: memory in a System V
 * segment that no process maps. Only a cgroup counts that.
 */
import { readdirSync, readFileSync, statfsSync } from 'node:fs';
import { readStat } from '../supervisor/process-identity.ts';

/** Which processes belong to the job, and the proc mount by which to look at them. */
export interface ProcessSet {
  procRoot: string;
  pids(): number[];
  /** tmpfs mounts whose content counts as the job's memory. */
  memoryMounts: string[];
}

export interface Sample {
  memoryBytes: number;
  /** True when the exact measure exceeds the limit. */
  exceeded: boolean;
  /** Processes now alive with their waited-for children, seconds; falls when an orphan ends. */
  cpuSeconds: number;
  processes: number;
}

/** Bytes of a memory page: AT_PAGESZ (6) of the auxiliary vector, getauxval(3). */
export function pageBytes(auxv: Buffer = readFileSync('/proc/self/auxv')): number {
  for (let at = 0; at + 16 <= auxv.length; at += 16) {
    if (auxv.readBigUInt64LE(at) === 6n) return Number(auxv.readBigUInt64LE(at + 8));
  }
  return 4096;
}

const page = pageBytes();

/** Resident and shared bytes by /proc/<pid>/statm (proc(5)). */
export function parseStatm(text: string): { residentBytes: number; sharedBytes: number } {
  const [, resident = '0', shared = '0'] = text.split(' ');
  return { residentBytes: Number(resident) * page, sharedBytes: Number(shared) * page };
}

/** Proportional private and shared-memory bytes by /proc/<pid>/smaps_rollup. */
export function parseRollup(text: string): { anonymousBytes: number; sharedBytes: number } {
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return { anonymousBytes: kib('Pss_Anon') + kib('SwapPss'), sharedBytes: kib('Pss_Shmem') };
}

/** @param unnamed memory in files that have no name, bytes */
export function sampleProcesses(set: ProcessSet, limitBytes: number, unnamed = 0): Sample {
  const pids = set.pids();
  let resident = 0;
  let anonymous = 0;
  let cpuSeconds = 0;
  for (const pid of pids) {
    const stat = readStat(pid, set.procRoot);
    if (stat !== null) cpuSeconds += stat.cpuSeconds + stat.childCpuSeconds;
    const size = tryRead(`${set.procRoot}/${pid}/statm`, parseStatm);
    if (size === null) continue;
    resident += size.residentBytes;
    anonymous += size.residentBytes - size.sharedBytes;
  }
  let files = unnamed;
  for (const mount of set.memoryMounts) files += usedBytes(mount);
  const rough = { memoryBytes: anonymous + files, exceeded: false, cpuSeconds, processes: pids.length };
  if (resident + files <= limitBytes) return rough;

  let exact = 0;
  let shared = 0;
  for (const pid of pids) {
    const size = tryRead(`${set.procRoot}/${pid}/smaps_rollup`, parseRollup);
    exact += size?.anonymousBytes ?? 0;
    shared += size?.sharedBytes ?? 0;
  }
  const memoryBytes = exact + Math.max(shared, files);
  return { ...rough, memoryBytes, exceeded: memoryBytes > limitBytes };
}

function tryRead<T>(path: string, parse: (text: string) => T): T | null {
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch {
    return null; // The process ended between listing and reading.
  }
}

function usedBytes(mount: string): number {
  try {
    const stat = statfsSync(mount);
    return (stat.blocks - stat.bfree) * stat.bsize;
  } catch {
    return 0;
  }
}

/** Numbers of the processes that a proc mount shows. */
export function listPids(procRoot: string): number[] {
  try {
    return readdirSync(procRoot)
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && pid > 0);
  } catch {
    return [];
  }
}
