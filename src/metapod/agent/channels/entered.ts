/**
 * A command that was started in a running job: its streams, its signals, its end.
 *
 * It is a child of the agent and not of the supervisor, because it belongs to whoever opened the channel: it ends when the
 * channel does, when the agent does, and (being inside) when the job does.
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { TerminalSize } from '../../../common/contract/agent/channels.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { failpoint } from '../../../common/failpoints.ts';
import { channelMark } from '../isolation/container/enter-container.ts';
import { CannotEnter, type EnterOptions, type Entrance, enteredPid, enterJob } from '../isolation/enter.ts';
import { listPids } from '../isolation/watchdog.ts';
import { closeTheirs, makePipes, type Pipe } from '../pipes.ts';
import { type Launch, readLaunch, readStatus, type Status, writeAtomic } from '../supervisor/files.ts';
import { identify } from '../supervisor/process-identity.ts';
import { openTerminal } from './terminal.ts';

export interface EnteredOptions extends Omit<EnterOptions, 'terminal' | 'mark'> {
  readonly channelId: string;
  /** Whether there is input; without it the command reads end of file. */
  readonly input: boolean;
  readonly terminal?: TerminalSize | null;
}

export interface EnteredExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** Why the command never ran; null when it did. */
  readonly failure: string | null;
}

export interface Entered {
  /** Null without input. Of a terminal the same as `output`. */
  readonly input: Writable | null;
  readonly output: Readable;
  /** Null with a terminal. */
  readonly errors: Readable | null;
  /** The command runs; rejected with exec_failed when it never does. */
  readonly ready: Promise<void>;
  readonly exited: Promise<EnteredExit>;
  /** What the command says on descriptor 3 (`keepControl`), line by line. */
  onControl(listener: (line: string) => void): void;
  /** Answers on descriptor 3. */
  control(line: string): void;
  resize(size: TerminalSize): void;
  /** To the command and the group that it leads. */
  signal(name: NodeJS.Signals): void;
  /** Hangs up, and kills what is left half a second later. */
  end(): void;
}

const killAfterMs = 500;
const wakeMs = 100;
const mostControlBytes = 65_536;

/** Reads what is needed to enter. @throws job_not_running */
export function readJob(dir: string): { launch: Launch; status: Status } {
  const launch = readLaunch(dir);
  const status = readStatus(dir);
  if (launch.kind !== 'ok' || status.kind !== 'ok')
    throw new SolyxError('job_not_running', 'It is starting or has ended.');
  return { launch: launch.value, status: status.value };
}

/**
 * Starts a command in the job of an attempt's folder.
 * @throws job_not_running, terminal_unavailable, exec_failed
 */
export async function startEntered(dir: string, options: EnteredOptions): Promise<Entered> {
  const { launch, status } = readJob(dir);
  const terminal = options.terminal ? await openTerminal(options.terminal) : null;
  let pipes: Pipe[] = [];
  try {
    const entrance = enterJob(dir, launch, status, {
      ...options,
      mark: options.channelId,
      terminal: terminal !== null,
    });
    const name = (part: string) => join(dir, `${options.channelId}.${part}`);
    if (terminal === null) {
      const wanted = [
        { path: name('out'), direction: 'out' },
        { path: name('err'), direction: 'out' },
        { path: name('in'), direction: 'in' },
      ] as const;
      pipes = makePipes(options.input ? wanted : wanted.slice(0, 2), entrance.ownerUid);
    }
    const [out, err, input] = pipes;
    const streams: StdioOptions = terminal
      ? [terminal.slave, terminal.slave, terminal.slave]
      : [input?.theirs ?? 'ignore', out!.theirs, err!.theirs];
    const [program, ...args] = entrance.argv;
    const child = spawn(program, args, {
      cwd: '/',
      env: entrance.env,
      // A leader of its group cannot begin a session, which at level `process` the command itself does.
      detached: !(entrance.direct && terminal !== null),
      stdio: [...streams, 'pipe', 'pipe'],
    });
    failpoint('agent.after-exec');
    const record = name('json');
    const launcher = child.pid === undefined ? null : identify(child.pid);
    if (launcher !== null) writeAtomic(record, JSON.stringify({ launcher, mark: entrance.mark }), false);
    const script = child.stdio[4] as Socket;
    script.on('error', () => undefined);
    script.end(entrance.script);
    const waking = setInterval(() => input?.wakeOpeners?.(), wakeMs);
    return follow({
      child,
      entrance,
      input: terminal?.master ?? input?.ours ?? null,
      output: terminal?.master ?? out!.ours,
      errors: err?.ours ?? null,
      resize: (size) => terminal?.resize(size),
      onGone: () => {
        clearInterval(waking);
        input?.release?.();
        rmSync(record, { force: true });
      },
    });
  } catch (error) {
    for (const { ours, release } of pipes) {
      ours.destroy();
      release?.();
    }
    terminal?.master.destroy();
    if (error instanceof CannotEnter)
      throw new SolyxError('job_not_running', { detail: `${error.message}.`, cause: error });
    if (error instanceof SolyxError) throw error;
    throw new SolyxError('exec_failed', { detail: (error as Error).message, cause: error });
  } finally {
    closeTheirs(pipes);
    terminal?.slave.destroy();
  }
}

