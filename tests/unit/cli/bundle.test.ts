import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { list } from 'tar';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { type Bundle, packFolder } from '../../../src/cli/bundle.ts';

const root = mkdtempSync(join(tmpdir(), 'solyx-pack-'));
let folder = '';
let count = 0;
beforeEach(() => {
  count += 1;
  folder = join(root, `folder ${count}`);
  mkdirSync(join(folder, 'sub'), { recursive: true });
  writeFileSync(join(folder, 'a.txt'), 'a');
  writeFileSync(join(folder, 'sub', 'run.sh'), '#!/bin/sh\n');
  chmodSync(join(folder, 'sub', 'run.sh'), 0o755);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function hashOf(path: string): Promise<string> {
  const bundle = await packFolder(path);
  await bundle.dispose();
  return bundle.hash;
}

async function namesIn({ file }: Bundle): Promise<string[]> {
  const names: string[] = [];
  await list({ file, onReadEntry: (entry) => names.push(entry.path) });
  return names;
}

describe('the bundle of a folder', () => {
  it('depends on files alone: not on where they lie, nor on when they were written', async () => {
    const before = await hashOf(folder);
    utimesSync(join(folder, 'a.txt'), 1, 1);
    expect(await hashOf(folder)).toBe(before);
    const copy = join(root, `copy ${count}`);
    mkdirSync(join(copy, 'sub'), { recursive: true });
    writeFileSync(join(copy, 'sub', 'run.sh'), '#!/bin/sh\n');
    chmodSync(join(copy, 'sub', 'run.sh'), 0o755);
    writeFileSync(join(copy, 'a.txt'), 'a');
    expect(await hashOf(copy)).toBe(before);
  });

  it('changes with a byte of a file and with its mode', async () => {
    const before = await hashOf(folder);
    chmodSync(join(folder, 'a.txt'), 0o755);
    const executable = await hashOf(folder);
    expect(executable).not.toBe(before);
    writeFileSync(join(folder, 'a.txt'), 'b');
    expect(await hashOf(folder)).not.toBe(executable);
  });

  it('holds files, folders and links inside, and leaves .git and node_modules out', async () => {
    for (const name of ['.git', 'node_modules']) mkdirSync(join(folder, name));
    symlinkSync('a.txt', join(folder, 'link'));
    const bundle = await packFolder(folder);
    expect((await namesIn(bundle)).sort()).toEqual(['a.txt', 'link', 'sub/', 'sub/run.sh']);
    await bundle.dispose();
  });

  it('may be empty', async () => {
    const empty = join(root, `empty ${count}`);
    mkdirSync(empty);
    expect(await hashOf(empty)).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([
    ['/etc/passwd', 'an absolute link'],
    ['../../secret', 'a relative one'],
  ])('with a link that leads out of the folder (%s, %s) is refused', async (target) => {
    symlinkSync(target, join(folder, 'sub', 'link'));
    await expect(packFolder(folder)).rejects.toMatchObject({
      code: 'job_spec_invalid',
      message: expect.stringContaining('sub/link is a link that leads out of the folder'),
    });
  });

  it('of what is no folder is refused', async () => {
    await expect(packFolder(join(folder, 'a.txt'))).rejects.toThrow(/is no folder/);
  });
});
