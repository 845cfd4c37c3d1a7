/**
 * The files by which agent and supervisor speak, and how they are written.
 *
 * The supervisor must outlive its agent and be taken up by the next one, so there is no socket between them:
 * each file has one writer, is replaced whole (temporary file, fsync, rename) and carries its own checksum-free
 * proof of wholeness: JSON that parses. A file that does not parse is reported as `corrupt`, never guessed.
 * Everything lies in the attempt's directory (mode 0700), of which a sandboxed job sees only work/, artifacts/
 * and metrics/.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DeviceEdits } from '../isolation/container/edits.ts';
import { bootId, type ProcessIdentity } from './process-identity.ts';

/** Names inside the attempt's directory. */
export const FILES = {
  /** Agent → supervisor, before the start. */
  launch: 'launch.json',
  /** Agent → supervisor, at each acknowledged heartbeat. */
  lease: 'lease.json',
  /** Agent → supervisor: end the job. */
  stop: 'stop.json',
  /** Agent → supervisor: bytes of log.ndjson that the control plane has; decimal text. */
  shipped: 'log.shipped',
  /** Supervisor: this attempt is mine; created once and never again. */
  claim: 'claim.json',
  status: 'status.json',
  usage: 'usage.json',
  log: 'log.ndjson',
  cgroup: 'cgroup.json',
  work: 'work',
  artifacts: 'artifacts',
  metrics: 'metrics',
  root: 'root',
} as const;

export interface LaunchDevice {
  /** `gpu-nvidia`, `gpu-amd`, `tpu`, `fpga`, …: see `isolation/device-environment.ts`. */
  kind: string;
  /** Index by which the vendor's runtime knows it. */
  index: number;
  uuid: string | null;
  /** Device nodes to show to the job, e.g. `/dev/nvidia0`. */
  nodes: string[];
}

/** Which program runs containers here, as it was found when the agent started. */
export interface ContainerDriverChoice {
  kind: 'runtime' | 'podman' | 'docker';
  /** Absolute path. */
  program: string;
  /** Words before every command of an engine, such as its cgroup manager. */
  flags: string[];
  /** Words of an engine's `create`, such as limits that it would set wrongly by itself. */
  createFlags: string[];
}

/** A job's image as this node has it, and what of it is run. */
export interface LaunchContainer {
  driver: ContainerDriverChoice;
  /** The installation that containers are labelled with: no agent touches those of another. */
  installation: string;
  /** Name of the image in this node's store. */
  imageKey: string;
  rootfs: string;
  /** Program and arguments, never empty. */
  words: string[];
  /** The image's environment. */
  env: Record<string, string>;
  cwd: string;
  /** As the image numbers them. */
  user: { uid: number; gid: number; groups: number[] };
  edits?: DeviceEdits;
}

/** What the agent asks a supervisor to run. */
export interface Launch {
  attemptId: string;
  jobId: string;
  rank: number;
  worldSize: number;
  /** Fencing token, a bigint as text. */
  token: string;
  /** Program and arguments; with `shell`, its positional parameters. */
  command: string[];
  /** A script for `sh -c` instead of a program. */
  shell?: string;
  env: Record<string, string>;
  /** Directory with the unpacked bundle; copied to work/, never written to. Null: an empty work directory. */
  workdir: string | null;
  isolation: 'process' | 'sandbox' | 'container';
  /** With isolation `container`. */
  container?: LaunchContainer;
  network: 'none' | 'host';
  limits: {
    /** Thousandths of a core, >0. */
    cpuMilli: number;
    memoryBytes: number;
    /** Work, checkpoint, artefact and metric files together. */
    diskBytes: number;
    sharedMemoryBytes: number;
    /** Processes and threads. */
    pids: number;
  };
  devices: LaunchDevice[];
  timeoutSeconds: number | null;
  /** From SIGTERM to SIGKILL, ≥0. */
  graceSeconds: number;
  onDisconnect: { stopAfterSeconds: number } | 'keep';
  checkpoint: { dir: string; previousDir: string | null } | null;
  /** Unshipped log bytes at which the job is held back; default 64 MiB. */
  logBufferBytes: number;
  nodeBinary: string;
  /** The agent gives secrets by standard input; without them whole, nothing starts. They are in no file. */
  takesSecrets?: boolean;
  /** `watchdog` refuses cgroups even where they could be had (tests; an operator whose cgroups misbehave). */
  enforcement?: 'auto' | 'watchdog';
  /** Set by `writeLaunch`: a launch of an earlier boot is never started (again). */
  bootId?: string;
}

export interface Lease {
  /** `os.uptime()` at the sending of the last heartbeat that was acknowledged. */
  uptimeSeconds: number;
}

