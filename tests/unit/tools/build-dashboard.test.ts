import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { currentBuild, ensureDashboard, fingerprint } from '../../../tools/scripts/build-dashboard.mjs';

const repository = resolve(import.meta.dirname, '../../..');
const page = '<!doctype html><script type="module" src="/src/main.ts"></script>';
let root: string;

/** A repository with a dashboard of one line, so that it is built in a moment by the real bundler. */
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'solyx-build-'));
  await mkdir(join(root, 'dashboard', 'src'), { recursive: true });
  await mkdir(join(root, 'tools', 'scripts'), { recursive: true });
  await cp(join(repository, 'tools/scripts/build-dashboard.mjs'), join(root, 'tools/scripts/build-dashboard.mjs'));
  await cp(join(repository, 'dashboard/vite.config.ts'), join(root, 'dashboard/vite.config.ts'));
  await cp(join(repository, 'package.json'), join(root, 'package.json'));
  await symlink(join(repository, 'node_modules'), join(root, 'node_modules'));
  await writeFile(join(root, 'package-lock.json'), '{}');
  await writeFile(join(root, 'dashboard', 'index.html'), page);
  await writeFile(
    join(root, 'dashboard', 'src', 'main.ts'),
    `document.title = '${'solyx '.repeat(200)}' + process.env.NODE_ENV;`,
  );
});
afterAll(() => rm(root, { recursive: true, force: true }));

const build = () => promisify(execFile)(process.execPath, [join(root, 'tools/scripts/build-dashboard.mjs')]);

describe('the build of the dashboard', () => {
  it('is none before the first', () => {
    expect(currentBuild(root)).toBeNull();
  });

  it('is one, however many build it at once, and has compressed twins', async () => {
    await Promise.all([build(), build(), build()]);
    const folder = currentBuild(root)!;
    expect(folder).toBe(join(root, 'dashboard', 'dist', fingerprint(root)));
    const assets = await readdir(join(folder, 'assets'));
    expect(assets.filter((name) => name.endsWith('.js'))).toHaveLength(1);
    const [script] = assets.filter((name) => name.endsWith('.js'));
    // Of production, though this test run is not.
    expect(await readFile(join(folder, 'assets', script!), 'utf8')).toContain('production');
    expect(assets.map((name) => name.split('.').at(-1)).sort()).toEqual(['br', 'gz', 'js']);
    const left = await readdir(join(root, 'dashboard', 'dist'));
    expect(left.sort()).toEqual([fingerprint(root), 'current'].sort());
  });

  it('is not made again while the sources are the same, and that is found out in 30 ms', async () => {
    const made = await ensureDashboard(root);
    const begun = performance.now();
    for (let time = 0; time < 10; time += 1) expect(await ensureDashboard(root)).toBe(made);
    expect((performance.now() - begun) / 10).toBeLessThan(30);
  });

  it('is another as soon as a source is another; the older stays for servers that serve it', async () => {
    const before = currentBuild(root)!;
    await writeFile(join(root, 'dashboard', 'src', 'main.ts'), `document.title = 'other';`);
    await build();
    const after = currentBuild(root)!;
    expect(after).not.toBe(before);
    expect(existsSync(join(before, 'index.html'))).toBe(true);
    expect(await readFile(join(after, 'index.html'), 'utf8')).not.toBe(
      await readFile(join(before, 'index.html'), 'utf8'),
    );
  });

  it('that fails leaves the one before, and no half of its own', async () => {
    const before = currentBuild(root);
    await writeFile(join(root, 'dashboard', 'src', 'main.ts'), 'this is no script');
    await expect(build()).rejects.toThrow();
    expect(currentBuild(root)).toBe(before);
    expect((await readdir(join(root, 'dashboard', 'dist'))).some((name) => name.startsWith('partial'))).toBe(false);
  });

  it('is what a release brings where there are no sources', async () => {
    const before = currentBuild(root);
    await rm(join(root, 'dashboard', 'src'), { recursive: true });
    expect(await ensureDashboard(root)).toBe(before);
  });
});
