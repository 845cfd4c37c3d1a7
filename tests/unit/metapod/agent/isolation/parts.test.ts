import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { keyed } from '../../../../../src/metapod/agent/isolation/cgroup.ts';
import { deviceEnvironment } from '../../../../../src/metapod/agent/isolation/device-environment.ts';
import { diskUsageBytes } from '../../../../../src/metapod/agent/isolation/disk-usage.ts';
import { jobUid } from '../../../../../src/metapod/agent/isolation/identity.ts';
import { bindLines, fstabLine, parseMountinfo } from '../../../../../src/metapod/agent/isolation/mounts.ts';
import { isShellName, shellQuote } from '../../../../../src/metapod/agent/isolation/shell-quote.ts';
import { pageBytes, parseRollup } from '../../../../../src/metapod/agent/isolation/watchdog.ts';
import { parseStat } from '../../../../../src/metapod/agent/supervisor/process-identity.ts';

const dir = mkdtempSync(join(tmpdir(), 'solyx-parts-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('quoting for sh', () => {
  it('survives a real sh unchanged', () => {
    const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0') && value.isWellFormed());
    const values = fc.sample(text, 200).concat(["it's", '$HOME `id` "x"', "''", '\n\n', '\\', "'; rm -rf /; '"]);
    const program = values.map((value) => `printf '%s\\0' ${shellQuote(value)}`).join('\n');
    const out = execFileSync('sh', ['-s'], { input: program, encoding: 'utf8' });
    expect(out.split('\0').slice(0, -1)).toEqual(values);
  });

  it('refuses what no process can be given', () => {
    expect(() => shellQuote('a\0b')).toThrow();
    expect(['A', '_a1', 'A.B', '1A', 'A=B', ''].map(isShellName)).toEqual([true, true, false, false, false, false]);
  });
});

describe('mounts', () => {
  const table = parseMountinfo(
    '27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n' +
      '28 27 0:25 / /home rw,nosuid,nodev,noexec shared:1 - ext4 /dev/vdb rw\n' +
      '29 27 0:26 / /usr/my\\040files rw - tmpfs tmpfs rw\n',
  );

  it('are read with their escapes', () => {
    expect(table.map((mount) => mount.target)).toEqual(['/', '/home', '/usr/my files']);
  });

  it('keep noexec of their source, which the kernel locks in a user namespace', () => {
    expect(bindLines('/home/me/work', '/r/work', 'nosuid,nodev', table)).toEqual([
      '/home/me/work /r/work none bind,nosuid,nodev,noexec 0 0',
    ]);
  });

  it('are bound with those below them, each with the same options', () => {
    expect(bindLines('/usr', '/r/usr', 'ro,nosuid,nodev', table)).toEqual([
      '/usr /r/usr none rbind,ro,nosuid,nodev 0 0',
      '/usr/my\\040files /r/usr/my\\040files none rbind,ro,nosuid,nodev 0 0',
    ]);
  });

  it('are written so that no path can forge a line', () => {
    expect(fstabLine('/a b\n/c', '/d#e\\', 'none', 'bind')).toBe('/a\\040b\\012/c /d\\043e\\134 none bind 0 0');
  });
});

describe('the user of a job', () => {
  const all = '         0          0 4294967295\n';

  it('is the same for each attempt, another for each job, and never an account', () => {
    expect(jobUid('job_a', all)).toBe(jobUid('job_a', all));
    expect(jobUid('job_a', all)).not.toBe(jobUid('job_b', all));
    fc.assert(
      fc.property(fc.string(), (id) => {
        expect(jobUid(id, all)).toBeGreaterThanOrEqual(0x70000000);
        expect(jobUid(id, all)).toBeLessThan(0x80000000);
      }),
    );
  });

  it('exists where only some ids do', () => {
    fc.assert(
      fc.property(fc.string(), (id) => {
        const uid = jobUid(id, '0 100000 65536\n');
        expect(uid).toBeGreaterThanOrEqual(32768);
        expect(uid).toBeLessThan(65536);
      }),
    );
    expect(() => jobUid('job_a', '0 1000 1\n')).toThrow();
  });
});

describe('the environment for devices', () => {
  it('hides every GPU from a job without one', () => {
    expect(deviceEnvironment([])).toMatchObject({
      CUDA_VISIBLE_DEVICES: '',
      NVIDIA_VISIBLE_DEVICES: 'void',
      ROCR_VISIBLE_DEVICES: '',
      HIP_VISIBLE_DEVICES: '',
    });
  });

  it('names devices as each runtime knows them', () => {
    const device = (kind: string, index: number, uuid: string | null) => ({ kind, index, uuid, nodes: [] });
    expect(
      deviceEnvironment([device('gpu-nvidia', 3, 'GPU-abc'), device('gpu-nvidia', 4, null)]).CUDA_VISIBLE_DEVICES,
    ).toBe('GPU-abc,4');
    expect(deviceEnvironment([device('gpu-amd', 2, null), device('gpu-amd', 5, null)])).toMatchObject({
      ROCR_VISIBLE_DEVICES: '2,5',
      HIP_VISIBLE_DEVICES: '0,1',
      CUDA_VISIBLE_DEVICES: '',
    });
    expect(deviceEnvironment([device('tpu', 1, null)]).TPU_VISIBLE_CHIPS).toBe('1');
  });
});

describe('what the kernel tells', () => {
  it('about a process is read past any command name', () => {
    const rest = 'S 7 8 9 0 -1 4194560 1 2 3 4 250 50 100 25 20 0 1 0 123456 1 2';
    expect(parseStat(`42 (a) b (c) ${rest}`)).toEqual({
      state: 'S',
      parent: 7,
      group: 8,
      session: 9,
      cpuSeconds: 3,
      childCpuSeconds: 1.25,
      start: '123456',
    });
    expect(parseStat('nonsense')).toBeNull();
  });

  it('about memory is added up without double counting', () => {
    const text = 'Rss: 900 kB\nPss_Anon: 100 kB\nPss_File: 50 kB\nPss_Shmem: 20 kB\nSwapPss: 4 kB\n';
    expect(parseRollup(text)).toEqual({ anonymousBytes: 104 * 1024, sharedBytes: 20 * 1024 });
    expect([4096, 16384, 65536]).toContain(pageBytes());
    expect(keyed('low 0\noom 2\noom_kill 3\n', 'oom_kill')).toBe(3);
  });
});

describe('disk usage', () => {
  it('counts blocks, each file once, and follows no link', async () => {
    mkdirSync(join(dir, 'a/b'), { recursive: true });
    writeFileSync(join(dir, 'a/b/file'), Buffer.alloc(1 << 20, 1));
    symlinkSync('/usr', join(dir, 'a/link'));
    execFileSync('ln', [join(dir, 'a/b/file'), join(dir, 'a/twin')]);
    const bytes = await diskUsageBytes([join(dir, 'a')]);
    expect(bytes).toBeGreaterThanOrEqual(1 << 20);
    expect(bytes).toBeLessThan(1.2 * (1 << 20));
    expect(await diskUsageBytes([join(dir, 'none')])).toBe(0);
  });
});
