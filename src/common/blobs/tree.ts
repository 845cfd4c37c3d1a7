/**
 * Folders as blobs: a manifest that names each file with its chunks, so that a checkpoint of 40 GB of which one file
 * changed costs that file's chunks.
 *
 * Both ends are hostile to each other. What is stored was written by a job that may swap a folder for a link while we
 * read it, so each file is opened without following links, without blocking on pipes, and by its descriptor asked
 * where it really is. What is restored came over a network, so paths that leave the folder are refused before the
 * first byte is written, files are only ever created, and each chunk's hash is checked. Links, sockets, pipes and
 * devices are left out when storing; a manifest cannot express them. Empty folders are not kept.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, opendir, readlink, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { chunkBytes, type Manifest, manifest as manifestSchema } from '../contract/agent/protocol.ts';
import { SolyxError } from '../errors/index.ts';
import { hashOf } from './blob-store.ts';

/** Where chunks go; a store on this machine or one behind HTTP. */
export interface ChunkSink {
  has(hash: string): Promise<boolean>;
  put(content: Uint8Array, hash: string): Promise<unknown>;
}

/** Where chunks come from. */
export interface ChunkSource {
  get(hash: string): Promise<Readable | undefined>;
}

/** A regular file of a folder as a scan saw it. */
export interface TreeFile {
  /** Relative, with `/`. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly mode: number;
  /** Changes whenever the content may have changed. */
  readonly version: string;
}

/** Most files of one tree; a job that makes more gets an error instead of an agent without memory. */
export const maxTreeFiles = 20_000;
const pathForm = /^[^\0]{1,1024}$/;

const versionOf = (info: Stats) => `${info.ino}:${info.size}:${info.mtimeMs}:${info.ctimeMs}`;

/**
 * Lists the regular files below a folder, sorted by path. Files that vanish meanwhile are left out.
 *
 * @param take whether a file or folder of this name and path belongs to the tree; default: all
 * @throws SolyxError `manifest_invalid` when there are more than `maxTreeFiles`
 */
export async function scanTree(
  root: string,
  take: (name: string, path: string) => boolean = () => true,
): Promise<TreeFile[]> {
  const files: TreeFile[] = [];
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const handle = await opendir(join(root, folder)).catch(() => undefined);
    if (handle === undefined) continue;
    for await (const entry of handle) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (!take(entry.name, path)) continue;
      if (entry.isDirectory()) folders.push(path);
      if (!entry.isFile() || !isSafePath(path)) continue;
      const info = await lstat(join(root, path)).catch(() => undefined);
      if (!info?.isFile()) continue;
      files.push({ path, sizeBytes: info.size, mode: info.mode & 0o777, version: versionOf(info) });
      if (files.length > maxTreeFiles) {
        throw new SolyxError('manifest_invalid', `A folder may hold at most ${maxTreeFiles} files.`);
      }
    }
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Stores the content of one file chunk by chunk.
 *
 * @returns the chunks, or undefined when the file changed since the scan, is gone, or was reached through a link
 */
export async function storeFile(root: string, file: TreeFile, sink: ChunkSink): Promise<string[] | undefined> {
  const handle = await openInside(root, file.path);
  if (handle === undefined) return undefined;
  try {
    if (versionOf(await handle.stat()) !== file.version) return undefined;
    const chunks: string[] = [];
    const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(chunkBytes, file.sizeBytes)));
    for (let offset = 0; offset < file.sizeBytes; ) {
      const length = await readFully(handle, buffer, Math.min(chunkBytes, file.sizeBytes - offset), offset);
      if (length === 0) return undefined;
      const chunk = buffer.subarray(0, length);
      const hash = hashOf(chunk);
      if (!(await sink.has(hash))) await sink.put(chunk, hash);
      chunks.push(hash);
      offset += length;
    }
    return versionOf(await handle.stat()) === file.version ? chunks : undefined;
  } finally {
    await handle.close();
  }
}

/** Stores a manifest as a blob. @returns its hash */
export async function storeManifest(files: Manifest['files'], sink: ChunkSink): Promise<string> {
  const content = Buffer.from(JSON.stringify({ version: 1, files } satisfies Manifest));
  const hash = hashOf(content);
  await sink.put(content, hash);
  return hash;
}

