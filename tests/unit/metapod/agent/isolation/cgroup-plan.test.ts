/**
 * Version 2 cannot be tried on a machine with version 1, so its trees are written down as systemd, Docker and a bare
 * kernel lay them out, after their documentation (systemd.resource-control(5), the kernel's cgroup-v2.rst).
 */
import { describe, expect, it } from 'vitest';
import { limitFiles } from '../../../../../src/metapod/agent/isolation/cgroup.ts';
import { type CgroupView, planCgroup } from '../../../../../src/metapod/agent/isolation/cgroup-plan.ts';
import { parseMountinfo } from '../../../../../src/metapod/agent/isolation/mounts.ts';

const V2 = '30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n';
const V1 = ['memory', 'pids', 'cpu,cpuacct']
  .map((name, at) => `${40 + at} 31 0:3${at} / /sys/fs/cgroup/${name} rw - cgroup cgroup rw,${name}\n`)
  .join('');

function view(
  selfCgroup: string,
  mountinfo: string,
  files: Record<string, string>,
  writable: (path: string) => boolean,
): CgroupView {
  return {
    selfCgroup,
    mounts: parseMountinfo(mountinfo),
    isWritable: writable,
    read: (path) => files[path] ?? null,
  };
}
const node = (path: string, controllers: string, enabled: string, procs: string, root = false) => ({
  [`${path}/cgroup.controllers`]: controllers,
  [`${path}/cgroup.subtree_control`]: enabled,
  [`${path}/cgroup.procs`]: procs,
  ...(root ? {} : { [`${path}/cgroup.type`]: 'domain\n' }),
});

describe('cgroup version 2', () => {
  const service = '/sys/fs/cgroup/system.slice/solyx.service';

  it('uses the delegated parent of a subgroup', () => {
    const files = {
      ...node(`${service}/agent`, 'cpu memory pids\n', '\n', '42\n'),
      ...node(service, 'cpuset cpu io memory pids\n', '\n', ''),
    };
    const plan = planCgroup(
      view('0::/system.slice/solyx.service/agent\n', V2, files, (path) => path.startsWith(service)),
    );
    expect(plan).toMatchObject({
      version: 2,
      bases: { memory: service, pids: service, cpu: service },
      enable: ['memory', 'pids', 'cpu'],
      missing: [],
    });
  });

  it('says what to do when the delegated group holds the agent itself', () => {
    const files = node(service, 'cpu memory pids\n', '\n', '42\n');
    const plan = planCgroup(view('0::/system.slice/solyx.service\n', V2, files, (path) => path.startsWith(service)));
    expect(plan.bases).toEqual({});
    expect(plan.missing[0]).toContain('DelegateSubgroup=agent');
  });

  it('offers nothing to a user whose session is not delegated', () => {
    const plan = planCgroup(view('0::/user.slice/user-1000.slice/session-1.scope\n', V2, {}, () => false));
    expect(plan.bases).toEqual({});
    expect(plan.missing.length).toBeGreaterThan(0);
  });

  it('lets root use the root group, which alone may hold processes and children', () => {
    const files = { ...node('/sys/fs/cgroup', 'cpu memory pids\n', 'memory pids\n', '1\n2\n', true) };
    const plan = planCgroup(view('0::/\n', V2, files, () => true));
    expect(plan).toMatchObject({ bases: { memory: '/sys/fs/cgroup' }, enable: ['cpu'] });
  });

  it('writes limits in its own words', () => {
    const limits = { cpuMilli: 1500, memoryBytes: 1000, diskBytes: 1, sharedMemoryBytes: 1, pids: 10 };
    expect(limitFiles({ version: 2, directories: { memory: '/g', pids: '/g', cpu: '/g' } }, limits)).toEqual([
      ['/g/memory.max', '1000'],
      ['/g/memory.swap.max', '0'],
      ['/g/pids.max', '16'],
      ['/g/cpu.max', '150000 100000'],
    ]);
  });
});

describe('cgroup version 1', () => {
  const self = '9:memory:/jobs/a\n8:pids:/\n7:cpu,cpuacct:/jobs/a\n0::/\n';

  it('takes each controller whose own group is writable', () => {
    const plan = planCgroup(view(self, V1, {}, (path) => !path.includes('pids')));
    expect(plan.version).toBe(1);
    expect(plan.bases).toEqual({
      memory: '/sys/fs/cgroup/memory/jobs/a',
      cpu: '/sys/fs/cgroup/cpu,cpuacct/jobs/a',
      cpuacct: '/sys/fs/cgroup/cpu,cpuacct/jobs/a',
    });
    expect(plan.missing).toEqual(['pids: /sys/fs/cgroup/pids is not writable']);
  });

  it('understands a container whose mount shows its own group as the root', () => {
    const mount = '40 31 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n';
    const plan = planCgroup(view('9:memory:/docker/abc\n', mount, {}, () => true));
    expect(plan.bases.memory).toBe('/sys/fs/cgroup/memory');
  });

  it('writes limits in its own words', () => {
    const limits = { cpuMilli: 500, memoryBytes: 1000, diskBytes: 1, sharedMemoryBytes: 1, pids: 10 };
    expect(limitFiles({ version: 1, directories: { memory: '/m', cpu: '/c' } }, limits)).toEqual([
      ['/m/memory.limit_in_bytes', '1000'],
      ['/m/memory.memsw.limit_in_bytes', '1000'],
      ['/c/cpu.cfs_period_us', '100000'],
      ['/c/cpu.cfs_quota_us', '50000'],
    ]);
  });
});
