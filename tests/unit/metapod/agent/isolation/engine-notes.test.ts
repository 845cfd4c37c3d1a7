/** What is noted down of a runtime's doings, with a runtime and control groups of the test's own. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, uptime } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { oomKills, readAccount } from '../../../../../src/metapod/agent/isolation/cgroup.ts';
import {
  endNoted,
  NOTES,
  notedCgroup,
  noteRemoval,
  notesScript,
  prepareNotes,
  runtimeOf,
} from '../../../../../src/metapod/agent/isolation/container/engine-notes.ts';
import { launcherScript } from '../../../../../src/metapod/agent/isolation/container/engine-script.ts';
import type { Mount } from '../../../../../src/metapod/agent/isolation/mounts.ts';

const made: string[] = [];
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A runtime that records its arguments and, at `delete`, removes the group; a folder for notes; a tree of groups. */
function world(mounts: (tree: string) => Partial<Mount>[]) {
  const home = mkdtempSync(join(tmpdir(), "solyx-notes-it's a "));
  made.push(home);
  const [notes, tree] = [join(home, 'notes'), join(home, 'tree')];
  for (const folder of [notes, tree]) mkdirSync(folder);
  const runtime = join(home, 'runc');
  const lines = [
    '#!/bin/sh',
    `printf '%s|' "$@" >> "${home}/calls"; echo >> "${home}/calls"`,
    `case " $* " in *" create "*) read -r first < "${home}/first"; printf %s "$first" > "${home}/pid";; *" delete "*) rm -rf "${tree}"/*;; *" fail "*) exit 9;; esac`,
  ];
  writeFileSync(join(home, 'first'), `${process.pid}\n`);
  writeFileSync(runtime, `${lines.join('\n')}\n`, { mode: 0o755 });
  const all = mounts(tree).map((mount) => ({
    root: '/',
    target: '',
    options: [],
    type: '',
    superOptions: [],
    ...mount,
  }));
  writeFileSync(join(home, 'script'), notesScript(runtime, notes, all), { mode: 0o755 });
  return {
    notes,
    pidFile: join(home, 'pid'),
    group(path: string, files: Record<string, string>) {
      mkdirSync(join(tree, path), { recursive: true });
      for (const [name, text] of Object.entries(files)) writeFileSync(join(tree, path, name), text);
    },
    /** Without a PATH, as conmon runs it. @returns its status */
    run: (...args: string[]) => spawnSync(join(home, 'script'), args, { env: {} }).status,
    /** The container's first process is another than ours from now on. */
    first: (pid: number) => writeFileSync(join(home, 'first'), `${pid}\n`),
    calls: () => readFileSync(join(home, 'calls'), 'utf8').trim().split('\n'),
    note: (name: string, text: string) => writeFileSync(join(notes, name), text),
  };
}

const none = () => [];