interface Started {
  readonly child: ChildProcess;
  readonly entrance: Entrance;
  readonly input: Writable | null;
  readonly output: Readable;
  readonly errors: Readable | null;
  readonly resize: (size: TerminalSize) => void;
  readonly onGone: () => void;
}

function follow({ child, entrance, input, output, errors, resize, onGone }: Started): Entered {
  const { direct, mark, relaysSignals } = entrance;
  const listeners: ((line: string) => void)[] = [];
  let isReady = false;
  let words = '';
  let ended = false;
  let isEnding = false;
  let lastPid: number | null = null;
  const ready = Promise.withResolvers<void>();
  // A command that ends early is told by `exited`; nobody has to wait for `ready`.
  ready.promise.catch(() => undefined);
  const control = child.stdio[3] as Socket;
  control.on('error', () => undefined);
  let rest = '';
  control.on('data', (bytes: Buffer) => {
    const lines = (rest + bytes.toString('utf8')).split('\n');
    rest = lines.pop()!.slice(0, mostControlBytes);
    for (const line of lines) {
      if (line === 'solyx:ready') {
        isReady = true;
        lastPid = enteredPid(child.pid ?? 0, direct);
        ready.resolve();
      } else {
        if (words.length < mostControlBytes) words += `${line}\n`;
        for (const listener of listeners) listener(line);
      }
    }
  });
  for (const stream of [input, output, errors]) stream?.on('error', () => undefined);

  const exited = (async (): Promise<EnteredExit> => {
    const [code, signal] = (await Promise.race([
      once(child, 'exit'),
      once(child, 'error').then(() => [null, null]),
    ])) as [number | null, NodeJS.Signals | null];
    ended = true;
    onGone();
    // What was said before the end is still on its way.
    if (!control.readableEnded && !control.destroyed) {
      await Promise.race([
        once(control, 'close').catch(() => undefined),
        new Promise((resolve) => setTimeout(resolve, 100)),
      ]);
    }
    const failure = isReady ? null : (words + rest).trim() || `the launcher ended with ${code ?? signal}`;
    if (failure !== null) ready.reject(new SolyxError('exec_failed', `${failure.slice(0, 1000)}.`));
    return { code, signal, failure };
  })();

  const pid = () => enteredPid(child.pid ?? 0, direct) ?? lastPid;
  const signal = (name: NodeJS.Signals) => {
    if (ended) return;
    if (mark !== undefined && (relaysSignals !== true || name === 'SIGKILL')) signalMarked(mark, name);
    const target = pid();
    if (target === null) return;
    // It leads its group, unless it has not come so far.
    if (!kill(-target, name)) kill(target, name);
  };
  return {
    input,
    output,
    errors,
    ready: ready.promise,
    exited,
    onControl: (listener) => void listeners.push(listener),
    control: (line) => void control.write(`${line}\n`),
    resize,
    signal,
    end() {
      if (ended || isEnding) return;
      isEnding = true;
      signal('SIGHUP');
      input?.destroy();
      output.destroy();
      errors?.destroy();
      const timer = setTimeout(() => {
        signal('SIGKILL');
        // The driver of a container may be gone by now, and what it started not.
        if (mark !== undefined) signalMarked(mark, 'SIGKILL');
        if (!ended) child.kill('SIGKILL');
      }, killAfterMs);
      timer.unref();
    },
  };
}

function kill(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

/** Signals whatever carries the mark of a channel: it was started by a container's driver and is nobody's child here. */
export function signalMarked(mark: string, name: NodeJS.Signals): void {
  const wanted = `${channelMark}=${mark}`;
  for (const pid of listPids('/proc')) {
    try {
      if (readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(wanted)) process.kill(pid, name);
    } catch {
      // Ended in between, or not ours to look at.
    }
  }
}

/** Names of the files that say what was started in a job, in its attempt's folder. */
export const isEnteredRecord = (name: string): boolean => /^chn_[0-9a-z]+\.json$/.test(name);
