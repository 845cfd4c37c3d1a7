/** Layers made to break out of the folder that they are unpacked into. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveInside } from '../../../../../src/metapod/agent/images/inside.ts';
import { RootWriter } from '../../../../../src/metapod/agent/images/layer.ts';
import { readLayer } from '../../../../../src/metapod/agent/images/read-layer.ts';
import { type TarEntry, tarOf } from '../../../../support/oci-image.ts';

let home: string;
let root: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'solyx-test-layer-'));
  root = join(home, 'root');
  mkdirSync(root);
  writeFileSync(join(home, 'victim'), 'untouched');
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

async function unpack(layers: readonly (readonly TarEntry[])[], mostBytes = 1_000_000): Promise<RootWriter> {
  const writer = new RootWriter(root, { ids: null, mostBytes });
  for (const entries of layers) {
    const file = join(home, 'layer.tar');
    writeFileSync(file, tarOf(entries));
    await readLayer(file, null, writer);
  }
  writer.finish();
  return writer;
}

const text = (path: string) => readFileSync(join(root, path), 'utf8');

describe('a layer', () => {
  it('becomes files, folders and links with their modes', async () => {
    await unpack([
      [
        { path: 'a/', type: 'Directory', mode: 0o755 },
        { path: 'a/run', content: 'x', mode: 0o755 },
        { path: 'a/link', type: 'SymbolicLink', linkpath: '/a/run' },
        { path: 'b/c/deep', content: 'y' },
        { path: 'hard', type: 'Link', linkpath: 'a/run' },
      ],
    ]);
    expect([text('a/run'), text('b/c/deep'), text('hard')]).toEqual(['x', 'y', 'x']);
    expect(readlinkSync(join(root, 'a/link'))).toBe('/a/run');
    expect(lstatSync(join(root, 'a/run')).mode & 0o777).toBe(0o755);
    expect(lstatSync(join(root, 'hard')).ino).toBe(lstatSync(join(root, 'a/run')).ino);
  });

  it.each([
    ['climbs', { path: '../victim', content: 'gone' }],
    ['climbs deep', { path: 'a/../../victim', content: 'gone' }],
    ['is absolute', { path: '/victim', content: 'gone' }],
  ] as const)('whose path %s stays inside', async (_, entry) => {
    await unpack([[entry]]);
    expect(readFileSync(join(home, 'victim'), 'utf8')).toBe('untouched');
    expect(text('victim')).toBe('gone');
  });

  it.each([
    ['absolute', (home: string) => home],
    ['climbing', () => '../..'],
    ['climbing far', () => '../'.repeat(30)],
  ])('that writes through an %s link stays inside', async (_, target) => {
    await unpack([
      [{ path: 'out', type: 'SymbolicLink', linkpath: target(home) }],
      [{ path: 'out/victim', content: 'gone' }, { path: 'out/.wh.victim2' }],
    ]);
    expect(readFileSync(join(home, 'victim'), 'utf8')).toBe('untouched');
  });

  it('that replaces a link to a file replaces the link, not the file', async () => {
    await unpack([
      [{ path: 'f', type: 'SymbolicLink', linkpath: join(home, 'victim') }],
      [{ path: 'f', content: 'new' }],
    ]);
    expect(readFileSync(join(home, 'victim'), 'utf8')).toBe('untouched');
    expect(text('f')).toBe('new');
  });

  it('cannot make a hard link to a file outside', async () => {
    await expect(unpack([[{ path: 'f', type: 'Link', linkpath: '../victim' }]])).rejects.toThrow('image_invalid');
    await expect(unpack([[{ path: 'f', type: 'Link', linkpath: join(home, 'victim') }]])).rejects.toThrow('no file');
  });

  it('cannot delete outside by a whiteout', async () => {
    await unpack([
      [{ path: 'out', type: 'SymbolicLink', linkpath: home }],
      [{ path: 'out/.wh.victim' }, { path: '../.wh.victim' }, { path: '.wh...' }, { path: '.wh..' }, { path: '.wh.' }],
    ]);
    expect(readFileSync(join(home, 'victim'), 'utf8')).toBe('untouched');
    expect(existsSync(root)).toBe(true);
  });

  it('deletes what a lower layer had, and never what is its own', async () => {
    await unpack([
      [
        { path: 'd/old', content: '1' },
        { path: 'd/kept', content: '2' },
        { path: 'e/old', content: '3' },
      ],
      [{ path: 'd/.wh.old' }, { path: 'e/new', content: '4' }, { path: 'e/.wh..wh..opq' }],
    ]);
    expect(readdirSync(join(root, 'd'))).toEqual(['kept']);
    expect(readdirSync(join(root, 'e'))).toEqual(['new']);
  });

  it('brings no devices, and no set-uid bits', async () => {
    await unpack([
      [
        { path: 'dev/sda', type: 'CharacterDevice' },
        { path: 'su', content: 'x', mode: 0o4755 },
        { path: 'sg', content: 'x', mode: 0o2755 },
      ],
    ]);
    expect(existsSync(join(root, 'dev/sda'))).toBe(false);
    expect([lstatSync(join(root, 'su')).mode & 0o7777, lstatSync(join(root, 'sg')).mode & 0o7777]).toEqual([
      0o755, 0o755,
    ]);
  });

  it('that is larger than there is room for ends early', async () => {
    const large = { path: 'large', content: Buffer.alloc(600_000) };
    await expect(unpack([[large, { ...large, path: 'more' }]])).rejects.toThrow('image_too_large');
    const many = Array.from({ length: 2_500 }, (_, at) => ({ path: `f${at}` }));
    await expect(unpack([many], 1_000_000)).rejects.toThrow('image_too_large');
  });

  it('may be plain, gzip or zstd, whatever its name says', async () => {
    for (const compress of [(bytes: Buffer) => bytes, gzipSync, zstdCompressSync]) {
      rmSync(root, { recursive: true, force: true });
      mkdirSync(root);
      const writer = new RootWriter(root, { ids: null, mostBytes: 1_000_000 });
      writeFileSync(join(home, 'layer'), compress(tarOf([{ path: 'f', content: 'same' }])));
      await readLayer(join(home, 'layer'), null, writer);
      expect(text('f')).toBe('same');
    }
  });

  it('that is not the one that the image names is refused, and so is a broken one', async () => {
    const writer = new RootWriter(root, { ids: null, mostBytes: 1_000_000 });
    const file = join(home, 'layer');
    writeFileSync(file, tarOf([{ path: 'f', content: 'x' }]));
    await expect(readLayer(file, `sha256:${'0'.repeat(64)}`, writer)).rejects.toThrow('but the image names');
    writeFileSync(file, gzipSync(tarOf([{ path: 'f', content: 'x'.repeat(5000) }])).subarray(0, 60));
    await expect(readLayer(file, null, writer)).rejects.toThrow('image_invalid');
    writeFileSync(file, Buffer.alloc(4096, 'no tar'));
    await expect(readLayer(file, null, writer)).rejects.toThrow('image_invalid');
  });
});

describe('a path inside', () => {
  it('means what a process inside would see', () => {
    mkdirSync(join(root, 'usr/lib'), { recursive: true });
    symlinkSync('usr/lib', join(root, 'lib'));
    symlinkSync('/usr', join(root, 'absolute'));
    symlinkSync('/../../..', join(root, 'up'));
    symlinkSync('loop', join(root, 'loop'));
    const inside = (path: string) => resolveInside(root, path, true).slice(root.length);
    expect(inside('lib/x')).toBe('/usr/lib/x');
    expect(inside('/absolute/lib')).toBe('/usr/lib');
    expect(inside('up/etc/passwd')).toBe('/etc/passwd');
    expect(inside('../../etc')).toBe('/etc');
    expect(resolveInside(root, 'lib', false)).toBe(join(root, 'lib'));
    expect(() => inside('loop/x')).toThrow('too many links');
  });
});
