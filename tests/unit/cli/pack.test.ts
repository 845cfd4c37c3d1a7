import {
  chmodSync,
  createReadStream,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Parser, type ReadEntry } from 'tar';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { packFolder } from '../../../src/cli/bundle.ts';
import { type PackOptions, packTar } from '../../../src/cli/pack.ts';
import { unpackBundle } from '../../../src/metapod/agent/bundle.ts';
import { TarCheck } from '../../../src/metapod/agent/channels/tar-check.ts';

const root = mkdtempSync(join(tmpdir(), 'solyx-pack-'));
let folder = '';
let count = 0;
beforeEach(() => {
  count += 1;
  folder = join(root, `folder ${count}`);
  mkdirSync(folder);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Entry {
  readonly type: string;
  readonly mode: number | undefined;
  readonly changed: number | undefined;
  readonly content: string;
}

/** What an archive holds, by path. */
async function entriesOf(archive: Buffer): Promise<Map<string, Entry>> {
  const found = new Map<string, Entry>();
  const parser = new Parser({ strict: true });
  const read: Promise<void>[] = [];
  parser.on('entry', (entry: ReadEntry) => {
    const { path, type, mode, mtime } = entry;
    read.push(
      entry.concat().then((content) => {
        found.set(path, { type, mode, changed: mtime?.getTime(), content: content.toString() });
      }),
    );
  });
  parser.end(archive);
  await Promise.all(read);
  return found;
}

const packed = async (options: PackOptions = {}) => entriesOf(await buffer(packTar(folder, ['.'], options)));

describe('the archive of a folder', () => {
  it('holds a file of many names in full under each, in whatever order the disk answers, and no hard link', async () => {
    writeFileSync(join(folder, 'z'), 'the content');
    mkdirSync(join(folder, 'sub'));
    const names = ['a', 'b', 'sub/c', 'sub/d', 'zz'];
    for (const name of names) linkSync(join(folder, 'z'), join(folder, name));
    for (let round = 0; round < 20; round += 1) {
      const archive = await buffer(packTar(folder, ['.']));
      const found = await entriesOf(archive);
      for (const name of ['z', ...names]) {
        expect(found.get(`./${name}`), name).toMatchObject({ type: 'File', content: 'the content' });
      }
      const check = new TarCheck({ mostBytes: 1000, mostFiles: 10 });
      check.write(archive);
      check.end();
      expect(check.files).toBe(6);
    }
  });

  it('keeps modes and times, of folders too, and nothing that runs as somebody else', async () => {
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'run'), 'x');
    writeFileSync(join(folder, 'root'), 'x');
    chmodSync(join(folder, 'run'), 0o750);
    chmodSync(join(folder, 'root'), 0o6755);
    chmodSync(join(folder, 'sub'), 0o3755);
    utimesSync(join(folder, 'sub'), 1_500_000_000, 1_500_000_000);
    const found = await packed();
    expect(found.get('./run')?.mode).toBe(0o750);
    expect(found.get('./root')?.mode).toBe(0o755);
    expect(found.get('./sub/')).toMatchObject({ mode: 0o755, changed: 1_500_000_000_000 });
    expect((await packed({ noMtime: true })).get('./sub/')?.changed).toBeUndefined();
  });

  it('leaves out what the filter says, and keeps links as links', async () => {
    writeFileSync(join(folder, 'file'), 'x');
    symlinkSync('file', join(folder, 'link'));
    writeFileSync(join(folder, 'other'), 'x');
    const found = await packed({ filter: (path) => path !== './other' });
    expect([...found.keys()].sort()).toEqual(['./', './file', './link']);
    expect(found.get('./link')?.type).toBe('SymbolicLink');
  });

  it('that cannot be read is an error of the stream, which somebody can catch', async () => {
    await expect(buffer(packTar(folder, ['gone']))).rejects.toMatchObject({ code: 'ENOENT' });
    const filter = () => {
      throw new Error('a link that is gone');
    };
    await expect(buffer(packTar(folder, ['.'], { filter }))).rejects.toThrow('a link that is gone');
  });
});

describe('the bundle of a folder with hard links', () => {
  it('is the bundle of the same folder with copies', async () => {
    writeFileSync(join(folder, 'a'), 'hi\n');
    linkSync(join(folder, 'a'), join(folder, 'b'));
    expect(statSync(join(folder, 'a')).nlink).toBe(2);
    const linked = await packFolder(folder);
    rmSync(join(folder, 'b'));
    writeFileSync(join(folder, 'b'), 'hi\n');
    const copied = await packFolder(folder);
    expect(linked.hash).toBe(copied.hash);
    const target = join(root, `unpacked ${count}`);
    await unpackBundle(createReadStream(linked.file), target, 1000);
    for (const name of ['a', 'b']) expect(readFileSync(join(target, name), 'utf8')).toBe('hi\n');
    await linked.dispose();
    await copied.dispose();
  });
});
