/** The real outside: processes that hang, flood, fail or are missing, and children that die with their parent. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { discoverNode, systemOutside } from '../../../../../src/metapod/agent/discovery/index.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'solyx-outside-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function script(name: string, body: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function until(condition: () => boolean, deadlineMs = 8000): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error('condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('running a tool', () => {
  const outside = systemOutside();

  it('gives its output', async () => {
    const tool = await script('fine', 'echo "$1 $LC_ALL"');
    expect(await outside.run(tool, ['hello'], 5000)).toEqual({ kind: 'ok', stdout: 'hello C\n' });
  });

  it('tells missing, not executable and failed apart', async () => {
    await writeFile(join(folder, 'plain'), 'x', { mode: 0o644 });
    expect(await outside.run(join(folder, 'nowhere'), [], 5000)).toEqual({ kind: 'missing' });
    expect(await outside.run(join(folder, 'plain'), [], 5000)).toEqual({ kind: 'missing' });
    const tool = await script('fails', 'echo out; echo err >&2; exit 9');
    expect(await outside.run(tool, [], 5000)).toEqual({ kind: 'failed', code: 9, output: 'out\n\nerr\n' });
  });

  it('kills one that hangs, even if a child of it holds the pipe', async () => {
    const tool = await script('hangs', 'sleep 5 & wait');
    const began = performance.now();
    expect(await outside.run(tool, [], 200)).toEqual({ kind: 'timeout' });
    expect(performance.now() - began).toBeLessThan(3000);
  });

  it('ends one that floods', async () => {
    const tool = await script('floods', 'exec yes');
    expect((await outside.run(tool, [], 9000)).kind).toBe('failed');
  });
});

describe('following a tool', () => {
  const outside = systemOutside();

  it('gives lines as they come, drops endless ones, and ends on stop', async () => {
    const tool = await script(
      'talks',
      'echo one; head -c 200000 /dev/zero | tr "\\0" x; echo; echo two; exec sleep 20',
    );
    const lines: string[] = [];
    const ends: string[] = [];
    const child = outside.follow(tool, [], { line: (text) => lines.push(text), ended: (reason) => ends.push(reason) });
    await until(() => lines.includes('two'));
    expect(lines).toEqual(['one', 'two']);
    await child.stop();
    await child.stop();
    expect(ends).toEqual(['ended with SIGKILL']);
  });

  it('says why it ended, or that it never began', async () => {
    const ends: string[] = [];
    const handlers = { line: () => undefined, ended: (reason: string) => ends.push(reason) };
    outside.follow(await script('dies', 'echo "no driver" >&2; exit 3'), [], handlers);
    await until(() => ends.length === 1);
    outside.follow(join(folder, 'nowhere'), [], handlers);
    await until(() => ends.length === 2);
    expect(ends[0]).toBe('no driver');
    expect(ends[1]).toContain('ENOENT');
  });

  it('ends the child also when its parent is killed', async () => {
    const tool = await script('streams', 'echo $$; while echo tick; do sleep 0.1; done');
    const source = `
      import { systemOutside } from ${JSON.stringify(new URL('../../../../../src/metapod/agent/discovery/index.ts', import.meta.url).href)};
      systemOutside().follow(${JSON.stringify(tool)}, [], { line: (text) => console.log(text), ended() {} });`;
    const parentFile = join(folder, 'parent.mts');
    await writeFile(parentFile, source);
    const parent = spawn(process.execPath, [parentFile], { stdio: ['ignore', 'pipe', 'ignore'] });
    let said = '';
    parent.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    try {
      await until(() => said.includes('tick'));
      const pid = Number(said.split('\n')[0]);
      expect(isAlive(pid)).toBe(true);
      parent.kill('SIGKILL');
      await until(() => !isAlive(pid));
    } finally {
      parent.kill('SIGKILL');
    }
  });
});

describe('the machine under test', () => {
  it('is discovered: it has CPU, memory and disk', async () => {
    const node = await discoverNode({ outside: systemOutside(), scratch: folder });
    expect(node.cpuMilli).toBeGreaterThan(0);
    expect(node.memoryBytes).toBeGreaterThan(2 ** 20);
    expect(node.diskBytes).toBeGreaterThan(0);
    expect(node.os).toBe(process.platform);
  });

  it('can be a recorded tree below another root', async () => {
    const root = join(folder, 'tree');
    await mkdir(join(root, 'proc/self'), { recursive: true });
    await mkdir(join(root, 'scratch'));
    await mkdir(join(root, 'sys/devices/system/cpu'), { recursive: true });
    await mkdir(join(root, 'sys/fs/cgroup'), { recursive: true });
    await writeFile(join(root, 'proc/meminfo'), 'MemTotal:  2048 kB\n');
    await writeFile(join(root, 'proc/self/mountinfo'), '1 2 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n');
    await writeFile(join(root, 'proc/self/cgroup'), '0::/\n');
    await writeFile(join(root, 'sys/devices/system/cpu/online'), '0-15\n');
    await writeFile(join(root, 'sys/fs/cgroup/cpu.max'), '400000 100000\n');
    const outside = systemOutside(root);
    const node = await discoverNode({ outside, scratch: '/scratch' });
    expect(node).toMatchObject({ cpuMilli: 4000, memoryBytes: 2048 * 1024 });
    expect(node.diskBytes).toBeGreaterThan(0);
  });
});
