/**
 * Reads files that a job writes, while it writes them and may do anything to them.
 *
 * The agent may be root, so a job must not be able to make it read what the job itself cannot: files are opened without
 * following links and without waiting for the other end of a pipe, and asked by their descriptor where they really are,
 * because a folder on the way may be swapped for a link at any time.
 */
import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

export interface Chunk {
  /** Where the bytes begin: what was asked for, or 0 when the file is shorter than that (it was begun anew). */
  readonly offset: number;
  readonly bytes: Buffer;
  readonly size: number;
}

/**
 * @param root a folder that the job cannot replace
 * @param path relative to it, without `..`
 * @returns undefined when there is no regular file that really lies there, or it cannot be read
 */
export function readChunk(root: string, path: string, offset: number, maxBytes: number): Chunk | undefined {
  let file: number | undefined;
  try {
    const full = join(realpathSync(root), path);
    file = openSync(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = fstatSync(file);
    if (!stat.isFile() || realPathOf(file, full) !== full) return undefined;
    const from = offset > stat.size ? 0 : offset;
    const bytes = Buffer.allocUnsafe(Math.min(maxBytes, stat.size - from));
    const length = readSync(file, bytes, 0, bytes.length, from);
    return { offset: from, bytes: bytes.subarray(0, length), size: stat.size };
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Where /proc is missing (macOS) the path is asked again: weaker, but the job there is the user's own process. */
function realPathOf(file: number, path: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${file}`);
  } catch {
    return realpathSync(path);
  }
}
