/**
 * Streams one layer (a tar archive, plain or compressed by gzip or zstd) into a root file system, and proves while
 * streaming that it is the layer that the image's configuration names.
 */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { Parser, type ReadEntry } from 'tar';
import type { LayerEntry, RootWriter } from './layer.ts';
import { PullError } from './pull-error.ts';

const kinds: Readonly<Record<string, LayerEntry['kind']>> = {
  File: 'file',
  OldFile: 'file',
  ContiguousFile: 'file',
  Directory: 'directory',
  GNUDumpDir: 'directory',
  SymbolicLink: 'symlink',
  Link: 'hardlink',
};

/**
 * @param diffId `sha256:…` of the layer without compression; null when nobody says it
 * @throws PullError `image_invalid`, `image_too_large`; Error with code ENOSPC when the disk is full
 */
export async function readLayer(file: string, diffId: string | null, root: RootWriter): Promise<void> {
  root.beginLayer();
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(bytes: Buffer, _encoding, done) {
      hash.update(bytes);
      done(null, bytes);
    },
  });
  let refusal: unknown;
  const parser = new Parser({
    onwarn: (code: string, message: string | Error) => {
      if (code === 'TAR_ENTRY_INFO') return;
      refusal ??= new PullError('image_invalid', `a layer is no whole archive: ${String(message).slice(0, 200)}`);
    },
    onReadEntry: (entry: ReadEntry) => {
      if (refusal !== undefined) return entry.resume();
      try {
        takeEntry(entry, root, (error) => {
          refusal ??= error;
        });
      } catch (error) {
        refusal ??= error;
        entry.resume();
      }
    },
  });
  try {
    const stop = new Transform({
      transform(bytes: Buffer, _encoding, done) {
        done(refusal as Error | undefined, bytes);
      },
    });
    await pipeline([
      createReadStream(file, { highWaterMark: 262_144 }),
      ...decompressor(file),
      hashing,
      stop,
      parser as unknown as NodeJS.WritableStream,
    ]);
  } catch (error) {
    refusal ??= error;
  }
  if (refusal !== undefined) throw asPullError(refusal);
  const found = `sha256:${hash.digest('hex')}`;
  if (diffId !== null && found !== diffId) {
    throw new PullError('image_invalid', `a layer unpacks to ${found}, but the image names ${diffId}`);
  }
}

function takeEntry(entry: ReadEntry, root: RootWriter, fail: (error: unknown) => void): void {
  const sink = root.add({
    kind: kinds[entry.type] ?? 'other',
    path: entry.path,
    mode: entry.mode ?? 0o644,
    uid: entry.uid ?? 0,
    gid: entry.gid ?? 0,
    sizeBytes: entry.size,
    mtime: entry.mtime,
    target: entry.linkpath ?? '',
  });
  if (sink === undefined) {
    entry.resume();
    return;
  }
  let broken = false;
  const attempt = (act: () => void) => {
    if (broken) return;
    try {
      act();
    } catch (error) {
      broken = true;
      fail(error);
    }
  };
  entry.on('data', (bytes: Buffer) => attempt(() => sink.write(bytes)));
  entry.on('end', () => attempt(() => sink.close()));
}

/** The first bytes tell: media types of layers are often wrong. */
function decompressor(path: string): NodeJS.ReadWriteStream[] {
  const head = Buffer.alloc(4);
  const file = openSync(path, 'r');
  try {
    readSync(file, head, 0, 4, 0);
  } finally {
    closeSync(file);
  }
  if (head[0] === 0x1f && head[1] === 0x8b) return [createGunzip()];
  if (head.readUInt32LE(0) === 0xfd2fb528) return [createZstdDecompress()];
  return [];
}

function asPullError(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (error instanceof PullError || code === 'ENOSPC' || code === 'EDQUOT') return error;
  return new PullError('image_invalid', `a layer cannot be unpacked: ${(error as Error).message}`, { cause: error });
}
