/**
 * Isolation levels: how a job's command is wrapped, and which levels this machine can offer.
 *
 * A level turns a launch into one program to start (`Prepared`); the supervisor does the rest alike for all.
 * The wrapped program speaks on file descriptor 3, a line at a time: `solyx:init <pid>` (pid 1 of the sandbox,
 * as the host numbers it), `solyx:created <pid>` (the process of a container, as pid 1 numbers it, waits to be
 * entered), `solyx:oom` (the
 * engine says that memory ran out), `solyx:no-loopback`, `solyx:ready` (the next thing to run is the job's command; with
 * seconds since boot: it runs since then), and anything else is why it could not start. While the job runs, descriptor 3 is how the supervisor's death is noticed.
 */
import type { Enforcement, Launch } from '../supervisor/files.ts';
import type { ProcessIdentity } from '../supervisor/process-identity.ts';
import { type JobSecrets, noSecrets } from '../supervisor/secret-input.ts';
import { type Cgroup, createCgroup, removeCgroup } from './cgroup.ts';
import type { ProcessSet } from './watchdog.ts';

export interface Prepared {
  argv: [string, ...string[]];
  /** Environment of `argv`, exactly. */
  env: Record<string, string>;
  /** Directory in which `argv` starts. */
  cwd: string;
  /** Fed to descriptor 4: the last step of the wrapping, which alone knows the job's environment. Null: not needed. */
  script: string | null;
  /** Owner of the output pipes, so that /dev/stdout can be opened; null when it is the supervisor's own uid. */
  ownerUid: number | null;
  /** A `sh -c` script that ends the job when the supervisor dies, for levels whose kernel objects do not. */
  guardian: string | null;
  /** True when the job's main process is the started process itself rather than its child. */
  direct: boolean;
  /** Of an engine's container: null until it runs. */
  readonly cgroup: Cgroup | null;
  enforcement: Enforcement;
  /** Directories that count against the disk limit. */
  writable: string[];
  /**
   * Takes over a process that was made and waits, before the command runs: puts it into its cgroup. Absent: nothing waits.
   * @throws Error when it is gone
   */
  enter?(hostPid: number, insidePid: number, initPid: number): void;
  /** An engine holds the job, not we: what is done to it is asked of the engine. */
  engine?: {
    terminate(): void;
    kill(): void;
    /** Whether a process stays for as long as the container runs, and who, asked when it runs; null: it is dead already. */
    monitor: null | (() => ProcessIdentity | null);
    /** Whether the command runs already, be it that nobody has seen it yet. */
    mayHaveBegun(): boolean;
    /** @returns whether nothing of the container is left */
    remove(): boolean;
    /** Its group's accounts as they were at the end, once it is removed; null when nobody wrote them down. */
    lastAccount(): Cgroup | null;
  };
  /** The job's processes. @param mainPid the job's main process @param initPid pid 1 of the sandbox, if any */
  processes(mainPid: number, initPid: number | null): ProcessSet;
  /** Removes what `prepare` made, except the directories that hold results. */
  cleanup(): void;
}

/**
 * Makes directories, cgroup and wrapping for a launch; nothing runs yet. Only the level that is asked for is loaded: a
 * supervisor's start is part of every job's start, and the others are half of its code.
 * @throws Error with a reason for the user when it cannot be started here
 */
export async function prepare(dir: string, launch: Launch, secrets: JobSecrets = noSecrets): Promise<Prepared> {
  // An engine makes a group of its own.
  const isEngines = launch.container !== undefined && launch.container.driver.kind !== 'runtime';
  const cgroup = launch.enforcement === 'watchdog' || isEngines ? null : createCgroup(dir, launch);
  try {
    switch (launch.isolation) {
      case 'sandbox':
        return (await import('./sandbox.ts')).prepareSandbox(dir, launch, cgroup, secrets);
      case 'container':
        return (await import('./container/prepare.ts')).prepareContainer(dir, launch, cgroup, secrets);
      case 'process':
        return (await import('./process.ts')).prepareProcess(dir, launch, cgroup, secrets);
    }
  } catch (error) {
    if (cgroup !== null) removeCgroup(cgroup);
    throw error;
  }
}
