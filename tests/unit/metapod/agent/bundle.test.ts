import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Header } from 'tar';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unpackBundle } from '../../../../src/metapod/agent/bundle.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'solyx-bundle-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** An archive of entries that no honest tar would write. */
function forged(
  ...entries: {
    path: string;
    type: 'File' | 'SymbolicLink' | 'Link' | 'CharacterDevice';
    link?: string;
    body?: string;
  }[]
) {
  const blocks = entries.flatMap(({ path, type, link, body = '' }) => {
    const header = new Header({
      path,
      type,
      mode: 0o644,
      size: body.length,
      mtime: new Date(0),
      ...(link && { linkpath: link }),
    });
    const block = Buffer.alloc(512);
    header.encode(block);
    const content = Buffer.alloc(Math.ceil(body.length / 512) * 512);
    content.write(body);
    return [block, content];
  });
  return Readable.from([Buffer.concat([...blocks, Buffer.alloc(1024)])]);
}
const target = () => join(home, 'target');

describe('a bundle', () => {
  it.each(['-cf', '-czf'])('made by tar %s is unpacked with its folders, modes and inner links', async (flags) => {
    const source = join(home, 'source');
    await mkdir(join(source, 'src'), { recursive: true });
    await writeFile(join(source, 'src', 'run'), 'text', { mode: 0o755 });
    await symlink('src/run', join(source, 'link'));
    execFileSync('tar', [flags, join(home, 'a.tar'), '-C', source, '.']);
    await unpackBundle(createReadStream(join(home, 'a.tar')), target(), 1_000_000);
    expect((await readdir(target())).sort()).toEqual(['link', 'src']);
    expect(await readFile(join(target(), 'link'), 'utf8')).toBe('text');
  });

  it('has nothing that runs as whoever unpacks it', async () => {
    const source = join(home, 'source');
    await mkdir(source);
    await writeFile(join(source, 'run'), 'text');
    await chmod(join(source, 'run'), 0o6755);
    execFileSync('tar', ['-cf', join(home, 'a.tar'), '-C', source, '.']);
    await unpackBundle(createReadStream(join(home, 'a.tar')), target(), 1_000_000);
    expect((await stat(join(target(), 'run'))).mode & 0o7777).toBe(0o755 & ~process.umask());
  });

  it.each([
    ['climbs out', forged({ path: '../evil', type: 'File', body: 'x' })],
    ['is absolute', forged({ path: '/etc/evil', type: 'File', body: 'x' })],
    ['links out', forged({ path: 'link', type: 'SymbolicLink', link: '../../etc/passwd' })],
    ['links to an absolute path', forged({ path: 'link', type: 'SymbolicLink', link: '/etc/passwd' })],
    ['holds a hard link', forged({ path: 'link', type: 'Link', link: '/etc/passwd' })],
    ['holds a device', forged({ path: 'null', type: 'CharacterDevice' })],
    ['is larger than it may be', forged({ path: 'big', type: 'File', body: 'x'.repeat(2000) })],
    ['is no archive', Readable.from([Buffer.from('nonsense '.repeat(200))])],
  ])('that %s is refused whole', async (_, archive) => {
    await expect(unpackBundle(archive, target(), 1000)).rejects.toThrow(/bundle/);
    expect((await readdir(home)).filter((name) => name === 'target')).toEqual([]);
  });
});
