import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Header } from 'tar';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { unpackFolder } from '../../../../src/cli/copy/unpack.ts';
import { withUmaskOfShell } from '../../../../src/cli/umask.ts';

const root = mkdtempSync(join(tmpdir(), 'solyx-unpack-'));
const outside = join(root, 'outside');
writeFileSync(outside, 'of the host');
let source = '';
let target = '';
let count = 0;
beforeEach(() => {
  count += 1;
  source = join(root, `source ${count}`);
  target = join(root, `target ${count}`, 'data');
  mkdirSync(source);
  mkdirSync(target, { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const unpack = (archive: Buffer) =>
  unpackFolder((sink) => pipeline(Readable.from([archive], { objectMode: false }), sink), target);
const tarOf = (folder: string) => execFileSync('tar', ['-cf', '-', '.'], { cwd: folder });

interface Entry {
  readonly path: string;
  readonly type: 'File' | 'Link' | 'SymbolicLink' | 'Directory' | 'FIFO';
  readonly linkpath?: string;
  readonly mode?: number;
}

/** An archive, entry by entry as somebody malicious writes it. */
function archive(...entries: Entry[]): Buffer {
  const blocks = entries.map((entry) => {
    const header = new Header({ mode: 0o755, size: 0, mtime: new Date(1_000_000_000_000), ...entry });
    header.encode();
    return header.block!;
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

describe('a folder of a job, unpacked here', () => {
  it('has every name of a file that has several', async () => {
    mkdirSync(join(source, 'sub'));
    writeFileSync(join(source, 'a'), 'd\n');
    for (const name of ['b', 'sub/c']) linkSync(join(source, 'a'), join(source, name));
    expect(await unpack(tarOf(source))).toEqual({ files: 3, bytes: 2, leftOut: [] });
    for (const name of ['a', 'b', 'sub/c']) expect(readFileSync(join(target, name), 'utf8')).toBe('d\n');
  });

  it('leaves out second names of files that are not in the copy, or are reached through a link, and says so', async () => {
    const { leftOut } = await unpack(
      archive(
        { path: 'abs', type: 'Link', linkpath: outside },
        { path: 'up', type: 'Link', linkpath: '../../outside' },
        { path: 'none', type: 'Link', linkpath: 'nothing' },
        { path: 'deep/', type: 'Directory' },
        { path: 'deep/here', type: 'SymbolicLink', linkpath: '..' },
        // As text these stay inside; on the disk they would not.
        { path: 'deep/out', type: 'SymbolicLink', linkpath: 'here/../..' },
        { path: 'through', type: 'Link', linkpath: 'deep/out/outside' },
        { path: 'file', type: 'File' },
        { path: 'deep/here/planted', type: 'Link', linkpath: 'file' },
        { path: 'of-link', type: 'Link', linkpath: 'deep/here' },
        { path: 'nowhere/x', type: 'Link', linkpath: 'file' },
        { path: 'pipe', type: 'FIFO' },
      ),
    );
    for (const name of ['abs', 'up', 'none', 'through', 'deep/here/planted', 'of-link', 'nowhere/x', 'pipe']) {
      expect(
        leftOut.some((text) => text.replace('./', '').startsWith(`${name} (`)),
        `${name} of ${leftOut}`,
      ).toBe(true);
      const last = name.split('/').at(-1)!;
      expect(existsSync(join(target, last)), name).toBe(false);
    }
    expect(statSync(outside).nlink).toBe(1);
    expect(readFileSync(outside, 'utf8')).toBe('of the host');
  });

  it('has the modes that the umask leaves and the times, of folders too', async () => {
    mkdirSync(join(source, 'sub'));
    writeFileSync(join(source, 'sub', 'run'), 'x');
    writeFileSync(join(source, 'mine'), 'x');
    chmodSync(join(source, 'sub', 'run'), 0o775);
    chmodSync(join(source, 'mine'), 0o640);
    chmodSync(join(source, 'sub'), 0o555);
    chmodSync(source, 0o755);
    for (const name of ['sub/run', 'mine', 'sub', '.']) utimesSync(join(source, name), 1_500_000_000, 1_500_000_000);
    await withUmaskOfShell(() => unpack(tarOf(source)));
    const modeOf = (name: string) => lstatSync(join(target, name)).mode & 0o7777;
    const seen = { run: modeOf('sub/run'), mine: modeOf('mine'), sub: modeOf('sub'), root: modeOf('.') };
    const left = ~process.umask() & 0o777;
    expect(seen).toEqual({ run: 0o775 & left, mine: 0o640 & left, sub: (0o555 & left) | 0o700, root: 0o755 & left });
    for (const name of ['sub/run', 'mine', 'sub', '.']) {
      expect(lstatSync(join(target, name)).mtimeMs, name).toBe(1_500_000_000_000);
    }
    chmodSync(join(source, 'sub'), 0o755);
  });

  it('has nothing that runs as somebody else, whoever copies', async () => {
    await unpack(
      archive(
        { path: 'file', type: 'File', mode: 0o6755 },
        { path: 'again', type: 'Link', linkpath: 'file', mode: 0o6755 },
        { path: 'folder/', type: 'Directory', mode: 0o7777 },
      ),
    );
    for (const name of ['file', 'again', 'folder']) expect(statSync(join(target, name)).mode & 0o7000, name).toBe(0);
  });

  it('changes nothing of a folder outside that a link, put in place of a folder, leads to', async () => {
    const other = join(root, `target ${count}`);
    chmodSync(other, 0o711);
    await unpack(
      archive(
        { path: 'here', type: 'SymbolicLink', linkpath: '.' },
        { path: 'x/', type: 'Directory', mode: 0o777 },
        { path: 'x', type: 'SymbolicLink', linkpath: 'here/..' },
      ),
    );
    expect(lstatSync(join(target, 'x')).isSymbolicLink()).toBe(true);
    expect(statSync(other).mode & 0o777).toBe(0o711);
    expect(statSync(other).mtimeMs).not.toBe(1_000_000_000_000);
  });
});
