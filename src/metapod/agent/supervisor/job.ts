/** The job's processes as the supervisor holds them: start, signals, and the certainty that all are gone. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fchownSync, readFileSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { cgroupPids, killCgroup } from '../isolation/cgroup.ts';
import { TRUSTED_ENVIRONMENT } from '../isolation/environment.ts';
import type { Prepared } from '../isolation/isolation.ts';
import { listPids, type ProcessSet } from '../isolation/watchdog.ts';
import { closeTheirs, type OutputPipes } from '../pipes.ts';
import { identify, isAlive, type ProcessIdentity, readStat, signalProcess } from './process-identity.ts';

export interface JobExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Job {
  out: Socket;
  err: Socket;
  /**
   * Resolves when the command begins to run, or is seen to run: since when, in seconds since boot, where somebody noted it; with the
   * reason when it never does.
   */
  started: Promise<{ kind: 'running'; pid: number; sinceSeconds: number | null } | { kind: 'failed'; message: string }>;
  /** Resolves when the main process has ended. */
  exited: Promise<JobExit>;
  /** False when the sandbox's own loopback could not be brought up; known once started. */
  hasLoopback(): boolean;
  /** An engine said that the kernel killed a process for want of memory; known once exited. */
  ranOutOfMemory(): boolean;
  /** What ran the container was killed, and how the job ended is not known; known once exited. */
  lostRuntime(): boolean;
  /** An engine's container has ended, which the engine itself tells only later. Never true of what is our own child. */
  hasEnded(): boolean;
  /** The command runs, or may: of an engine's container that is seen only later. */
  mayHaveBegun(): boolean;
  processes(): ProcessSet;
  /** Processes to write down for whoever finds the attempt without its supervisor. */
  identities(): ProcessIdentity[];
  /** SIGTERM to the main process and its group. */
  terminate(): void;
  kill(): void;
  /** Kills whatever is left and resolves when nothing of the job runs any more. */
  gone(): Promise<void>;
}

/** How often a container without its main process, or without its monitor, is looked for, ms. */
const matesMs = 100;