export interface StopRequest {
  why: string;
  graceSeconds: number;
}

export type EndReason =
  | 'exited'
  | 'signalled'
  | 'out-of-memory'
  | 'timed-out'
  | 'stopped'
  | 'disconnected'
  | 'disk-exceeded'
  | 'start-failed'
  | 'supervisor-lost';

/** What holds each limit on this machine; `none` is said, not hidden. */
export interface Enforcement {
  memory: 'cgroup' | 'watchdog';
  cpu: 'cgroup' | 'none';
  pids: 'cgroup' | 'rlimit' | 'none';
  disk: 'watchdog';
}

export interface Status {
  state: 'starting' | 'running' | 'ended';
  attemptId: string;
  token: string;
  supervisorPid: number;
  supervisorStart: string;
  bootId: string;
  jobPid: number | null;
  /** Processes to kill if the supervisor dies; the sandbox's pid 1 first. */
  processes: ProcessIdentity[];
  enforcement: Enforcement | null;
  /** ISO 8601 UTC, when the command began to run. */
  startedAt: string | null;
  /** `os.uptime()` at the same moment. */
  startedUptime: number | null;
  endedAt: string | null;
  endedUptime: number | null;
  exitCode: number | null;
  signal: string | null;
  reason: EndReason | null;
  message: string | null;
  /** The whole account, with the end. */
  usage: Usage | null;
}

export interface Usage {
  /** ISO 8601 UTC. */
  at: string;
  uptimeSeconds: number;
  cpuSeconds: number;
  memoryBytes: number;
  memoryPeakBytes: number;
  /** `cgroup` is the kernel's account; `processes` is sampled and misses what lived and died between samples. */
  source: 'cgroup' | 'processes';
  final: boolean;
}

export type ReadResult<T> = { kind: 'ok'; value: T } | { kind: 'absent' } | { kind: 'corrupt'; message: string };

/**
 * Replaces a file so that a reader sees the old or the new text, also after a power cut when `durable`.
 * @throws Error when the disk is full; the file is as before
 */
export function writeAtomic(path: string, text: string, durable = true): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, 'w', 0o600);
    try {
      // Not writeSync: a disk that is nearly full takes the beginning and says so by a number only.
      writeFileSync(file, text);
      if (durable) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  if (durable) syncDirectory(dirname(path));
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Reads one JSON object; says which of absent and corrupt it is. Shapes are the writer's duty: one writer per file. */
export function readJson<T extends object>(path: string): ReadResult<T> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'absent' };
    return { kind: 'corrupt', message: (error as Error).message };
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { kind: 'ok', value: value as T };
    return { kind: 'corrupt', message: `${path}: not an object` };
  } catch (error) {
    return { kind: 'corrupt', message: `${path}: ${(error as Error).message}` };
  }
}

export const writeLaunch = (dir: string, launch: Launch) =>
  writeAtomic(join(dir, FILES.launch), JSON.stringify({ ...launch, bootId: bootId() }));
export const readLaunch = (dir: string) => readJson<Launch>(join(dir, FILES.launch));
export const writeLease = (dir: string, lease: Lease) =>
  writeAtomic(join(dir, FILES.lease), JSON.stringify(lease), false);
export const readLease = (dir: string) => readJson<Lease>(join(dir, FILES.lease));
export const writeStop = (dir: string, stop: StopRequest) => writeAtomic(join(dir, FILES.stop), JSON.stringify(stop));
export const readStop = (dir: string) => readJson<StopRequest>(join(dir, FILES.stop));
/** Only the end is synced to disk: what an earlier boot was doing is known to be over without being told. */
export const writeStatus = (dir: string, status: Status) =>
  writeAtomic(join(dir, FILES.status), JSON.stringify(status), status.state === 'ended');
export const readStatus = (dir: string) => readJson<Status>(join(dir, FILES.status));
export const writeUsage = (dir: string, usage: Usage) =>
  writeAtomic(join(dir, FILES.usage), JSON.stringify(usage), false);
export const readUsage = (dir: string) => readJson<Usage>(join(dir, FILES.usage));
/** @param bytes offset in log.ndjson up to which the control plane has everything */
export const writeShipped = (dir: string, bytes: number) => writeAtomic(join(dir, FILES.shipped), `${bytes}\n`, false);

/** Bytes of the log that the control plane has; 0 when nothing was said yet. */
export function readShipped(dir: string): number {
  try {
    const bytes = Number(readFileSync(join(dir, FILES.shipped), 'utf8'));
    return Number.isFinite(bytes) && bytes > 0 ? bytes : 0;
  } catch {
    return 0;
  }
}
