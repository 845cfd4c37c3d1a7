/**
 * Unpacks a job's bundle, a tar archive (plain or gzip) that a user made: hostile input.
 *
 * Only files, folders and links that stay inside are taken; anything else (devices, pipes, hard links, absolute or
 * climbing paths) refuses the whole bundle rather than leaving out a part of the program. Sizes are added up before
 * they are written, so that a small archive of a huge file ends early.
 */
import { mkdir, rename, rm } from 'node:fs/promises';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Unpack } from 'tar';
import { isSafePath } from '../../common/blobs/index.ts';

const kinds = new Set(['File', 'OldFile', 'ContiguousFile', 'Directory', 'SymbolicLink']);
const mostEntries = 200_000;

/**
 * Unpacks into `target`, which appears only when it is whole.
 *
 * @param mostBytes most bytes of all files together, > 0
 * @throws Error with a reason for the user
 */
export async function unpackBundle(archive: Readable, target: string, mostBytes: number): Promise<void> {
  const temporary = `${target}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  let entries = 0;
  let bytes = 0;
  let refusal: string | undefined;
  const unpack = new Unpack({
    cwd: temporary,
    strict: true,
    preserveOwner: false,
    filter: (path, entry) => {
      if (!('type' in entry)) return true;
      // The agent unpacks, and nothing shall run as it.
      if (entry.mode !== undefined) entry.mode &= 0o777;
      entries += 1;
      bytes += entry.size ?? 0;
      const bare = path.replace(/^\.\//, '').replace(/\/+$/, '');
      if (bare === '' || bare === '.') return true;
      if (!kinds.has(entry.type)) refusal ??= `it holds "${path}", which is a ${entry.type}`;
      else if (!isSafePath(bare)) refusal ??= `the path "${path}" leaves the folder`;
      else if (entry.type === 'SymbolicLink' && !staysInside(bare, entry.linkpath ?? '')) {
        refusal ??= `the link "${path}" points out of the folder`;
      } else if (bytes > mostBytes)
        refusal ??= `it holds more than the ${mostBytes} bytes of disk that the job asked for`;
      else if (entries > mostEntries) refusal ??= `it holds more than ${mostEntries} files`;
      return refusal === undefined;
    },
  });
  try {
    await pipeline(archive, unpack as unknown as NodeJS.WritableStream);
  } catch (cause) {
    if (refusal === undefined) throw new Error(`the bundle cannot be unpacked: ${(cause as Error).message}`, { cause });
  }
  if (refusal !== undefined) {
    await rm(temporary, { recursive: true, force: true });
    throw new Error(`the bundle is refused: ${refusal}`);
  }
  await rm(target, { recursive: true, force: true });
  await rename(temporary, target);
}

function staysInside(path: string, linkTarget: string): boolean {
  if (linkTarget === '' || linkTarget.startsWith('/') || linkTarget.includes('\0')) return false;
  const resolved = posix.normalize(posix.join(posix.dirname(path), linkTarget));
  return resolved !== '..' && !resolved.startsWith('../');
}