/**
 * Reads and checks a manifest.
 * @throws SolyxError `manifest_invalid`
 */
export function parseManifest(content: Uint8Array): Manifest {
  let parsed: Manifest;
  try {
    parsed = manifestSchema.parse(JSON.parse(Buffer.from(content).toString('utf8')));
  } catch (cause) {
    throw new SolyxError('manifest_invalid', { detail: 'It does not have the form of a manifest.', cause });
  }
  const seen = new Set<string>();
  for (const { path, sizeBytes, chunks } of parsed.files) {
    if (!isSafePath(path))
      throw new SolyxError('manifest_invalid', `The path ${JSON.stringify(path)} leaves its folder.`);
    if (seen.has(path)) throw new SolyxError('manifest_invalid', `The path ${JSON.stringify(path)} comes twice.`);
    seen.add(path);
    if (chunks.length !== Math.ceil(sizeBytes / chunkBytes)) {
      throw new SolyxError('manifest_invalid', `${JSON.stringify(path)} has ${chunks.length} chunks for its size.`);
    }
  }
  return parsed;
}

/**
 * Writes a tree into a folder that holds nothing yet.
 *
 * @throws SolyxError `manifest_invalid`, `not_found` (a chunk is missing), `blob_hash_mismatch`, `disk_full`
 */
export async function restoreTree(manifest: Manifest, target: string, source: ChunkSource): Promise<void> {
  await mkdir(target, { recursive: true });
  const root = await realpath(target);
  try {
    for (const file of manifest.files) {
      if (!isSafePath(file.path)) throw new SolyxError('manifest_invalid', `The path ${file.path} leaves its folder.`);
      const path = join(root, file.path);
      await mkdir(dirname(path), { recursive: true });
      const handle = await open(path, 'wx', file.mode);
      try {
        let left = file.sizeBytes;
        for (const hash of file.chunks) left -= await writeChunk(handle, hash, source, left);
        if (left !== 0) throw new SolyxError('manifest_invalid', `${file.path} is not as long as the manifest says.`);
        await handle.chmod(file.mode);
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    if (code === 'ENOSPC' || code === 'EDQUOT') throw new SolyxError('disk_full', { detail: target, cause });
    if (code === 'EEXIST' || code === 'ENOTDIR') throw new SolyxError('manifest_invalid', { detail: target, cause });
    throw cause;
  }
}

async function writeChunk(handle: FileHandle, hash: string, source: ChunkSource, left: number): Promise<number> {
  const stream = await source.get(hash);
  if (stream === undefined) throw new SolyxError('not_found', `Chunk ${hash} of a checkpoint is missing.`);
  const content = await readAll(stream, Math.min(chunkBytes, left));
  if (hashOf(content) !== hash) throw new SolyxError('blob_hash_mismatch', `Chunk ${hash}.`);
  await handle.writeFile(content);
  return content.length;
}

/**
 * Reads a stream into memory.
 * @throws SolyxError `body_too_large` beyond `maxBytes`
 */
export async function readAll(stream: Readable, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stream) {
    size += part.length;
    if (size > maxBytes) throw new SolyxError('body_too_large', `Expected at most ${maxBytes} bytes.`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Whether a path of a manifest stays inside its folder. */
export function isSafePath(path: string): boolean {
  if (!pathForm.test(path) || path.startsWith('/')) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

/** Opens a regular file that really lies where its path says, or nothing. */
async function openInside(root: string, path: string): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const full = join(await realpath(root), path);
  const handle = await open(full, flags).catch(() => undefined);
  if (handle === undefined) return undefined;
  // Where /proc is missing (macOS) the path is asked again: weaker, but the job there is the user's own process.
  const real = await readlink(`/proc/self/fd/${handle.fd}`).catch(() => realpath(full).catch(() => ''));
  if (real === full && (await handle.stat()).isFile()) return handle;
  await handle.close();
  return undefined;
}

async function readFully(handle: FileHandle, buffer: Buffer, length: number, offset: number): Promise<number> {
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(buffer, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}