/** @throws Error when the launcher cannot be started */
export function startJob(prepared: Prepared, pipes: OutputPipes): Job {
  const { out, err } = pipes;
  if (prepared.ownerUid !== null)
    for (const { theirs } of [out, err]) fchownSync(theirs, prepared.ownerUid, prepared.ownerUid);
  const guardian = prepared.guardian === null ? null : startGuardian(prepared.guardian);
  const [program, ...rest] = prepared.argv;
  const child = spawn(program, rest, {
    cwd: prepared.cwd,
    env: prepared.env,
    detached: true,
    stdio: ['ignore', out.theirs, err.theirs, 'pipe', prepared.script === null ? 'ignore' : 'pipe'],
  });
  closeTheirs([out, err]);
  const exited = new Promise<JobExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
  let mainPid = child.pid ?? 0;
  let init: ProcessIdentity | null = null;
  let ready = false;
  let entered = false;
  let loopback = true;
  let memory = false;
  let lost = false;
  let refusal = '';
  /**
   * A runtime copies the output and goes on as long as anybody may write some. A job ends with its main process, though,
   * and so does whatever that has left behind.
   */
  const endWithMain = (main: ProcessIdentity | null, initOf: ProcessIdentity) => {
    const timer = setInterval(() => {
      if (!ready || (main !== null && isAlive(main))) return;
      if (prepared.cgroup !== null) return killCgroup(prepared.cgroup);
      for (const pid of processes().pids()) {
        const hostPid = hostPidOf(initOf.pid, pid);
        if (hostPid !== null) signalOne(hostPid, 'SIGKILL');
      }
    }, matesMs);
    child.once('exit', () => clearInterval(timer));
  };
  /**
   * A container whose monitor was killed runs on, and nobody hears it any more; podman itself waits 20 s before it says so. It is
   * ended at once, for whoever pays for it must be told what it said.
   */
  const endWithMonitor = (monitor: ProcessIdentity | null, initOf: ProcessIdentity) => {
    const timer = setInterval(() => {
      // In this order: the monitor leaves after the container.
      if ((monitor !== null && isAlive(monitor)) || !(lost || isAlive(initOf))) return;
      lost = true;
      kill();
    }, matesMs);
    child.once('exit', () => clearInterval(timer));
  };
  /** Takes a waiting container over and lets it go on; one that cannot be taken over never does. */
  const enter = (insidePid: number, initOf: ProcessIdentity) => {
    try {
      const hostPid = hostPidOf(initOf.pid, insidePid);
      if (hostPid === null) throw new Error('the process of the container ended before it was taken over');
      prepared.enter?.(hostPid, insidePid, initOf.pid);
      mainPid = hostPid;
      endWithMain(identify(hostPid), initOf);
      (child.stdio[3] as Socket).write('go\n');
    } catch (error) {
      refusal = (error as Error).message;
      kill();
    }
  };
  const started = new Promise<Awaited<Job['started']>>((resolve) => {
    let text = '';
    const control = child.stdio[3] as Socket;
    control.on('error', () => undefined);
    control.on('data', (bytes: Buffer) => {
      text += bytes.toString('utf8');
      const pid = /^solyx:init (\d+)$/m.exec(text)?.[1];
      if (pid !== undefined && init === null) init = identify(Number(pid));
      if (/^solyx:no-loopback$/m.test(text)) loopback = false;
      if (/^solyx:oom$/m.test(text)) memory = true;
      if (/^solyx:lost$/m.test(text)) lost = true;
      const created = /^solyx:created (\d+)$/m.exec(text)?.[1];
      if (created !== undefined && !entered && init !== null) {
        entered = true;
        enter(Number(created), init);
      }
      const word = /^solyx:ready(?: (\d+\.\d+))?$/m.exec(text);
      if (ready || word === null) return;
      ready = true;
      if (prepared.engine !== undefined) {
        mainPid = init?.pid ?? mainPid;
        if (prepared.engine.monitor !== null && init !== null) endWithMonitor(prepared.engine.monitor(), init);
      } else if (!prepared.direct && prepared.enter === undefined)
        mainPid = childOf(child.pid ?? 0, init?.pid ?? 0) ?? mainPid;
      resolve({ kind: 'running', pid: mainPid, sinceSeconds: word[1] === undefined ? null : Number(word[1]) });
    });
    const failed = (fallback: string) => {
      const message = refusal || text.replace(/^solyx:.*\n?/gm, '').trim();
      resolve({ kind: 'failed', message: message === '' ? fallback : message });
    };
    child.once('error', (error) => failed(error.message));
    // Pid 1 still holds the other end of the control socket: end of file tells it to go, and lets us read to the end.
    child.once('exit', () => control.end());
    child.once('close', (code) => failed(`the launcher ended with code ${code} before the command ran`));
  });
  if (prepared.script !== null) {
    const script = child.stdio[4] as Socket;
    script.on('error', () => undefined);
    script.end(prepared.script);
  }
  guardian?.stdio[3]?.on('error', () => undefined);
  if (guardian !== null) (guardian.stdio[3] as Socket).write(`${mainPid}\n`);

  const processes = () => prepared.processes(mainPid, init?.pid ?? null);
  const launcherRuns = () => child.exitCode === null && child.signalCode === null;
  const kill = () => {
    prepared.engine?.kill();
    // The launcher is spared as long as it has the job to reap: its zombie would else wait for the host's init, and
    // pid 1 of the sandbox for the zombie.
    if (init !== null && ready && signalProcess(init, 'SIGKILL')) return;
    if (init !== null) signalProcess(init, 'SIGKILL');
    if (launcherRuns()) signalGroup(child.pid ?? 0, 'SIGKILL');
    // The group of an engine is the engine's.
    if (prepared.cgroup !== null && prepared.engine === undefined) killCgroup(prepared.cgroup);
    else if (prepared.direct) for (const pid of processes().pids()) signalOne(pid, 'SIGKILL');
  };
  return {
    out: out.ours,
    err: err.ours,
    started,
    exited,
    hasLoopback: () => loopback,
    ranOutOfMemory: () => memory,
    lostRuntime: () => lost,
    hasEnded: () => prepared.engine !== undefined && ready && (init === null || !isAlive(init)),
    mayHaveBegun: () => ready || prepared.engine?.mayHaveBegun() === true,
    processes,
    identities: () => [init, identify(mainPid), identify(child.pid ?? 0)].filter((one) => one !== null),
    terminate() {
      if (prepared.engine !== undefined) prepared.engine.terminate();
      else if (launcherRuns()) signalGroup(mainPid, 'SIGTERM');
    },
    kill,
    async gone() {
      for (;;) {
        kill();
        const cgroupEmpty =
          prepared.cgroup === null || prepared.engine !== undefined || cgroupPids(prepared.cgroup).length === 0;
        const strays = prepared.direct && processes().pids().length > 0;
        const isRemoved = prepared.engine === undefined || launcherRuns() || prepared.engine.remove();
        if ((init === null || !isAlive(init)) && cgroupEmpty && !strays && isRemoved) break;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      if (guardian !== null) (guardian.stdio[3] as Socket).end('over\n');
      child.stdio[3]?.destroy();
    },
  };
}

/** The child of the launcher that is not pid 1 of the sandbox: the job itself. */
function childOf(launcher: number, init: number): number | null {
  try {
    const pids = readFileSync(`/proc/${launcher}/task/${launcher}/children`, 'utf8').trim().split(' ').map(Number);
    return pids.find((pid) => pid !== init && readStat(pid) !== null) ?? null;
  } catch {
    return null;
  }
}

/**
 * The host's number of a process that another pid namespace numbers; null when it is gone.
 * @param init pid 1 of that namespace, as the host numbers it
 */
function hostPidOf(init: number, insidePid: number): number | null {
  const namespace = readlinkSync(`/proc/${init}/ns/pid`);
  for (const pid of listPids('/proc')) {
    try {
      const inside = /^NSpid:.*\s(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      if (Number(inside) === insidePid && readlinkSync(`/proc/${pid}/ns/pid`) === namespace) return pid;
    } catch {
      // Ended in between, or not ours to look at.
    }
  }
  return null;
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  if (pid > 1) signalOne(-pid, signal);
}

function signalOne(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Ended in between; `gone` looks again.
  }
}

function startGuardian(script: string): ChildProcess {
  const guardian = spawn('sh', ['-c', script], {
    cwd: '/',
    env: TRUSTED_ENVIRONMENT,
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  guardian.on('error', () => undefined);
  guardian.unref();
  return guardian;
}
