/**
 * One supervisor that is started before anybody needs it, so that a job does not wait for the start of a process.
 *
 * Until it is given an attempt it is nobody's: it waits for a line on a pipe that only this agent holds, so it ends with the agent,
 * however that ends. From that line on it is a supervisor like any other and outlives us. What it says before it owns a folder goes to
 * a file of its own, which moves into the attempt's. The folder is emptied by every agent that starts, so that a killed one leaves nothing.
 */
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { failpoint } from '../../../common/failpoints.ts';
import type { Logger } from '../../../common/logger.ts';
import type { JobSecrets } from './secret-input.ts';
import { leaving, type StartedSupervisor, type StartOptions, spawnSupervisor, wordsFile } from './start.ts';
import { encodeTask, readyFile, spareFlag } from './task.ts';

/** Pause before the next one is started: the job that took the last is just starting, and needs the machine more. */
const pauseMs = 700;
/** The same after one that ended by itself. */
const failurePauseMs = 30_000;
/** What one that is not needed any more gets to leave by itself. */
const goneMs = 2_000;

interface Waiting {
  readonly child: ChildProcess;
  /** What it says. */
  readonly output: string;
}

export class SpareSupervisor {
  readonly #folder: string;
  readonly #options: StartOptions;
  readonly #logger: Logger;
  #waiting: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;
  #spawning: Promise<void> | undefined;
  #stopped = false;

  /** @param folder its own; everything in it is deleted */
  constructor(folder: string, options: StartOptions, logger: Logger) {
    this.#folder = folder;
    this.#options = options;
    this.#logger = logger;
    rmSync(folder, { recursive: true, force: true });
  }

  /** Keeps one from now on; asking again changes nothing. */
  start(): void {
    this.#startIn(pauseMs);
  }

  /** Lets the one that waits go, and waits until it is gone; those with an attempt stay. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#spawning;
    const child = this.#waiting?.child;
    this.#waiting = undefined;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.stdin?.destroy();
      const impatience = setTimeout(() => child.kill('SIGKILL'), goneMs);
      await gone;
      clearTimeout(impatience);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /**
   * Gives an attempt to the one that waits. That it took it is seen as with any supervisor: by its claim.
   * @returns undefined when none is ready, or another supervisor was started for this folder before
   */
  give(attemptDir: string, secrets: JobSecrets): StartedSupervisor | undefined {
    const waiting = this.#waiting;
    const words = join(attemptDir, wordsFile);
    if (waiting === undefined || existsSync(words)) return undefined;
    // One that still gets ready would take longer than one that does not.
    if (!existsSync(readyFile(this.#folder, waiting.child.pid ?? 0))) return undefined;
    this.#waiting = undefined;
    this.#startIn(pauseMs);
    const { child, output } = waiting;
    const input = child.stdin!;
    if (!input.writable) return undefined;
    try {
      renameSync(output, words);
    } catch {
      // Somebody deleted it: this one has no words, and is not worth keeping.
      input.destroy();
      return undefined;
    }
    failpoint('agent.before-spare-task');
    input.end(encodeTask(attemptDir, secrets));
    return { pid: child.pid ?? 0, left: leaving(child) };
  }

  #startIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#spawning = this.#spawn().catch((error) => {
        this.#logger.debug({ err: error }, 'no spare supervisor; jobs start by one of their own');
        this.#startIn(failurePauseMs);
      });
    }, ms);
    this.#timer.unref();
  }

  async #spawn(): Promise<void> {
    if (this.#waiting !== undefined || this.#stopped) return;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const output = join(this.#folder, `${randomUUID()}.out`);
    const child = await spawnSupervisor([spareFlag, this.#folder], output, true, this.#options);
    failpoint('agent.after-spare');
    // One that has left reads nothing.
    child.stdin!.on('error', () => undefined);
    const waiting = { child, output };
    this.#waiting = waiting;
    void leaving(child).then(() => {
      if (this.#waiting !== waiting) return;
      this.#waiting = undefined;
      rmSync(output, { force: true });
      this.#logger.debug({ code: child.exitCode, signal: child.signalCode }, 'the spare supervisor ended');
      this.#startIn(failurePauseMs);
    });
  }
}
