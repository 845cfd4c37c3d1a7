/**
 * Reads a file or standard input, and no more of it than is wanted.
 *
 * Files that people name by mistake may have no end (/dev/zero, a pipe whose writer never stops) or more bytes than this machine has
 * memory. Their size tells nothing beforehand, so reading itself stops one byte after the limit.
 *
 * Standard input may be one that does not wait (a socket, a terminal that another program left so): then nothing is there for now,
 * which is neither an end nor an error.
 */
import { closeSync, openSync, readSync } from 'node:fs';

/** Pause while nothing is there, ms. */
const pauseMs = 10;

/** Reads what is there, and waits until something is. @returns bytes; 0 at the end */
function readSome(descriptor: number, into: Buffer): number {
  for (;;) {
    try {
      return readSync(descriptor, into, 0, into.length, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
    }
  }
}

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
      const count = readSome(descriptor, part);
      if (count === 0) break;
      parts.push(part.subarray(0, count));
      left -= count;
    }
    return Buffer.concat(parts);
  } finally {
    if (file !== 0) closeSync(descriptor);
  }
}
