/**
 * How much disk a job's directories hold.
 *
 * Quotas need file systems prepared for them, so the sizes are added up by walking. The walk yields to the event
 * loop, never follows a link out, counts a file with several names once, and stops early once the limit is passed.
 * A directory that the job made unreadable to hide in is opened again: it is ours.
 */
import { chmod, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** What an empty file or a link costs: without it a job could use up a file system's inodes for nothing. */
const INODE_BYTES = 512;

/**
 * @param stopAtBytes the walk ends as soon as more than this was found
 * @returns allocated bytes, and 512 for each file that has none; at least those found
 */
export async function diskUsageBytes(
  roots: readonly string[],
  stopAtBytes = Number.POSITIVE_INFINITY,
): Promise<number> {
  const seen = new Set<string>();
  const open = [...roots];
  let bytes = 0;
  for (let dir = open.pop(); dir !== undefined && bytes <= stopAtBytes; dir = open.pop()) {
    for (const name of await list(dir)) {
      const path = join(dir, name);
      const stat = await lstat(path).catch(() => null);
      if (stat === null) continue;
      if (stat.nlink > 1 && !stat.isDirectory()) {
        const key = `${stat.dev}:${stat.ino}`;
        if (seen.has(key)) continue;
        seen.add(key);
      }
      bytes += Math.max(stat.blocks * 512, INODE_BYTES);
      if (stat.isDirectory()) open.push(path);
    }
  }
  return bytes;
}

async function list(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') return [];
    await chmod(dir, 0o700).catch(() => undefined);
    return readdir(dir).catch(() => []);
  }
}