describe('the runtime under notes', () => {
  it('gets every word as it was, and its status is handed on', () => {
    const { run, calls } = world(none);
    expect(run('--log', 'a b', 'state', "it's", '', '$(x)')).toBe(0);
    expect(run('fail', 'x')).toBe(9);
    expect(calls()).toEqual(["--log|a b|state|it's||$(x)|", 'fail|x|']);
  });

  it('leaves the number and the groups of the first process before it starts, and that it has started', () => {
    const { run, notes, pidFile } = world(none);
    expect(run('create', '--bundle', 'delete', '--pid-file', pidFile, 'id')).toBe(0);
    expect(readFileSync(join(notes, NOTES.pid), 'utf8')).toBe(`${process.pid}\n`);
    expect(readFileSync(join(notes, NOTES.cgroup), 'utf8')).toBe(readFileSync('/proc/self/cgroup', 'utf8'));
    expect(existsSync(join(notes, NOTES.started))).toBe(false);
    const before = uptime();
    expect(run('start', 'id')).toBe(0);
    const since = Number(readFileSync(join(notes, NOTES.started), 'utf8'));
    expect(since).toBeGreaterThanOrEqual(before - 0.02);
    expect(since).toBeLessThanOrEqual(uptime() + 0.02);
  });

  it('is read late on a busy machine, and the word that the command runs says since when', () => {
    const { notes, note } = world(none);
    note(NOTES.pid, '4711\n');
    note(NOTES.started, '12.34\n');
    const script = launcherScript(['/bin/true'], ['create'], 'name', process.pid, notes);
    const told = spawnSync('/bin/sh', ['-c', script], { cwd: notes, stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
    expect(String(told.output[3])).toContain('solyx:init 4711\nsolyx:ready 12.34\n');
  });

  it.each(['over', 'gone'] as const)('ends what it created when the attempt is %s meanwhile', async (how) => {
    const { run, notes, pidFile, first, calls } = world(none);
    const child = spawn('sleep', ['60']);
    const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
    first(child.pid!);
    if (how === 'over') noteRemoval(notes);
    else rmSync(notes, { recursive: true });
    expect(run('create', '--pid-file', pidFile, 'id')).toBe(1);
    expect(await ended).toBe('SIGKILL');
    expect(calls().at(-1)).toBe('delete|--force|id|');
  });

  it('ends nobody who is not in the noted groups, nor anybody in our own', () => {
    const { run, notes, pidFile, note } = world(none);
    expect(endNoted(notes)).toBe(true);
    run('create', '--pid-file', pidFile, 'id');
    expect(endNoted(notes)).toBe(true);
    note(NOTES.cgroup, '0::/elsewhere\n');
    expect(endNoted(notes)).toBe(true);
  });

  it('keeps what version 1 counted, each controller from its own tree', () => {
    const { run, notes, group, note } = world((tree) => [
      { type: 'cgroup', superOptions: ['rw', 'memory'], target: `${tree}/memory` },
      { type: 'cgroup', superOptions: ['rw', 'cpu', 'cpuacct'], target: `${tree}/cpu,cpuacct` },
      { type: 'cgroup2', target: `${tree}/unified` },
    ]);
    group('memory/libpod_parent/libpod-1', {
      'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
      'memory.usage_in_bytes': '5\n',
      'memory.max_usage_in_bytes': '7000\n',
    });
    group('cpu,cpuacct/libpod_parent/libpod-1', { 'cpuacct.usage': '1500000000\n' });
    note(NOTES.cgroup, '9:memory:/libpod_parent/libpod-1\n4:cpuacct,cpu:/libpod_parent/libpod-1\n0::/elsewhere\n');
    expect(notedCgroup(notes)).toBeNull();
    expect(run('--log=x', 'delete', '--force', 'id')).toBe(0);
    const noted = notedCgroup(notes)!;
    expect(oomKills(noted)).toBe(2);
    expect(readAccount(noted)).toEqual({ memoryBytes: 5, peakBytes: 7000, cpuSeconds: 1.5 });
    // A second one, of whoever wants to be sure, finds nothing and changes nothing.
    expect(run('delete', '--force', 'id')).toBe(0);
    expect(oomKills(notedCgroup(notes)!)).toBe(2);
  });

  it('keeps what version 2 counted, also where a mount shows only a part of the tree', () => {
    const { run, notes, group, note } = world((tree) => [
      { type: 'cgroup2', root: '/user.slice/me', target: `${tree}/shown` },
    ]);
    group('shown/a:b/libpod-1.scope', {
      'memory.events': 'low 0\noom 3\noom_kill 1\n',
      'memory.current': '5\n',
      'memory.peak': '9000\n',
      'cpu.stat': 'usage_usec 2500000\n',
    });
    note(NOTES.cgroup, '0::/user.slice/me/a:b/libpod-1.scope\n');
    expect(run('delete', 'id')).toBe(0);
    const noted = notedCgroup(notes)!;
    expect(oomKills(noted)).toBe(1);
    expect(readAccount(noted)).toEqual({ memoryBytes: 5, peakBytes: 9000, cpuSeconds: 2.5 });
  });

  it('deletes also when nothing was noted, or the group is gone', () => {
    const { run, notes, note, calls } = world((tree) => [{ type: 'cgroup2', target: tree }]);
    expect(run('delete', 'id')).toBe(0);
    note(NOTES.cgroup, '0::/gone\n');
    expect(run('delete', 'id')).toBe(0);
    expect(calls()).toEqual(['delete|id|', 'delete|id|']);
    expect(notedCgroup(notes)).toBeNull();
  });
});

describe('preparing notes', () => {
  const podman = { kind: 'podman', program: '/usr/bin/podman', flags: [], createFlags: [] } as const;
  const withRuntime = { ...podman, flags: ['--runtime=/usr/sbin/runc', '--cgroup-manager=cgroupfs'], createFlags: [] };

  it('needs an engine that takes a runtime, and the name of that which it would have used', () => {
    expect(runtimeOf(withRuntime)).toBe('/usr/sbin/runc');
    for (const driver of [
      podman,
      { ...withRuntime, kind: 'docker' as const },
      { ...podman, flags: ['--runtime=crun'] },
    ]) {
      expect(runtimeOf({ ...driver, flags: [...driver.flags], createFlags: [] })).toBeNull();
    }
  });

  it('begins anew each time: what an earlier start noted is no news', () => {
    const dir = mkdtempSync(join(tmpdir(), 'solyx-notes-'));
    made.push(dir);
    const script = prepareNotes(dir, withRuntime)!;
    execFileSync('sh', ['-n', script]);
    writeFileSync(join(dir, NOTES.folder, NOTES.started), '');
    expect(prepareNotes(dir, withRuntime)).toBe(script);
    expect(existsSync(join(dir, NOTES.folder, NOTES.started))).toBe(false);
  });
});
