/**
 * The file of a backup: frames (kind, length, bytes) inside one zstd stream, ended by a frame with the SHA-256 of all
 * before it.
 *
 * A tar would need the size of each table before its first byte, and a directory can be copied by half. Here a file that
 * was cut, or in which a bit changed, is known by its last frame, and nothing is believed before that was read.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';
import { SolyxError } from '../errors/index.ts';

/** header · table (name and columns) · blob (hash) · data of the one before · close of the one before · end of the file. */
export const frameKinds = ['header', 'table', 'blob', 'data', 'close', 'end'] as const;
export type FrameKind = (typeof frameKinds)[number];

export interface Frame {
  readonly kind: FrameKind;
  readonly bytes: Buffer;
}

/** Most bytes of one frame; a larger one in a file is damage, or somebody's attempt to fill the memory. */
const mostBytes = 4 * 2 ** 20;
const prefixBytes = 5;

/** Writes frames to a file that gets its name only when it is whole and on the disk. */
export class FrameWriter {
  readonly #path: string;
  readonly #compress = createZstdCompress();
  readonly #written: Promise<void>;
  readonly #digest = createHash('sha256');

  /** @param path where the backup will be; beside it `<path>.partial` until then, mode 0600 */
  constructor(path: string) {
    this.#path = path;
    const file = createWriteStream(this.#partial, { flags: 'w', mode: 0o600, flush: true });
    this.#written = pipeline(this.#compress, file).catch((error) => {
      throw unwritable(path, error);
    });
    // Told by the next write or by `finish`; not by ending the process.
    this.#written.catch(() => {});
  }

  get #partial(): string {
    return `${this.#path}.partial`;
  }

  async json(kind: FrameKind, value: unknown): Promise<void> {
    await this.#frame(kind, Buffer.from(JSON.stringify(value)));
  }

  /** All bytes of a stream as data frames. @returns how many */
  async data(source: AsyncIterable<Buffer>): Promise<number> {
    let total = 0;
    for await (const piece of source) {
      for (let at = 0; at < piece.length; at += mostBytes)
        await this.#frame('data', piece.subarray(at, at + mostBytes));
      total += piece.length;
    }
    return total;
  }

  /** Ends the file and gives it its name. */
  async finish(): Promise<void> {
    await this.json('end', { sha256: this.#digest.copy().digest('hex') });
    this.#compress.end();
    await this.#written;
    try {
      await rename(this.#partial, this.#path);
      const folder = await open(dirname(this.#path), 'r');
      await folder.sync().finally(() => folder.close());
    } catch (error) {
      throw unwritable(this.#path, error);
    }
  }

  /** Leaves nothing behind. */
  async abandon(): Promise<void> {
    this.#compress.destroy();
    await this.#written.catch(() => {});
    // What cannot be removed was never written; why it was not is what counts.
    await rm(this.#partial, { force: true }).catch(() => {});
  }

  async #frame(kind: FrameKind, bytes: Buffer): Promise<void> {
    const prefix = Buffer.alloc(prefixBytes);
    prefix.writeUInt8(frameKinds.indexOf(kind));
    prefix.writeUInt32BE(bytes.length, 1);
    this.#digest.update(prefix).update(bytes);
    this.#compress.write(prefix);
    if (this.#compress.write(bytes)) return;
    await Promise.race([once(this.#compress, 'drain'), this.#written]);
  }
}

/** What the operating system says of the file, as an error that names it and what would be right. */
function unwritable(path: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const folder = dirname(path);
  switch (code) {
    case 'ENOENT':
      return new SolyxError('file_unwritable', { detail: `The folder ${folder} does not exist.`, cause: error });
    case 'ENOTDIR':
      return new SolyxError('file_unwritable', { detail: `${folder} is no folder.`, cause: error });
    case 'EISDIR':
      return new SolyxError('file_unwritable', { detail: `${path} is a folder.`, cause: error });
    case 'EROFS':
      return new SolyxError('file_unwritable', { detail: `${folder} is read-only.`, cause: error });
    case 'EACCES':
    case 'EPERM':
      return new SolyxError('file_unwritable', { detail: `This user may not write to ${folder}.`, cause: error });
    case 'ENOSPC':
    case 'EDQUOT':
      return new SolyxError('disk_full', { detail: `There is no room for ${path}.`, cause: error });
    default:
      return error;
  }
}

/**
 * The frames of a file in order. Ends without an error only behind a right `end` frame, which is not handed out.
 * @throws SolyxError `backup_damaged`, also before the end
 */
export async function* readFrames(path: string): AsyncGenerator<Frame> {
  const digest = createHash('sha256');
  try {
    for await (const { kind, bytes, prefix } of split(open_(path))) {
      if (kind === 'end') {
        const { sha256 } = JSON.parse(bytes.toString()) as { sha256: unknown };
        if (sha256 !== digest.digest('hex')) throw damaged(path, 'its content was changed');
        return;
      }
      digest.update(prefix).update(bytes);
      yield { kind, bytes };
    }
  } catch (error) {
    if (isOfTheFile(error)) throw damaged(path, (error as Error).message, error);
    throw error;
  }
  throw damaged(path, 'it ends in the middle');
}

function open_(path: string): Readable {
  const file = createReadStream(path);
  const plain = createZstdDecompress();
  pipeline(file, plain).catch((error) => plain.destroy(error));
  return plain;
}

async function* split(source: AsyncIterable<Buffer>): AsyncGenerator<Frame & { prefix: Buffer }> {
  let pending: Buffer[] = [];
  let have = 0;
  for await (const piece of source) {
    pending.push(piece);
    have += piece.length;
    // Joined only when a frame may be whole: joining at every piece would copy large frames again and again.
    if (have < needed(pending)) continue;
    let rest = Buffer.concat(pending);
    while (rest.length >= prefixBytes) {
      const length = rest.readUInt32BE(1);
      const kind = frameKinds[rest.readUInt8()];
      if (kind === undefined || length > mostBytes) throw new RangeError('it is no backup of Solyx');
      if (rest.length < prefixBytes + length) break;
      const prefix = rest.subarray(0, prefixBytes);
      yield { kind, prefix, bytes: rest.subarray(prefixBytes, prefixBytes + length) };
      rest = rest.subarray(prefixBytes + length);
    }
    pending = [rest];
    have = rest.length;
  }
}

/** Bytes that must be there before it is worth joining. */
function needed([first]: readonly Buffer[]): number {
  return first === undefined || first.length < prefixBytes ? prefixBytes : prefixBytes + first.readUInt32BE(1);
}

const damaged = (path: string, what: string, cause?: unknown) =>
  new SolyxError('backup_damaged', { detail: `${path}: ${what}.`, cause });

/** What zlib and our own reading of the bytes say, not what somebody threw who was handed a frame. */
function isOfTheFile(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return (
    error instanceof RangeError ||
    error instanceof SyntaxError ||
    (typeof code === 'string' && /^(ZSTD_|Z_|ERR_ZLIB)/.test(code))
  );
}
