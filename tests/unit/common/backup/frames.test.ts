import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { FrameWriter, readFrames } from '../../../../src/common/backup/frames.ts';

const folder = mkdtempSync(join(tmpdir(), 'solyx-frames-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function* pieces(parts: readonly Uint8Array[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield Buffer.from(part);
}

async function written(parts: readonly Uint8Array[]): Promise<string> {
  const path = join(folder, 'file');
  rmSync(path, { force: true });
  const writer = new FrameWriter(path);
  await writer.json('header', { hello: 'ü' });
  await writer.json('table', { name: 't' });
  await writer.data(pieces(parts));
  await writer.json('close', {});
  await writer.finish();
  return path;
}

async function readAll(path: string): Promise<{ kinds: string[]; data: Buffer }> {
  const kinds: string[] = [];
  const data: Buffer[] = [];
  for await (const { kind, bytes } of readFrames(path)) {
    if (kinds.at(-1) !== kind) kinds.push(kind);
    if (kind === 'data') data.push(bytes);
  }
  return { kinds, data: Buffer.concat(data) };
}

/** Whether reading it to the end throws `backup_damaged`. What is missing may be zstd's own last bytes, behind ours. */
const isDamaged = (path: string) =>
  readAll(path).then(
    () => false,
    (error) => error.code === 'backup_damaged',
  );

describe('the file of a backup', () => {
  it('gives back what was written, however it was cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200_000 }), { maxLength: 6 }), async (parts) => {
        const read = await readAll(await written(parts));
        expect(read.data.equals(Buffer.concat(parts))).toBe(true);
        expect(read.kinds).toEqual(['header', 'table', ...(read.data.length > 0 ? ['data'] : []), 'close']);
      }),
      { numRuns: 20 },
    );
  });

  it('takes pieces that are larger than a frame', async () => {
    const large = Buffer.alloc(9 * 2 ** 20, 'abc');
    expect((await readAll(await written([large]))).data.equals(large)).toBe(true);
  });

  it('is known as damaged when it was cut anywhere', async () => {
    const whole = readFileSync(await written([Buffer.from('some rows'.repeat(1000))]));
    const cut = join(folder, 'cut');
    for (let length = 0; length < whole.length - 8; length += 7) {
      writeFileSync(cut, whole.subarray(0, length));
      expect(await isDamaged(cut), `${length} of ${whole.length} bytes`).toBe(true);
    }
  });

  it('is known as damaged when any byte of its content was changed', async () => {
    const plain = zstdDecompressSync(readFileSync(await written([Buffer.from('some rows')])));
    const changed = join(folder, 'changed');
    for (let at = 0; at < plain.length; at++) {
      const copy = Buffer.from(plain);
      copy[at]! ^= 1;
      writeFileSync(changed, zstdCompressSync(copy));
      expect(await isDamaged(changed), `byte ${at}`).toBe(true);
    }
  });

  it('leaves no file under its name, nor beside it, when it is abandoned', async () => {
    const path = join(folder, 'abandoned');
    const writer = new FrameWriter(path);
    await writer.json('header', {});
    await writer.abandon();
    expect(() => readFileSync(path)).toThrow(/ENOENT/);
    expect(() => readFileSync(`${path}.partial`)).toThrow(/ENOENT/);
  });

  it('says what is wrong with where it was to be', async () => {
    writeFileSync(join(folder, 'plain'), '');
    mkdirSync(join(folder, 'folder'));
    mkdirSync(join(folder, 'beside.partial'));
    symlinkSync('/dev/full', join(folder, 'full.partial'));
    const failure = async (path: string) => {
      const writer = new FrameWriter(join(folder, path));
      try {
        await writer.json('header', {});
        await writer.finish();
      } catch (error) {
        await writer.abandon();
        return error;
      }
      return undefined;
    };
    for (const [path, code, words] of [
      ['none/x', 'file_unwritable', 'does not exist'],
      ['plain/x', 'file_unwritable', 'is no folder'],
      ['folder', 'file_unwritable', 'is a folder'],
      ['beside', 'file_unwritable', 'is a folder'],
      ['full', 'disk_full', 'no room'],
    ] as const) {
      expect(await failure(path)).toMatchObject({ code, message: expect.stringContaining(words) });
    }
  });
});
