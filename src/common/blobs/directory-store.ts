/**
 * Blobs in a directory: `aa/bb/<hash>`, so that no folder grows beyond what file systems like.
 *
 * Bytes go to a file of their own below `incoming/`, are hashed on the way, flushed, and only then renamed to their
 * name; the folders are flushed too, because a rename that is not in the folder's journal is forgotten by a power cut.
 * So a blob that can be found is whole, whenever the process or the machine died. What a death left in `incoming/` is
 * removed by a later opening, a day old, because several processes may share the directory.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, opendir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { SolyxError } from '../errors/index.ts';
import { type BlobInfo, type BlobStore, isBlobHash, type PutOptions } from './blob-store.ts';

const leftoverAgeMs = 86_400_000;
/** Name of a blob that is being removed; found at an opening, it is put back, because nobody knows any more whether it may go. */
const takenPrefix = 'taken.';

/** Opens (and makes) a directory of blobs. */
export async function openDirectoryStore(directory: string): Promise<BlobStore> {
  const incoming = join(directory, 'incoming');
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  const pathOf = (hash: string) => join(directory, hash.slice(0, 2), hash.slice(2, 4), hash);
  await removeLeftovers(incoming, pathOf);
  return {
    async put(content, hash, options = {}) {
      if (!isBlobHash(hash)) throw new SolyxError('blob_hash_mismatch', `"${hash.slice(0, 80)}" is no SHA-256.`);
      const temporary = join(incoming, randomUUID());
      try {
        const sizeBytes = await writeVerified(temporary, content, hash, options);
        const target = pathOf(hash);
        await makeDurableFolder(directory, dirname(target));
        await rename(temporary, target);
        await flushFolder(dirname(target));
        return sizeBytes;
      } catch (error) {
        await rm(temporary, { force: true });
        throw isFull(error) ? new SolyxError('disk_full', { detail: `Blobs in ${directory}.`, cause: error }) : error;
      }
    },
    async get(hash) {
      if (!isBlobHash(hash)) return undefined;
      const file = await open(pathOf(hash), 'r').catch(unlessMissing);
      return file === undefined ? undefined : createReadStream('', { fd: file, highWaterMark: 1 << 18 });
    },
    async has(hash) {
      return (await sizeOf(hash)) !== undefined;
    },
    size: sizeOf,
    async delete(hash) {
      if (isBlobHash(hash)) await rm(pathOf(hash), { force: true });
    },
    async deleteUnlessNewer(hash, instant) {
      if (!isBlobHash(hash)) return false;
      // Taken away first and looked at then: between a look and a removal somebody could put it.
      const taken = join(incoming, takenPrefix + hash);
      const path = pathOf(hash);
      if ((await rename(path, taken).catch(unlessMissing)) === undefined && !(await isThere(taken))) return false;
      const isNewer = (await stat(taken)).mtime > instant;
      if (isNewer) await rename(taken, path);
      else await rm(taken, { force: true });
      return !isNewer;
    },
    list: () => listBlobs(directory),
  } satisfies BlobStore;

  async function sizeOf(hash: string): Promise<number | undefined> {
    if (!isBlobHash(hash)) return undefined;
    return (await stat(pathOf(hash)).catch(unlessMissing))?.size;
  }
}

async function writeVerified(
  path: string,
  content: Readable | Uint8Array,
  hash: string,
  { maxBytes = Number.POSITIVE_INFINITY }: PutOptions,
): Promise<number> {
  const digest = createHash('sha256');
  let sizeBytes = 0;
  const source = content instanceof Readable ? content : [content];
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const piece of source) {
      const bytes: Uint8Array = piece;
      sizeBytes += bytes.length;
      if (sizeBytes > maxBytes) throw new SolyxError('body_too_large', `A blob here has at most ${maxBytes} bytes.`);
      digest.update(bytes);
      await writeAll(file, bytes);
    }
    const actual = digest.digest('hex');
    if (actual !== hash) throw new SolyxError('blob_hash_mismatch', `Expected ${hash}, received ${actual}.`);
    await file.sync();
  } finally {
    await file.close();
  }
  return sizeBytes;
}

/** `write` may take less than it was given, above all on a disk that is filling up. */
async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done);
    done += bytesWritten;
  }
}

async function makeDurableFolder(root: string, folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  await flushFolder(dirname(folder));
  await flushFolder(root);
}

async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function removeLeftovers(incoming: string, pathOf: (hash: string) => string): Promise<void> {
  for (const name of await readdir(incoming)) {
    const path = join(incoming, name);
    if (name.startsWith(takenPrefix)) {
      await rename(path, pathOf(name.slice(takenPrefix.length))).catch(unlessMissing);
      continue;
    }
    const info = await stat(path).catch(unlessMissing);
    if (info !== undefined && Date.now() - info.mtimeMs > leftoverAgeMs) await rm(path, { force: true });
  }
}

async function* listBlobs(directory: string): AsyncGenerator<BlobInfo> {
  for await (const first of await opendir(directory)) {
    if (!/^[0-9a-f]{2}$/.test(first.name)) continue;
    for await (const second of await opendir(join(directory, first.name))) {
      for await (const { name } of await opendir(join(directory, first.name, second.name))) {
        const info = await stat(join(directory, first.name, second.name, name)).catch(unlessMissing);
        if (info !== undefined && isBlobHash(name)) yield { hash: name, sizeBytes: info.size, storedAt: info.mtime };
      }
    }
  }
}

const isThere = async (path: string): Promise<boolean> => (await stat(path).catch(unlessMissing)) !== undefined;

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}

const isFull = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? '');
