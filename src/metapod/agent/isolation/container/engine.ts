/**
 * Drivers `podman` and `docker`: for machines where a runtime alone may make no namespaces but an engine may (Ubuntu's
 * AppArmor lets podman through; a docker group needs no privilege of its own).
 *
 * The container is then nobody's child: conmon or a daemon holds it. So its end is seen to from three sides: the
 * supervisor, a guardian that outlives it by the moments it takes to kill, and the agent's sweep (`sweep.ts`), which finds
 * by label whatever both left. Limits and accounts are the engine's own cgroup, found through the container's process.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ContainerDriverChoice, Launch } from '../../supervisor/files.ts';
import type { JobSecrets } from '../../supervisor/secret-input.ts';
import { type Cgroup, cgroupPids } from '../cgroup.ts';
import { cgroupOf } from '../cgroup-of.ts';
import { makeDirectories } from '../directories.ts';
import { TRUSTED_ENVIRONMENT } from '../environment.ts';
import type { Prepared } from '../isolation.ts';
import { removeSecretFiles, secretsDirectory, writeSecretFiles } from '../secret-files.ts';
import { containerEnvironment } from './container-environment.ts';
import { groupsOf } from './device-groups.ts';
import { createArguments, envFileText } from './engine-arguments.ts';
import { endNoted, NOTES, notedCgroup, notedMonitor, noteRemoval, prepareNotes, wasLetGo } from './engine-notes.ts';
import { guardianScript, launcherScript } from './engine-script.ts';
import { hostId, idRange } from './id-range.ts';
import { seccompProfile } from './seccomp.ts';

const commandMs = 30_000;

/** Words that begin every command of an engine. */
export const engineWords = (driver: ContainerDriverChoice): [string, ...string[]] => [driver.program, ...driver.flags];

/** Its environment: podman looks for its files below HOME and XDG_RUNTIME_DIR. */
export function engineEnvironment(): Record<string, string> {
  const { HOME = '/root', XDG_RUNTIME_DIR, DOCKER_HOST } = process.env;
  return {
    ...TRUSTED_ENVIRONMENT,
    HOME,
    ...(XDG_RUNTIME_DIR !== undefined && { XDG_RUNTIME_DIR }),
    ...(DOCKER_HOST !== undefined && { DOCKER_HOST }),
  };
}

/** Removes a container, running or not, without the ten seconds that podman would wait for it. */
export const removeWords = ({ kind }: ContainerDriverChoice): string[] =>
  kind === 'podman' ? ['rm', '--force', '--time=0'] : ['rm', '--force'];

export const containerName = (attemptId: string, rank: number): string => `solyx-${attemptId}-${rank}`;

