import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** A stand-in for the command line: says who runs it and with what, and can wait for a signal. */
const MAIN = `
const words: string[] = process.argv.slice(2);
if (words[0] === 'wait') {
  process.on('SIGTERM', () => process.exit(7));
  setInterval(() => {}, 1000);
}
console.log(JSON.stringify({ major: parseInt(process.versions.node), words, cache: process.env.NODE_COMPILE_CACHE }));
process.exitCode = 3;
`;

/** The Node that runs this test, and whatever other Node the machine has: an old one takes another way. */
const nodes = [...new Set([process.execPath, ...machineNodes()])];

function machineNodes(): string[] {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .flatMap((folder) => {
      try {
        return readdirSync(folder).includes('node') ? [join(folder, 'node')] : [];
      } catch {
        return [];
      }
    })
    .slice(0, 1);
}

let root: string;
let env: NodeJS.ProcessEnv;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'solyx-bin-'));
  for (const folder of ['src/cli', 'node_modules/.bin', 'tools/scripts'])
    mkdirSync(join(root, folder), { recursive: true });
  cpSync('bin', join(root, 'bin'), { recursive: true });
  cpSync('tools/scripts/ensure-installed.mjs', join(root, 'tools/scripts/ensure-installed.mjs'));
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  writeFileSync(join(root, 'node_modules/.package-lock.json'), '{}');
  symlinkSync(process.execPath, join(root, 'node_modules/.bin/node'));
  writeFileSync(join(root, 'src/cli/main.ts'), MAIN);
  env = { ...process.env, XDG_CACHE_HOME: join(root, 'cache') };
  delete env.NODE_COMPILE_CACHE;
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

const expected = (words: string[]) => ({ major: 24, words, cache: join(root, 'cache', 'solyx', 'compile') });

describe('the solyx command', () => {
  it('starts the Node of the lock file, also through a symbolic link and from elsewhere', () => {
    const link = join(root, 'link');
    symlinkSync(join(root, 'bin', 'solyx'), link);
    const result = spawnSync(link, ['jobs', 'a b'], { env, cwd: tmpdir(), encoding: 'utf8' });
    expect(JSON.parse(result.stdout)).toEqual(expected(['jobs', 'a b']));
    expect(result.status).toBe(3);
  });

  it.each(nodes)('gives the same when %s runs solyx.mjs', (node) => {
    const result = spawnSync(node, [join(root, 'bin', 'solyx.mjs'), 'jobs', '--json'], { env, encoding: 'utf8' });
    expect(JSON.parse(result.stdout)).toEqual(expected(['jobs', '--json']));
    expect(result.status).toBe(3);
  });

  it.each(nodes)('passes SIGTERM on and ends as the command does under %s', async (node) => {
    const child = spawn(node, [join(root, 'bin', 'solyx.mjs'), 'wait'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.once('data', () => child.kill('SIGTERM'));
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(7);
  });
});
