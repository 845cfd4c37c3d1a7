/**
 * Reads a file or standard input, and no more of it than is wanted.
 *
 * Files that people name by mistake may have no end (/dev/zero, a pipe whose writer never stops) or more bytes than this machine has
 * memory. Their size tells nothing beforehand, so reading itself stops one byte after the limit.
 */
import { closeSync, openSync, readSync } from 'node:fs';

/**
 * @param file path, or 0 for standard input
 * @param mostBytes limit, ≥ 0; an answer that is longer says that there was more
 * @returns at most `mostBytes + 1` bytes
 * @throws Error with a `code` when it cannot be read
 */
export function readBounded(file: string | 0, mostBytes: number): Buffer {
  const descriptor = file === 0 ? 0 : openSync(file, 'r');
  try {
    const parts: Buffer[] = [];
    let left = mostBytes + 1;
    while (left > 0) {
      const part = Buffer.allocUnsafe(Math.min(left, 65_536));
      const count = readSync(descriptor, part, 0, part.length, null);
      if (count === 0) break;
      parts.push(part.subarray(0, count));
      left -= count;
    }
    return Buffer.concat(parts);
  } finally {
    if (file !== 0) closeSync(descriptor);
  }
}
