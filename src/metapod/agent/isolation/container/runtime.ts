/**
 * Driver `runtime`: an OCI runtime alone, runc or crun, with nothing between it and the supervisor.
 *
 * It is the first choice, also where podman or docker are installed: a container starts in a tenth of the time, needs no
 * daemon and no state shared with others, and ends by the kernel's hand with its supervisor.
 */
import { chownSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { failpoint } from '../../../../common/failpoints.ts';
import type { Launch } from '../../supervisor/files.ts';
import type { JobSecrets } from '../../supervisor/secret-input.ts';
import { type Cgroup, joinFiles, removeCgroup } from '../cgroup.ts';
import { makeDirectories } from '../directories.ts';
import { TRUSTED_ENVIRONMENT } from '../environment.ts';
import type { Prepared } from '../isolation.ts';
import { removeTree } from '../remove-tree.ts';
import { listPids } from '../watchdog.ts';
import { containerEnvironment } from './container-environment.ts';
import { groupsOf } from './device-groups.ts';
import { noEdits } from './edits.ts';
import { hostId, idRange } from './id-range.ts';
import { ociConfig } from './oci-config.ts';
import { createdHook, firstDeviceGroup, type RuntimeScriptInput, stageScript, startedHook } from './runtime-script.ts';
import { chooseStage, stageLines, writeEtc } from './stage.ts';

/** What stands for the installation while a driver is tried. */
export const trialInstallation = 'probe';

/** @throws Error with a reason for the user when it cannot be started here */
export function prepareRuntime(dir: string, launch: Launch, cgroup: Cgroup | null, secrets: JobSecrets): Prepared {
  const container = launch.container;
  if (container === undefined) throw new Error('isolation "container" needs an image');
  const ids = idRange();
  const owner = ids === null ? null : hostId(ids, container.user.uid);
  const directories = makeDirectories(dir, launch, owner);
  const etc = join(dir, 'etc');
  writeEtc(etc, launch);
  const stage = chooseStage([dir, dirname(container.rootfs), launch.checkpoint?.dir ?? dir]);
  const staged = stageLines(stage, launch, { etc, rootfs: container.rootfs, directories });
  const fstab = join(dir, 'fstab');
  writeFileSync(fstab, `${staged.lines.join('\n')}\n`, { mode: 0o600 });
  const deviceGroups = ids === null ? [] : groupsOf(launch);
  const pidsByCgroup = cgroup?.directories.pids !== undefined;
  const hook = (script: string) => ({
    path: '/bin/sh',
    args: ['sh', '-c', script],
    env: Object.entries(TRUSTED_ENVIRONMENT).map(([name, value]) => `${name}=${value}`),
    timeout: 30,
  });
  const config = ociConfig({
    launch,
    env: containerEnvironment(launch, container, secrets),
    words: container.words,
    cwd: container.cwd,
    // An agent that is not root has one id to give, and inside it is 0 without any of root's powers.
    user:
      ids === null
        ? { uid: 0, gid: 0, groups: [] }
        : {
            ...container.user,
            groups: [...container.user.groups, ...deviceGroups.map((_, index) => firstDeviceGroup + index)],
          },
    stage,
    processLimit: pidsByCgroup ? null : launch.limits.pids,
    edits: container.edits ?? noEdits,
    hooks: { created: hook(createdHook(stage)), started: hook(startedHook(stage)) },
  });
  const input: RuntimeScriptInput = {
    supervisorPid: process.pid,
    runtime: container.driver.program,
    stage,
    fstab,
    folders: staged.folders,
    ids,
    deviceGroups,
    containerId: `solyx-${launch.attemptId}-${launch.rank}`,
  };
  // A failpoint is for supervisors: an agent that tries its driver would be the first to come by.
  const isTrial = container.installation === trialInstallation;
  /** Processes of the launcher that share the job's pid namespace, by their numbers there. */
  let ours = new Set<number>();
  return {
    argv: ['sh', '-c', stageScript(input)],
    env: TRUSTED_ENVIRONMENT,
    cwd: '/',
    script: JSON.stringify(config),
    ownerUid: owner,
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
    enter(hostPid, insidePid, initPid) {
      if (!isTrial) failpoint('container.before-enter');
      ours = new Set(listPids(`/proc/${initPid}/root/proc`).filter((pid) => pid !== insidePid));
      for (const file of cgroup === null ? [] : joinFiles(cgroup)) writeFileSync(file, String(hostPid));
      const staged = `/proc/${initPid}/root${stage}/secrets`;
      for (const { name, content } of secrets.files) {
        writeFileSync(join(staged, name), content, { mode: 0o400, flag: 'wx' });
        if (owner !== null) chownSync(join(staged, name), owner, owner);
      }
      if (!isTrial) failpoint('container.after-enter');
    },
    processes(mainPid, initPid) {
      const inside = `/proc/${initPid ?? 0}/root/proc`;
      const job = `/proc/${mainPid}/root`;
      return {
        procRoot: inside,
        pids: () => (initPid === null ? [] : listPids(inside).filter((pid) => !ours.has(pid))),
        memoryMounts: initPid === null ? [] : [`${job}/tmp`, `${job}/dev/shm`],
      };
    },
    cleanup() {
      removeTree(etc);
      rmSync(fstab, { force: true });
      if (cgroup !== null) removeCgroup(cgroup);
    },
  };
}