/** @throws Error with a reason for the user when it cannot be started here */
export function prepareEngine(dir: string, launch: Launch, secrets: JobSecrets): Prepared {
  const container = launch.container;
  if (container === undefined) throw new Error('isolation "container" needs an image');
  const { driver } = container;
  const env = engineEnvironment();
  const [program, ...flags] = engineWords(driver);
  const run = (...words: string[]) =>
    spawnSync(program, [...flags, ...words], { env, encoding: 'utf8', timeout: commandMs });
  const ids = idRange();
  // The image's files were given to ids of the range; the job is the one of them that the image says. An engine without
  // root maps its root to the agent's own user, whom the files belong to then.
  const uid = ids === null ? null : hostId(ids, container.user.uid);
  const gid = ids === null ? null : hostId(ids, container.user.gid);
  const directories = makeDirectories(dir, launch, uid);
  const memory = secretsDirectory(launch.attemptId, launch.rank);
  const variables = envFileText(containerEnvironment(launch, container, secrets));
  writeSecretFiles(memory, [{ name: ENV_FILE, content: Buffer.from(variables) }]);
  const name = containerName(launch.attemptId, launch.rank);
  const own = driver.kind === 'podman' ? '0:0' : `${process.getuid?.()}:${process.getgid?.()}`;
  const seccompFile = join(dir, 'seccomp.json');
  writeFileSync(seccompFile, JSON.stringify(seccompProfile()), { mode: 0o600 });
  const words = createArguments(driver.kind, {
    launch,
    name,
    image: driver.kind === 'podman' ? container.rootfs : importImage(driver, container.imageKey, container.rootfs, env),
    user: uid === null ? own : `${uid}:${gid}`,
    envFile: join(memory, ENV_FILE),
    seccompFile,
    secrets: secrets.files.length > 0 ? ownSecrets(memory, secrets, uid) : null,
    directories,
    deviceGroups: uid === null ? [] : groupsOf(launch),
  });
  run(...removeWords(driver), name);
  const noting = prepareNotes(dir, driver);
  const create = noting === null ? words : [`--runtime=${noting}`, ...words];
  const notes = noting === null ? null : dirname(noting);
  let cgroup: Cgroup | null = null;
  const kill = () => {
    const child = spawn(program, [...flags, 'kill', name], { env, stdio: 'ignore' });
    child.on('error', () => undefined);
  };
  let lastKill = 0;
  return {
    argv: ['sh', '-c', launcherScript([program, ...flags], create, name, process.pid, notes)],
    env,
    cwd: dir,
    script: null,
    ownerUid: uid,
    guardian: guardianScript([program, ...flags, ...removeWords(driver)], name, env, notes),
    direct: false,
    get cgroup() {
      return cgroup;
    },
    enforcement: { memory: 'cgroup', cpu: 'cgroup', pids: 'cgroup', disk: 'watchdog' },
    writable: directories.counted,
    processes(_mainPid, initPid) {
      cgroup ??= initPid === null ? null : cgroupOf(initPid);
      return { procRoot: '/proc', memoryMounts: [], pids: () => (cgroup === null ? [] : cgroupPids(cgroup)) };
    },
    engine: {
      terminate() {
        const child = spawn(program, [...flags, 'kill', '--signal=TERM', name], { env, stdio: 'ignore' });
        child.on('error', () => undefined);
      },
      kill() {
        // An engine is slow; asked each tick it would only have more to do.
        if (Date.now() < lastKill + 1000) return;
        lastKill = Date.now();
        kill();
      },
      monitor: notes === null ? null : () => notedMonitor(notes),
      mayHaveBegun: () => notes !== null && wasLetGo(notes),
      remove() {
        if (notes !== null) noteRemoval(notes);
        return run(...removeWords(driver), name).status === 0 && (notes === null || endNoted(notes));
      },
      lastAccount: () => (notes === null ? null : notedCgroup(notes)),
    },
    cleanup() {
      removeSecretFiles(memory);
      for (const name of ['engine.begun', 'engine.over', 'seccomp.json']) rmSync(join(dir, name), { force: true });
      if (notes !== null) rmSync(notes, { recursive: true, force: true });
    },
  };
}

/** A dot, so that no secret has its name. */
const ENV_FILE = '.environment';

/** Secrets below a folder of their own, beside the file that only the engine reads. */
function ownSecrets(memory: string, secrets: JobSecrets, uid: number | null): string {
  const folder = join(memory, 'files');
  mkdirSync(folder, { mode: 0o700 });
  if (uid !== null) chownSync(folder, uid, uid);
  for (const { name, content } of secrets.files) {
    writeFileSync(join(folder, name), content, { mode: 0o400, flag: 'wx' });
    if (uid !== null) chownSync(join(folder, name), uid, uid);
  }
  return folder;
}

/** Docker runs only what it has: the root file system is handed to it once, under the key of the image. */
function importImage(driver: ContainerDriverChoice, key: string, rootfs: string, env: Record<string, string>): string {
  const name = `${importedName}:${key}`;
  const [program, ...flags] = engineWords(driver);
  const known = spawnSync(program, [...flags, 'image', 'inspect', name], { env, stdio: 'ignore', timeout: commandMs });
  if (known.status === 0) return name;
  const script = 'tar -C "$1" --numeric-owner -cf - . | "$2" import - "$3"';
  const made = spawnSync('sh', ['-c', script, 'sh', rootfs, program, name], {
    env,
    encoding: 'utf8',
    timeout: 20 * commandMs,
  });
  if (made.status !== 0) throw new Error(`docker does not take the image: ${made.stderr.slice(-500)}`);
  return name;
}

/** Repository of imported images; the tag is the key. */
export const importedName = 'solyx-image';

/** Removes an attempt's container, running or not, by its name. @returns whether it is certainly gone */
export function removeContainer(driver: ContainerDriverChoice, name: string, dir: string): boolean {
  const notes = join(dir, NOTES.folder);
  noteRemoval(notes);
  const [program, ...flags] = engineWords(driver);
  const options = { env: engineEnvironment(), encoding: 'utf8', timeout: commandMs } as const;
  const removed = spawnSync(program, [...flags, ...removeWords(driver), name], options);
  const isRemoved = removed.status === 0 || /no such container|no container with/i.test(removed.stderr ?? '');
  return isRemoved && endNoted(notes);
}
