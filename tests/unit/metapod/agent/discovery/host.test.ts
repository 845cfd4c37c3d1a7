/** CPU, memory, disk and boot of a node, and how the agent's own cgroup lowers them. */
import { describe, expect, it } from 'vitest';
import { cgroupLimits } from '../../../../../src/metapod/agent/discovery/cgroup.ts';
import { discoverNode } from '../../../../../src/metapod/agent/discovery/index.ts';
import { fixture, outsideOf, type World } from './world.ts';

const discover = (world: World) => discoverNode({ outside: outsideOf(world), scratch: '/scratch' });

const V1 = {
  '/proc/self/mountinfo': fixture('host/cgroup-v1.mountinfo'),
  '/proc/self/cgroup': fixture('host/cgroup-v1.cgroup'),
};
const V2 = {
  '/proc/self/mountinfo': fixture('host/cgroup-v2-docker.mountinfo'),
  '/proc/self/cgroup': fixture('host/cgroup-v2-docker.cgroup'),
};
const limits = (files: Record<string, string>) => cgroupLimits(outsideOf({ files }));

describe('host', () => {
  it('offers what /proc and /sys say', async () => {
    const files = {
      '/proc/meminfo': fixture('host/meminfo'),
      '/sys/devices/system/cpu/online': '0-3,8\n',
      '/proc/sys/kernel/osrelease': '6.18.44\n',
      '/proc/sys/kernel/random/boot_id': 'f5e638cc-056f-4a44-999b-63c1e3a89296\n',
    };
    expect(await discover({ files, freeBytes: 123.9 })).toEqual({
      cpuMilli: 5000,
      memoryBytes: Number(/MemTotal:\s+(\d+)/.exec(files['/proc/meminfo'])?.[1]) * 1024,
      diskBytes: 123,
      os: 'linux',
      arch: 'x64',
      kernel: '6.18.44',
      bootId: 'f5e638cc-056f-4a44-999b-63c1e3a89296',
      devices: [],
      warnings: [],
    });
  });

  it("falls back to the system's own figures where there is no /proc", async () => {
    const host = { platform: 'darwin', arch: 'arm64', kernel: '25.0', cpus: 10, memoryBytes: 2 ** 35 };
    expect(await discover({ host })).toMatchObject({
      cpuMilli: 10_000,
      memoryBytes: 2 ** 35,
      os: 'darwin',
      arch: 'arm64',
      kernel: '25.0',
      bootId: null,
    });
  });

  it('without a readable scratch folder offers no disk and says so', async () => {
    const { diskBytes, warnings } = await discover({ freeBytes: null });
    expect(diskBytes).toBe(0);
    expect(warnings).toEqual([
      { code: 'host-unreadable', source: '/scratch', detail: 'free space of the scratch folder' },
    ]);
  });

  it('believes no boot id that is none', async () => {
    expect((await discover({ files: { '/proc/sys/kernel/random/boot_id': '../../x' } })).bootId).toBeNull();
  });
});

describe('cgroup version 1, recorded', () => {
  it('without limits lowers nothing', async () => {
    const files = {
      ...V1,
      '/sys/fs/cgroup/memory/agents/one/memory.limit_in_bytes': '9223372036854771712\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    };
    expect(await limits(files)).toEqual({ cpuMilli: null, memoryBytes: null });
  });

  it('takes the smallest limit of the group and its ancestors', async () => {
    const files = {
      ...V1,
      '/sys/fs/cgroup/memory/agents/one/memory.limit_in_bytes': '9223372036854771712\n',
      '/sys/fs/cgroup/memory/agents/memory.limit_in_bytes': '1073741824\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '4294967296\n',
    };
    expect((await limits(files)).memoryBytes).toBe(2 ** 30);
  });

  it('takes quota and cpuset, whichever is less', async () => {
    const files = {
      ...V1,
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '150000\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      '/sys/fs/cgroup/cpuset/cpuset.cpus': '0-3\n',
    };
    expect((await limits(files)).cpuMilli).toBe(1500);
    const pinned = { ...files, '/sys/fs/cgroup/cpuset/cpuset.effective_cpus': '1\n' };
    expect((await limits(pinned)).cpuMilli).toBe(1000);
  });
});

describe('cgroup version 2, documented', () => {
  it('in a container finds its own group below the mount, though the path is of the host', async () => {
    const files = {
      ...V2,
      '/sys/fs/cgroup/agent/memory.max': '536870912\n',
      '/sys/fs/cgroup/agent/cpu.max': 'max 100000\n',
      '/sys/fs/cgroup/memory.max': '2147483648\n',
      '/sys/fs/cgroup/cpu.max': '250000 100000\n',
    };
    expect(await limits(files)).toEqual({ cpuMilli: 2500, memoryBytes: 2 ** 29 });
  });

  it('in its own namespace reads the mount', async () => {
    const files = {
      '/proc/self/mountinfo': '30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
      '/proc/self/cgroup': '0::/\n',
      '/sys/fs/cgroup/memory.max': '1048576\n',
      '/sys/fs/cgroup/cpuset.cpus.effective': '0,2-4\n',
    };
    expect(await limits(files)).toEqual({ cpuMilli: 4000, memoryBytes: 1048576 });
  });

  it('lowers what the node offers, and never raises it', async () => {
    const files = { ...V2, '/sys/fs/cgroup/memory.max': '1073741824\n', '/sys/fs/cgroup/cpu.max': '900000 100000\n' };
    expect(await discover({ files, host: { cpus: 4 } })).toMatchObject({ cpuMilli: 4000, memoryBytes: 2 ** 30 });
  });

  it.each(['', 'max', '-5', 'banana', '0', '99999999999999999999'])(
    'takes memory.max %j for no limit',
    async (text) => {
      expect((await limits({ ...V2, '/sys/fs/cgroup/memory.max': text })).memoryBytes).toBeNull();
    },
  );
});
