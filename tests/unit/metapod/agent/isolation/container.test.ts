/** What runtimes and engines are told, from launches that were made to mislead them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { editsFor, readDescriptions } from '../../../../../src/metapod/agent/images/cdi.ts';
import { deviceEdits, toolkitRefusal } from '../../../../../src/metapod/agent/images/device-edits.ts';
import { containerEnvironment } from '../../../../../src/metapod/agent/isolation/container/container-environment.ts';
import { noEdits } from '../../../../../src/metapod/agent/isolation/container/edits.ts';
import {
  createArguments,
  devices,
  type EngineInput,
  envFileText,
} from '../../../../../src/metapod/agent/isolation/container/engine-arguments.ts';
import { chooseRange, hostId } from '../../../../../src/metapod/agent/isolation/container/id-range.ts';
import { ociConfig } from '../../../../../src/metapod/agent/isolation/container/oci-config.ts';
import { adjusted, candidates } from '../../../../../src/metapod/agent/isolation/container/probe.ts';
import { seccompProfile } from '../../../../../src/metapod/agent/isolation/container/seccomp.ts';
import { stillProgram } from '../../../../../src/metapod/agent/isolation/container/still-program.ts';
import type { Launch, LaunchContainer, LaunchDevice } from '../../../../../src/metapod/agent/supervisor/index.ts';
import { noSecrets } from '../../../../../src/metapod/agent/supervisor/index.ts';

const runtime = { kind: 'runtime', program: '/usr/sbin/runc', flags: [], createFlags: [] } as const;
const gpu: LaunchDevice = { kind: 'gpu-nvidia', index: 0, uuid: 'GPU-8f1d-22', nodes: ['/dev/nvidia0'] };

function launchOf(change: Partial<Launch> = {}, inside: Partial<LaunchContainer> = {}): Launch {
  return {
    attemptId: 'att_1',
    jobId: 'job_1',
    rank: 0,
    worldSize: 1,
    token: '1',
    command: [],
    env: {},
    workdir: null,
    isolation: 'container',
    network: 'none',
    limits: { cpuMilli: 1500, memoryBytes: 2 ** 28, diskBytes: 2 ** 20, sharedMemoryBytes: 2 ** 24, pids: 64 },
    devices: [],
    timeoutSeconds: null,
    graceSeconds: 1,
    onDisconnect: 'keep',
    checkpoint: null,
    logBufferBytes: 0,
    nodeBinary: '/node',
    container: {
      driver: { ...runtime, flags: [], createFlags: ['--init'] },
      installation: 'inst',
      imageKey: 'sha256-1',
      rootfs: '/images/1/rootfs',
      words: ['run', 'it'],
      env: {},
      cwd: '/work',
      user: { uid: 0, gid: 0, groups: [] },
      ...inside,
    },
    ...change,
  };
}

const engineInput = (change: Partial<EngineInput> = {}): EngineInput => ({
  launch: launchOf(),
  name: 'solyx-att_1-0',
  image: '/images/1/rootfs',
  user: '2147418112:2147418112',
  envFile: '/dev/shm/x/.environment',
  seccompFile: '/a/seccomp.json',
  secrets: null,
  directories: { work: '/a/work', artifacts: '/a/artifacts', metrics: '/a/metrics' },
  deviceGroups: [],
  ...change,
});

describe('an OCI runtime', () => {
  const configOf = (change: Partial<Launch> = {}, inside: Partial<LaunchContainer> = {}) => {
    const launch = launchOf(change, inside);
    const hook = { path: '/bin/sh', args: ['sh'], env: ['PATH=/bin'] };
    return ociConfig({
      launch,
      env: containerEnvironment(launch, launch.container!, noSecrets),
      words: launch.container!.words,
      cwd: launch.container!.cwd,
      user: launch.container!.user,
      stage: '/run',
      processLimit: null,
      edits: launch.container!.edits ?? noEdits,
      hooks: { created: hook, started: hook },
    });
  };

  it('is told to give nothing: no capability, no new privileges, a root that cannot be written, a filter', () => {
    const { process, root, linux } = configOf();
    expect(Object.values(process.capabilities).flat()).toEqual([]);
    expect(process.noNewPrivileges).toBe(true);
    expect(root.readonly).toBe(true);
    expect(linux.seccomp.defaultAction).toBe('SCMP_ACT_ERRNO');
    expect(linux.maskedPaths).toContain('/proc/kcore');
    expect(linux.readonlyPaths).toContain('/proc/sys');
    expect(linux.namespaces.map(({ type }) => type)).toContain('network');
    expect(configOf({ network: 'host' }).linux.namespaces.map(({ type }) => type)).not.toContain('network');
  });

  it('is shown nothing of the host but what is staged, and no mount that could hold a device or a set-uid program', () => {
    const { mounts } = configOf({ checkpoint: { dir: '/cp', previousDir: '/previous' } });
    const sources = mounts.filter(({ type }) => type === 'bind').map(({ source }) => source);
    expect(sources.filter((source) => !source.startsWith('/run/'))).toEqual([]);
    expect(mounts.filter(({ options }) => !options.includes('nosuid'))).toEqual([]);
    const devices = mounts.filter(({ options }) => !options.includes('nodev')).map(({ destination }) => destination);
    expect(devices).toEqual(['/dev', '/dev/pts']);
    const writable = mounts.filter(({ type, options }) => type === 'bind' && !options.includes('ro'));
    expect(writable.map(({ destination }) => destination)).toEqual([
      '/work',
      '/solyx/artifacts',
      '/solyx/metrics',
      '/solyx/checkpoint',
    ]);
  });

  it("gives hooks nothing of the image's or the job's environment", () => {
    const { hooks, process } = configOf({ env: { LD_AUDIT: 'b' } }, { env: { LD_PRELOAD: '/evil.so' } });
    expect(process.env).toEqual(expect.arrayContaining(['LD_PRELOAD=/evil.so', 'LD_AUDIT=b']));
    expect(JSON.stringify(hooks)).not.toMatch(/evil|LD_/);
    for (const hook of [...hooks.createRuntime, ...hooks.createContainer, ...hooks.poststart]) {
      expect(hook.env.length).toBeGreaterThan(0);
    }
  });

  it("hears Solyx' names over the job's and the job's over the image's", () => {
    const { process } = configOf(
      { env: { A: 'job', SOLYX_RANK: '9' } },
      { env: { A: 'image', B: 'image', SOLYX_RANK: '8' } },
    );
    expect(process.env).toEqual(expect.arrayContaining(['A=job', 'B=image', 'SOLYX_RANK=0']));
    expect(process.env.filter((entry) => entry.startsWith('SOLYX_RANK='))).toHaveLength(1);
  });

  it('never lets an image say which devices the job sees', () => {
    const { process } = configOf({}, { env: { NVIDIA_VISIBLE_DEVICES: 'all', CUDA_VISIBLE_DEVICES: '0,1' } });
    expect(process.env).toEqual(expect.arrayContaining(['NVIDIA_VISIBLE_DEVICES=void', 'CUDA_VISIBLE_DEVICES=']));
  });
});

describe('the filter of system calls', () => {
  it('knows each call once, and refuses what makes namespaces, mounts or keys', () => {
    const { syscalls } = seccompProfile('x64');
    const allowed = new Set(
      syscalls.filter(({ action, args }) => action === 'SCMP_ACT_ALLOW' && !args).flatMap(({ names }) => names),
    );
    const refused = syscalls.filter(({ action }) => action === 'SCMP_ACT_ERRNO').flatMap(({ names }) => names);
    for (const name of [
      'unshare',
      'setns',
      'mount',
      'pivot_root',
      'keyctl',
      'bpf',
      'kexec_load',
      'init_module',
      'clone3',
      'clone',
    ]) {
      expect(allowed.has(name), name).toBe(false);
    }
    for (const name of ['read', 'mmap', 'futex', 'execve', 'socket', 'epoll_wait', 'io_uring_enter', 'statx', 'rseq']) {
      expect(allowed.has(name) || name.startsWith('io_uring'), name).toBe(true);
    }
    expect(refused.filter((name) => allowed.has(name))).toEqual([]);
  });
});

describe('podman and docker', () => {
  it('are told to give nothing', () => {
    for (const kind of ['podman', 'docker'] as const) {
      const words = createArguments(kind, engineInput());
      expect(words).toEqual(
        expect.arrayContaining([
          '--read-only',
          '--cap-drop=all',
          '--security-opt=no-new-privileges',
          '--security-opt=seccomp=/a/seccomp.json',
          '--network=none',
          '--memory=268435456',
          '--memory-swap=268435456',
          '--cpus=1.500',
          '--pids-limit=64',
          '--shm-size=16777216',
        ]),
      );
      expect(words.join(' ')).not.toMatch(/privileged|docker\.sock|--pid=host|--userns=host/);
    }
  });

  it('take no word of a job or an image for an option', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constantFrom('--privileged', '-v', '/:/host', '["x"]', '')), {
          minLength: 1,
        }),
        (words) => {
          const launch = launchOf({}, { words, cwd: '--privileged' });
          for (const kind of ['podman', 'docker'] as const) {
            const all = createArguments(kind, engineInput({ launch }));
            const image = all.indexOf('/images/1/rootfs');
            expect(all.slice(image + 1)).toEqual(words.slice(1));
            const options = all.slice(1, image);
            expect(options.every((word) => word.startsWith('--'))).toBe(true);
            expect(options).not.toContain('--privileged');
            const entrypoint = options.find((word) => word.startsWith('--entrypoint='))!.slice('--entrypoint='.length);
            expect(entrypoint).toBe(kind === 'podman' ? JSON.stringify([words[0]]) : words[0]);
          }
        },
      ),
    );
  });

  it('see no value of a variable among their words', () => {
    const launch = launchOf({ env: { TOKEN: 'hunter2' } }, { env: { LD_PRELOAD: '/evil.so' } });
    expect(createArguments('podman', engineInput({ launch })).join(' ')).not.toMatch(/hunter2|evil/);
    expect(envFileText({ A: '1', B: 'x=y # "z"' })).toBe('A=1\nB=x=y # "z"\n');
    expect(() => envFileText({ A: 'one\nB=two' })).toThrow('several lines');
  });

  it('are given no folder whose name would be read as something else', () => {
    const directories = { work: '/a/wo,readonly=false,source=/', artifacts: '/a', metrics: '/a' };
    expect(() => createArguments('podman', engineInput({ directories }))).toThrow('comma');
  });

  it('are told devices by the names that each understands', () => {
    const amd: LaunchDevice = { kind: 'gpu-amd', index: 0, uuid: 'x', nodes: ['/dev/kfd', '/dev/dri/renderD128'] };
    const second = { ...gpu, uuid: 'GPU-2' };
    expect(devices('podman', [gpu, second, amd])).toEqual([
      '--device=nvidia.com/gpu=GPU-8f1d-22',
      '--device=nvidia.com/gpu=GPU-2',
      '--device=/dev/kfd',
      '--device=/dev/dri/renderD128',
    ]);
    expect(devices('docker', [gpu, second])).toEqual(['--gpus="device=GPU-8f1d-22,GPU-2"']);
  });

  it.each(['all', 'GPU-1,GPU-2', 'GPU-1"', '--privileged', '', '../x\n'])('are not told the device %j', (uuid) => {
    if (uuid === 'all')
      return expect(devices('docker', [{ ...gpu, uuid: null, index: 3 }])).toEqual(['--gpus="device=3"']);
    return expect(() => devices('docker', [{ ...gpu, uuid }])).toThrow('no name of a device');
  });

  it.each(['/etc/shadow', '/dev/../etc/shadow', '/dev/sda:/dev/x', 'dev/null'])('are not told the node %j', (node) => {
    expect(() => devices('podman', [{ ...gpu, kind: 'fpga', nodes: [node] }])).toThrow('not a device node');
  });
});

describe('NVIDIA devices', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'solyx-test-cdi-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['NVIDIA Container Toolkit CLI version 1.17.7\ncommit: x', false],
    ['NVIDIA Container Toolkit CLI version 1.16.2', false],
    ['NVIDIA Container Toolkit CLI version 0.99.99', false],
    ['NVIDIA Container Toolkit CLI version 1.17.8', true],
    ['NVIDIA Container Toolkit CLI version 1.18.0', true],
    ['NVIDIA Container Toolkit CLI version 2.0.0', true],
    ['something else', false],
    [null, false],
  ])('are given to containers by the toolkit %j: %s', (said, isGiven) => {
    expect(toolkitRefusal(said) === null).toBe(isGiven);
  });

  const outside = (descriptions: ReturnType<typeof readDescriptions>) => ({
    toolkit: () => 'version 1.18.0',
    descriptions: () => descriptions,
  });

  it('come with what their description says, and with nothing that would reach a hook or a loader', () => {
    const edits = (extra: object) => ({ deviceNodes: [{ path: '/dev/null' }], ...extra });
    writeFileSync(
      join(folder, 'nvidia.json'),
      JSON.stringify({
        cdiVersion: '0.8.0',
        kind: 'nvidia.com/gpu',
        devices: [
          { name: 'GPU-8f1d-22', containerEdits: edits({}) },
          { name: '1', containerEdits: edits({}) },
        ],
        containerEdits: {
          env: ['NVIDIA_VISIBLE_DEVICES=void', 'LD_PRELOAD=/x.so'],
          mounts: [{ hostPath: '/usr/lib/libcuda.so', containerPath: '/usr/lib/libcuda.so', options: ['rw', 'rbind'] }],
          hooks: [{ hookName: 'createContainer', path: '/usr/bin/nvidia-cdi-hook', args: ['nvidia-cdi-hook', 'x'] }],
        },
      }),
    );
    writeFileSync(join(folder, 'broken.json'), '{');
    writeFileSync(join(folder, 'other.yaml'), 'kind: other.com/x\ndevices: []\n');
    const found = deviceEdits([gpu], { ...runtime, flags: [], createFlags: [] }, outside(readDescriptions([folder])));
    if (!('edits' in found)) throw new Error(found.why);
    expect(found.edits.env).toEqual({ NVIDIA_VISIBLE_DEVICES: 'void' });
    expect(found.edits.devices).toMatchObject([{ path: '/dev/null', major: 1, minor: 3 }]);
    expect(found.edits.mounts[0]!.options).toEqual(expect.arrayContaining(['ro', 'nosuid', 'nodev', 'bind']));
    expect(found.edits.mounts[0]!.options).not.toContain('rw');
    expect(found.edits.hooks.createContainer![0]!.env.every((entry) => /^(PATH|LC_ALL)=/.test(entry))).toBe(true);
  });

  it('that no description has are refused with the cure', () => {
    const found = deviceEdits([gpu], { ...runtime, flags: [], createFlags: [] }, outside([]));
    expect(found).toEqual({ why: expect.stringContaining('nvidia-ctk cdi generate') });
  });

  it('are never found by a path that climbs', () => {
    const bad = {
      kind: 'nvidia.com/gpu',
      devices: [{ name: '0', containerEdits: { deviceNodes: [{ path: '/dev/../etc' }] } }],
    };
    writeFileSync(join(folder, 'bad.json'), JSON.stringify(bad));
    expect(readDescriptions([folder])).toEqual([]);
    expect(editsFor([], 'nvidia.com/gpu', [['0']])).toEqual({ missing: '0' });
  });
});

describe('the ids of containers', () => {
  it('belong to nobody, and to nobody outside what exists', () => {
    expect(chooseRange('0 0 4294967295')).toEqual({ first: 0x7fff0000, count: 65536 });
    expect(chooseRange('0 1000 1\n1 100000 65536')).toEqual({ first: 1 + 32768, count: 32768 });
    expect(chooseRange('0 1000 1')).toBeNull();
    expect(chooseRange('rubbish')).toBeNull();
    const range = { first: 1000, count: 100 };
    expect([0, 99, 100, 65_534, -1].map((id) => hostId(range, id))).toEqual([1000, 1099, 1099, 1099, 1099]);
  });
});

describe('the driver', () => {
  it('is a runtime alone where there is one, then podman, then docker', () => {
    expect(candidates((name) => `/bin/${name}`).map(({ program }) => program)).toEqual([
      '/bin/runc',
      '/bin/crun',
      '/bin/podman',
      '/bin/docker',
    ]);
    expect(candidates(() => null)).toEqual([]);
  });

  it('is tried otherwise for each known complaint, and given up in the end', () => {
    let driver = candidates((name) => (name === 'podman' ? '/bin/podman' : null))[0]!;
    const complaints = ['container-init binary not found', 'error setting rlimit type 7', 'crun: something'];
    for (const why of complaints) driver = adjusted(driver, why, '/bin/runc')!;
    expect(driver).toEqual({
      kind: 'podman',
      program: '/bin/podman',
      flags: ['--runtime=/bin/runc', '--cgroup-manager=cgroupfs'],
      createFlags: ['--ulimit=nofile=1024:1024', '--ulimit=nproc=1024:1024'],
    });
    for (const why of complaints) expect(adjusted(driver, why, '/bin/runc')).toBeNull();
  });

  it('is tried with a program of its own, for the processors that Node runs on', () => {
    for (const arch of ['x64', 'arm64']) expect(stillProgram(arch).subarray(0, 4)).toEqual(Buffer.from('\x7fELF'));
    expect(() => stillProgram('mips')).toThrow();
  });
});
