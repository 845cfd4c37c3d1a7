/**
 * The description of one container for an OCI runtime (runtime-spec, config.json): pure, from launch to JSON.
 *
 * The runtime runs inside namespaces that the launcher made (`runtime-script.ts`): user and pid are those already, so the
 * list of new namespaces has neither. Nothing of the host is named but the places that the launcher staged and the
 * devices that the job was given.
 */
import type { Launch } from '../../supervisor/files.ts';
import { INSIDE } from '../sandbox-root.ts';
import type { DeviceEdits } from './edits.ts';
import { type Seccomp, seccompProfile } from './seccomp.ts';

export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface OciHook {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly timeout?: number;
}

export interface OciInput {
  readonly launch: Launch;
  readonly env: Readonly<Record<string, string>>;
  readonly words: readonly string[];
  readonly cwd: string;
  /** As the container numbers them. */
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  /** Where the launcher staged `rootfs`, `work`, `artifacts`, … */
  readonly stage: string;
  /** Null: no cgroup holds the number of processes, so a limit of the user's does. */
  readonly processLimit: number | null;
  readonly edits: DeviceEdits;
  readonly hooks: { readonly created: OciHook; readonly started: OciHook };
}

const MASKED = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
const QUIET = ['nosuid', 'nodev', 'noexec'];
const HARMLESS = ['nosuid', 'nodev'];
/** Of /dev itself, which holds names only, bytes. */
const DEV_BYTES = 1_048_576;

/** @returns what config.json holds */
export function ociConfig(input: OciInput) {
  const { launch, stage, user, edits, hooks } = input;
  const variables = Object.entries({ ...edits.env, ...input.env }).map(([name, value]) => `${name}=${value}`);
  const { processLimit } = input;
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: user.uid, gid: user.gid, additionalGids: [...user.groups] },
      args: [...input.words],
      env: variables,
      cwd: input.cwd,
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
      noNewPrivileges: true,
      oomScoreAdj: 500,
      rlimits: [
        { type: 'RLIMIT_CORE', hard: 0, soft: 0 },
        ...(processLimit === null ? [] : [{ type: 'RLIMIT_NPROC', hard: processLimit, soft: processLimit }]),
      ],
    },
    root: { path: `${stage}/rootfs`, readonly: true },
    hostname: 'job',
    mounts: [...mountsOf(input), ...edits.mounts],
    hooks: {
      createRuntime: [...(edits.hooks.createRuntime ?? []), hooks.created],
      createContainer: [...(edits.hooks.createContainer ?? [])],
      poststart: [hooks.started],
    },
    linux: {
      namespaces: [
        { type: 'mount' },
        { type: 'ipc' },
        { type: 'uts' },
        { type: 'cgroup' },
        ...(launch.network === 'none' ? [{ type: 'network' }] : []),
      ],
      devices: edits.devices.map((device) => ({ ...device })),
      seccomp: seccompProfile() satisfies Seccomp,
      maskedPaths: MASKED,
      readonlyPaths: READ_ONLY,
    },
  };
}

function mountsOf({ launch, stage }: OciInput): OciMount[] {
  const tmpfs = (destination: string, bytes: number, options: readonly string[], mode = '1777'): OciMount => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: [...options, `mode=${mode}`, `size=${Math.floor(bytes)}`],
  });
  const bind = (name: string, destination: string, ...options: string[]): OciMount => ({
    destination,
    type: 'bind',
    source: `${stage}/${name}`,
    options: ['bind', ...HARMLESS, ...options],
  });
  const sysfs: OciMount =
    launch.network === 'none'
      ? { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...QUIET, 'ro'] }
      : // Only who owns the network may mount a sysfs of its own.
        { destination: '/sys', type: 'bind', source: '/sys', options: ['rbind', ...QUIET, 'ro'] };
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: QUIET },
    tmpfs('/dev', DEV_BYTES, ['nosuid', 'strictatime', 'noexec'], '755'),
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
    },
    tmpfs('/dev/shm', launch.limits.sharedMemoryBytes, QUIET),
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: QUIET },
    sysfs,
    // tmpfs is memory and counts as such; the size only keeps `df` honest.
    tmpfs('/tmp', launch.limits.memoryBytes, HARMLESS),
    bind('etc/hosts', '/etc/hosts', 'ro'),
    bind('etc/resolv.conf', '/etc/resolv.conf', 'ro'),
    bind('secrets', '/run/secrets', 'ro'),
    bind('work', INSIDE.work),
    bind('artifacts', INSIDE.artifacts),
    bind('metrics', INSIDE.metrics),
    ...(launch.checkpoint === null ? [] : [bind('checkpoint', INSIDE.checkpoint)]),
    ...(launch.checkpoint?.previousDir == null ? [] : [bind('previous', INSIDE.previousCheckpoint, 'ro')]),
  ];
}
