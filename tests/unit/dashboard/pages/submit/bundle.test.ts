import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { extract } from 'tar';
import { describe, expect, it } from 'vitest';
import { isSent, packFiles } from '../../../../../dashboard/src/pages/submit/bundle/pack.ts';
import { faultOfPath, writeTar } from '../../../../../dashboard/src/pages/submit/bundle/tar.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

/** Unpacks as the agent does, and lists every file with its text. */
async function unpack(archive: Uint8Array): Promise<Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), 'solyx-bundle-test-'));
  try {
    await pipeline(Readable.from([Buffer.from(archive)]), extract({ cwd: folder, strict: true }));
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return Object.fromEntries(
      files.map(({ parentPath, name }) => {
        const path = join(parentPath, name);
        return [path.slice(folder.length + 1), readFileSync(path, 'utf8')];
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('a bundle made in the browser', () => {
  it('unpacks to the same files, with long names and letters of any script', async () => {
    const files = {
      'train.mjs': 'console.log(1)\n',
      'data/empty': '',
      'data/exactly-a-block': 'x'.repeat(512),
      [`${'long-folder/'.repeat(12)}file.txt`]: 'far down',
      'ünï/коd/漢字.txt': 'letters',
    };
    const list = Object.entries(files).map(([path, text]) => ({ path, bytes: bytes(text) }));
    const { bytes: packed, hash, fileCount } = await packFiles(list);
    expect(await unpack(packed)).toEqual(files);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(fileCount).toBe(5);
  });

  it('has the same bytes for the same files in another order', async () => {
    const a = { path: 'a', bytes: bytes('1') };
    const b = { path: 'b', bytes: bytes('2') };
    expect((await packFiles([a, b])).hash).toBe((await packFiles([b, a])).hash);
  });

  it('comes back for any names', async () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
      .filter((one) => faultOfPath(one) === undefined && !one.includes('/') && bytes(one).length < 200);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name, { minLength: 1, maxLength: 4 }), async (names) => {
        const files = names.map((path, index) => ({ path, bytes: bytes(String(index)) }));
        expect(Object.keys(await unpack(writeTar(files))).sort()).toEqual([...names].sort());
      }),
      { numRuns: 25 },
    );
  });

  it('refuses what leads out of the folder and what is there twice', () => {
    for (const path of ['../x', '/etc/passwd', 'a/../../b', 'a//b', './a', '', 'a\0b', '\ud800'])
      expect(() => writeTar([{ path, bytes: bytes('') }]), path).toThrow();
    const twice = { path: 'a', bytes: bytes('') };
    expect(() => writeTar([twice, twice])).toThrow('twice');
  });

  it('refuses a folder without files', async () => {
    await expect(packFiles([])).rejects.toThrow('no files');
  });

  it('leaves out what the command line leaves out', () => {
    expect(isSent('src/main.ts')).toBe(true);
    expect(isSent('node_modules/x/index.js')).toBe(false);
    expect(isSent('a/.git/config')).toBe(false);
  });
});
