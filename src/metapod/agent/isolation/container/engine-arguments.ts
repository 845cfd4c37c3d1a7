/**
 * What podman and docker are told to make a container: pure, from launch to words.
 *
 * Values of variables are never among the words, which every user of the machine can read, nor in the engine's own
 * environment, where an image's LD_PRELOAD would be loaded into a program of the host: they come by a file. Whatever comes
 * from a job or an image stands behind an option's `=` or after the image, so none of it is taken for an option.
 */
import type { ContainerDriverChoice, Launch, LaunchDevice } from '../../supervisor/files.ts';
import { INSIDE } from '../sandbox-root.ts';

/** What marks containers as ours; an agent touches only those of its own installation. */
export const labels = { installation: 'io.solyx.installation', attempt: 'io.solyx.attempt' } as const;

export interface EngineInput {
  readonly launch: Launch;
  readonly name: string;
  /** podman: the root file system; docker: the imported image. */
  readonly image: string;
  /** Uid and gid that the job runs as, as the engine numbers them. */
  readonly user: string;
  readonly envFile: string;
  /** The engine's own default lets a job make namespaces. */
  readonly seccompFile: string;
  /** Folder of secrets as files; null when there are none. */
  readonly secrets: string | null;
  readonly directories: { readonly work: string; readonly artifacts: string; readonly metrics: string };
  /** Groups of the host that own the job's devices. */
  readonly deviceGroups: readonly number[];
}

/** Words of `create`, without the program and its own flags. @throws Error for a path or name that an engine would misread */
export function createArguments(kind: ContainerDriverChoice['kind'], input: EngineInput): string[] {
  const { launch, name, image } = input;
  const container = launch.container!;
  const { limits } = launch;
  const memory = String(Math.floor(limits.memoryBytes));
  const [program, ...rest] = container.words;
  return [
    'create',
    `--name=${name}`,
    `--label=${labels.installation}=${container.installation}`,
    `--label=${labels.attempt}=${launch.attemptId}.${launch.rank}`,
    ...container.driver.createFlags,
    '--read-only',
    '--cap-drop=all',
    '--security-opt=no-new-privileges',
    `--security-opt=seccomp=${input.seccompFile}`,
    `--user=${input.user}`,
    ...input.deviceGroups.map((gid) => `--group-add=${gid}`),
    `--network=${launch.network}`,
    ...(launch.network === 'none' ? ['--hostname=job'] : []),
    `--memory=${memory}`,
    `--memory-swap=${memory}`,
    `--cpus=${(limits.cpuMilli / 1000).toFixed(3)}`,
    `--pids-limit=${limits.pids}`,
    `--shm-size=${Math.floor(limits.sharedMemoryBytes)}`,
    `--tmpfs=/tmp:rw,nosuid,nodev,exec,mode=1777,size=${memory}${kind === 'podman' ? ',notmpcopyup' : ''}`,
    '--ulimit=core=0:0',
    '--log-driver=none',
    ...mounts(input),
    ...devices(kind, launch.devices),
    `--env-file=${input.envFile}`,
    `--workdir=${container.cwd}`,
    ...(kind === 'podman'
      ? // An entrypoint that looks like a list is taken for one, so it is made one.
        ['--http-proxy=false', '--systemd=false', `--entrypoint=${JSON.stringify([program])}`, '--rootfs', image]
      : ['--pull=never', `--entrypoint=${program}`, image]),
    ...rest,
  ];
}

function mounts({ launch, directories, secrets }: EngineInput): string[] {
  const bind = (source: string, target: string, ...options: string[]): string => {
    if (/[,"\n]/.test(source))
      throw new Error(`containers cannot be given the folder "${source}": its name has a comma or quote`);
    return `--mount=${['type=bind', `source=${source}`, `target=${target}`, ...options].join(',')}`;
  };
  const { checkpoint } = launch;
  return [
    bind(directories.work, INSIDE.work),
    bind(directories.artifacts, INSIDE.artifacts),
    bind(directories.metrics, INSIDE.metrics),
    ...(secrets === null ? [] : [bind(secrets, '/run/secrets', 'readonly')]),
    ...(checkpoint === null ? [] : [bind(checkpoint.dir, INSIDE.checkpoint)]),
    ...(checkpoint?.previousDir == null ? [] : [bind(checkpoint.previousDir, INSIDE.previousCheckpoint, 'readonly')]),
  ];
}

/** NVIDIA's by name, which the engine or its toolkit resolves; others by their nodes. @throws Error for what is no name */
export function devices(kind: ContainerDriverChoice['kind'], given: readonly LaunchDevice[]): string[] {
  const nvidia = given
    .filter((device) => device.kind === 'gpu-nvidia')
    .map((device) => device.uuid ?? String(device.index));
  const strange = nvidia.find((name) => !/^[A-Za-z0-9][A-Za-z0-9./:-]*$/.test(name));
  if (strange !== undefined) throw new Error(`"${strange}" is no name of a device`);
  const nodes = given.filter((device) => device.kind !== 'gpu-nvidia').flatMap((device) => device.nodes);
  const odd = nodes.find((node) => !/^\/dev\/[\w./-]+$/.test(node) || node.includes('..'));
  if (odd !== undefined) throw new Error(`"${odd}" is not a device node`);
  return [
    ...(nvidia.length === 0
      ? []
      : kind === 'podman'
        ? nvidia.map((name) => `--device=nvidia.com/gpu=${name}`)
        : [`--gpus="device=${nvidia.join(',')}"`]),
    ...[...new Set(nodes)].map((node) => `--device=${node}`),
  ];
}

/**
 * The text of an env file.
 * @throws Error for a value with a line break, which the form has no way to say
 */
export function envFileText(env: Readonly<Record<string, string>>): string {
  const bad = Object.entries(env).find(([, value]) => /[\n\r\0]/.test(value));
  if (bad !== undefined) {
    throw new Error(`the variable ${bad[0]} has several lines, which podman and docker cannot take; use a file`);
  }
  return Object.entries(env)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
