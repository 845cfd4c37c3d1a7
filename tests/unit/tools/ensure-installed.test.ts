import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
// @ts-expect-error plain JavaScript without types, because any Node must run it
import { installedMatchesLock } from '../../../tools/scripts/ensure-installed.mjs';

/** A stand-in for npm: notes that it ran, takes a moment, and leaves what `npm ci` leaves. */
const FAKE_NPM = `
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
appendFileSync('npm-runs', process.argv.slice(2).join(' ') + '\\n');
rmSync('node_modules', { recursive: true, force: true });
await new Promise((resolve) => setTimeout(resolve, 150));
if (process.env.FAKE_NPM_FAILS) process.exit(1);
mkdirSync('node_modules/.bin', { recursive: true });
writeFileSync('node_modules/.bin/node', '');
`;

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'solyx-install-'));
  mkdirSync(join(root, 'tools', 'scripts'), { recursive: true });
  cpSync('tools/scripts/ensure-installed.mjs', join(root, 'tools/scripts/ensure-installed.mjs'));
  writeFileSync(join(root, 'fake-npm.mjs'), FAKE_NPM);
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: { '': {} } }));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function ensureInstalled(env: Record<string, string> = {}): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [join(root, 'tools/scripts/ensure-installed.mjs')], {
    env: { ...process.env, npm_execpath: join(root, 'fake-npm.mjs'), ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stderr }));
  });
}

const npmRuns = () => {
  const log = join(root, 'npm-runs');
  return existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
};

describe('ensure-installed', () => {
  it('installs once, without install scripts, and then finds nothing to do', async () => {
    expect((await ensureInstalled()).code).toBe(0);
    const again = await ensureInstalled();
    expect(again).toEqual({ code: 0, stderr: '' });
    expect(npmRuns()).toHaveLength(1);
    expect(npmRuns()[0]).toContain('ci --ignore-scripts --no-audit --no-fund');
  });

  it('installs again when the lock file changes', async () => {
    await ensureInstalled();
    const lock = { packages: { '': {}, 'node_modules/new': { version: '1.0.0' } } };
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify(lock));
    await ensureInstalled();
    expect(npmRuns()).toHaveLength(2);
  });

  it('lets one of several runs at once install while the others wait for it', async () => {
    const results = await Promise.all([ensureInstalled(), ensureInstalled(), ensureInstalled()]);
    expect(results.map((result) => result.code)).toEqual([0, 0, 0]);
    expect(npmRuns()).toHaveLength(1);
    expect(existsSync(join(root, '.cache', 'install.lock'))).toBe(false);
  });

  it('says so and leaves no stamp when npm fails, and succeeds when it is asked again', async () => {
    const failed = await ensureInstalled({ FAKE_NPM_FAILS: '1' });
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('npm ci failed (1)');
    expect((await ensureInstalled()).code).toBe(0);
  });

  it('takes over the lock of a process that was killed', async () => {
    const gone = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
    await new Promise((resolve) => gone.once('close', resolve));
    mkdirSync(join(root, '.cache', 'install.lock'), { recursive: true });
    writeFileSync(join(root, '.cache', 'install.lock', 'pid'), String(gone.pid));
    expect((await ensureInstalled()).code).toBe(0);
    expect(npmRuns()).toHaveLength(1);
  });
});

describe('an install that npm made by hand', () => {
  const matches = (locked: object, installed: object): boolean =>
    installedMatchesLock({ packages: { '': {}, ...locked } }, { packages: installed }, 'linux', 'x64');

  it('counts when every package has the locked version', () => {
    expect(matches({ 'node_modules/a': { version: '1.0.0' } }, { 'node_modules/a': { version: '1.0.0' } })).toBe(true);
    expect(matches({ 'node_modules/a': { version: '1.0.1' } }, { 'node_modules/a': { version: '1.0.0' } })).toBe(false);
    expect(matches({ 'node_modules/a': { version: '1.0.0' } }, {})).toBe(false);
    expect(matches({}, { 'node_modules/a': { version: '1.0.0' } })).toBe(false);
  });

  it('may lack what is for other platforms, but not what is for this one', () => {
    const forMac = { 'node_modules/b': { version: '1.0.0', optional: true, os: ['darwin'], cpu: ['arm64'] } };
    const forHere = { 'node_modules/b': { version: '1.0.0', optional: true, os: ['linux'], cpu: ['x64'] } };
    expect(matches(forMac, {})).toBe(true);
    expect(matches(forHere, {})).toBe(false);
  });
});
