import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { create, Header } from 'tar';
import { afterAll, describe, expect, it } from 'vitest';
import { TarCheck } from '../../../../../src/metapod/agent/channels/tar-check.ts';

const folder = mkdtempSync(join(tmpdir(), 'solyx-tar-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, 'file'), 'x'.repeat(1000));
symlinkSync('file', join(folder, 'link'));

async function packed(): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of create({ cwd: folder, portable: true }, ['.']) as unknown as AsyncIterable<Buffer>)
    parts.push(part);
  return Buffer.concat(parts);
}

describe('an archive on its way into a job', () => {
  it('passes in whatever pieces it comes, and is counted', async () => {
    const bytes = await packed();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 20 }), async (sizes) => {
        const check = new TarCheck({ mostBytes: 2000, mostFiles: 10 });
        for (let at = 0, n = 0; at < bytes.length; n += 1) {
          const size = sizes[n % sizes.length]!;
          check.write(bytes.subarray(at, at + size));
          at += size;
        }
        check.end();
        expect({ files: check.files, bytes: check.bytes }).toEqual({ files: 2, bytes: 1000 });
      }),
    );
  });

  it('is refused when it is larger, or has more in it, than allowed', async () => {
    const bytes = await packed();
    expect(() => new TarCheck({ mostBytes: 999, mostFiles: 10 }).write(bytes)).toThrow(/more than 999 bytes/);
    expect(() => new TarCheck({ mostBytes: 2000, mostFiles: 1 }).write(bytes)).toThrow(/more than 1 files/);
  });

  it('may have second names of files that came before, and of nothing else', () => {
    const look = (...entries: [string, 'File' | 'Link' | 'SymbolicLink', string?][]): number => {
      const blocks = entries.map(([path, type, linkpath]) => {
        const header = new Header({
          path,
          type,
          mode: 0o644,
          size: 0,
          mtime: new Date(0),
          ...(linkpath && { linkpath }),
        });
        header.encode();
        return header.block!;
      });
      const check = new TarCheck({ mostBytes: 2000, mostFiles: 10 });
      check.write(Buffer.concat([...blocks, Buffer.alloc(1024)]));
      check.end();
      return check.files;
    };
    expect(look(['./a', 'File'], ['./b', 'Link', './a'], ['c', 'Link', 'b'])).toBe(3);
    const refused = /hard link "b" names no file before it/;
    expect(() => look(['b', 'Link', 'a'], ['a', 'File'])).toThrow(refused);
    expect(() => look(['a', 'File'], ['b', 'Link', '/etc/hostname'])).toThrow(refused);
    expect(() => look(['a', 'File'], ['b', 'Link', '../a'])).toThrow(refused);
    expect(() => look(['a', 'File'], ['a', 'SymbolicLink', 'x'], ['b', 'Link', 'a'])).toThrow(refused);
  });

  it('is refused when it is cut off in the middle of a file', async () => {
    const check = new TarCheck({ mostBytes: 2000, mostFiles: 10 });
    check.write((await packed()).subarray(0, 1600));
    expect(() => check.end()).toThrow(/refused/);
  });

  it('of any bytes is refused or passes, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 3000 }), (bytes) => {
        const check = new TarCheck({ mostBytes: 2000, mostFiles: 10 });
        try {
          check.write(Buffer.from(bytes));
          check.end();
        } catch (error) {
          expect((error as { code: string }).code).toBe('copy_refused');
        }
      }),
    );
  });
});
