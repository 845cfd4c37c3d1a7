/**
 * Isolation `sandbox`: built from util-linux and the host's own /usr, for root and for anyone else.
 *
 * What it takes away: the host's files, processes, network, System V objects, mounts, capabilities, set-uid
 * programs and further user namespaces. What it does not: the kernel itself is shared and not filtered
 * (no seccomp: that needs a compiled program), and CPU caches are shared. For strangers' code, ask for `vm`.
 */
import { existsSync, rmSync, statSync } from 'node:fs';
import type { Launch } from '../supervisor/files.ts';
import type { JobSecrets } from '../supervisor/secret-input.ts';
import { type Cgroup, joinFiles, removeCgroup } from './cgroup.ts';
import { makeDirectories } from './directories.ts';
import { jobCommand, jobEnvironment, TRUSTED_ENVIRONMENT } from './environment.ts';
import { hostUid } from './identity.ts';
import type { Prepared } from './isolation.ts';
import { removeTree } from './remove-tree.ts';
import { INSIDE, makeRoot } from './sandbox-root.ts';
import { jobScript, outerScript } from './sandbox-script.ts';
import { insideSecrets, secretFileLines, secretsTmpfsBytes } from './secret-files.ts';
import { listPids } from './watchdog.ts';

export function prepareSandbox(dir: string, launch: Launch, cgroup: Cgroup | null, secrets: JobSecrets): Prepared {
  const uid = hostUid(launch.jobId);
  const command = jobCommand(launch);
  const env = jobEnvironment(launch, {
    home: INSIDE.work,
    temporary: '/tmp',
    artifacts: INSIDE.artifacts,
    metricsFile: INSIDE.metricsFile,
    checkpoint: launch.checkpoint === null ? null : INSIDE.checkpoint,
    previousCheckpoint: launch.checkpoint?.previousDir == null ? null : INSIDE.previousCheckpoint,
    nodeDirectory: INSIDE.nodeDirectory,
  });
  const given = { ...env, ...secrets.env, ...(secrets.files.length > 0 && { SOLYX_SECRETS_DIR: insideSecrets }) };
  const script = jobScript(given, command, secretFileLines(secrets.files));
  const directories = makeDirectories(dir, launch, uid);
  const root = makeRoot(dir, launch, directories, secrets.files.length > 0 ? secretsTmpfsBytes(secrets.files) : 0);
  const pidsByCgroup = cgroup?.directories.pids !== undefined;
  const outer = outerScript(launch, root, {
    supervisorPid: process.pid,
    hostUid: uid,
    deviceGroups: deviceGroups(launch),
    joinFiles: cgroup === null ? [] : joinFiles(cgroup),
    processLimit: pidsByCgroup ? null : launch.limits.pids,
  });
  return {
    argv: ['sh', '-c', outer],
    env: TRUSTED_ENVIRONMENT,
    cwd: '/',
    script,
    ownerUid: uid,
    guardian: null,
    direct: false,
    cgroup,
    enforcement: {
      memory: cgroup === null ? 'watchdog' : 'cgroup',
      cpu: cgroup?.directories.cpu === undefined ? 'none' : 'cgroup',
      pids: pidsByCgroup ? 'cgroup' : 'rlimit',
      disk: 'watchdog',
    },
    writable: directories.counted,
    processes(_mainPid, initPid) {
      // Seen through pid 1's eyes, its /proc lists exactly the job's processes.
      const inside = `/proc/${initPid ?? 0}/root`;
      return {
        procRoot: `${inside}/proc`,
        pids: () => (initPid === null ? [] : listPids(`${inside}/proc`)),
        memoryMounts: initPid === null ? [] : [`${inside}/tmp`, `${inside}/dev/shm`],
      };
    },
    cleanup() {
      removeTree(root.directory);
      rmSync(root.fstab, { force: true });
      if (cgroup !== null) removeCgroup(cgroup);
    },
  };
}

/** Groups without which a job of a root agent could not open its devices (/dev/kfd belongs to `render`). */
function deviceGroups(launch: Launch): number[] {
  const nodes = launch.devices.flatMap((device) => device.nodes).filter((node) => existsSync(node));
  return [
    ...new Set(
      nodes
        .map((node) => statSync(node))
        .filter((stat) => (stat.mode & 0o007) === 0 && stat.gid !== 0)
        .map((stat) => stat.gid),
    ),
  ];
}
