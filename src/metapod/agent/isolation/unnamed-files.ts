/**
 * How much a job holds in files that have no name: deleted ones that it keeps open, and memfds.
 *
 * A walk over directories cannot see them, so a job could fill the node's disk through one deleted file, or without a
 * cgroup its memory through a memfd that nobody maps. They are found where they are held, among the descriptors and
 * mappings of the job's processes. A deleted file that is mapped and open nowhere is seen by an agent that is root only
 * (the kernel shows /proc/<pid>/map_files to nobody else); System V segments that nobody maps are not seen.
 */
import { readdirSync, readFileSync, type Stats, statfsSync, statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { ProcessSet } from './watchdog.ts';

/** Bytes without a name: on the disk of the job's directories, and in memory. */
export interface UnnamedBytes {
  disk: number;
  memory: number;
}

/** tmpfs and hugetlbfs, statfs(2). */
const MEMORY_TYPES = new Set([0x01021994, 0x958458f6]);

/**
 * @param directories those whose file systems count as the job's disk
 * @returns allocated bytes; each file once, however many processes hold it
 */
export async function unnamedBytes(set: ProcessSet, directories: readonly string[]): Promise<UnnamedBytes> {
  const disks = devicesOf(directories);
  // What lies in these is counted by their file systems' own account, with a name or without.
  const counted = devicesOf(set.memoryMounts);
  const seen = new Set<string>();
  const bytes = { disk: 0, memory: 0 };
  for (const pid of set.pids()) {
    for (const path of heldBy(`${set.procRoot}/${pid}`)) {
      const stat = statOf(path);
      if (stat === null || !stat.isFile() || stat.nlink > 0) continue;
      const key = `${stat.dev}:${stat.ino}`;
      if (seen.has(key)) continue;
      seen.add(key);
      if (disks.has(stat.dev)) bytes.disk += stat.blocks * 512;
      else if (!counted.has(stat.dev) && isMemory(path)) bytes.memory += stat.blocks * 512;
    }
    // A job may hold a million descriptors; its supervisor has other things to look at meanwhile.
    await setImmediate();
  }
  return bytes;
}

function heldBy(process: string): string[] {
  const mapped = read(() => readFileSync(`${process}/maps`, 'utf8'), '')
    .split('\n')
    .filter((line) => line.endsWith(' (deleted)'))
    .map((line) => `${process}/map_files/${line.slice(0, line.indexOf(' ')).replace(/\b0+(?=[0-9a-f])/g, '')}`);
  return [...read(() => readdirSync(`${process}/fd`), []).map((fd) => `${process}/fd/${fd}`), ...mapped];
}

const statOf = (path: string): Stats | null => read(() => statSync(path), null);
const isMemory = (path: string): boolean => read(() => MEMORY_TYPES.has(statfsSync(path).type), false);
const devicesOf = (paths: readonly string[]): Set<number> => new Set(paths.flatMap((path) => statOf(path)?.dev ?? []));

/** Processes end and descriptors close while we look. */
function read<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
