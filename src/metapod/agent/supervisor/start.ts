/** Starts a supervisor so that it outlives the agent: own session, output to files, nothing shared. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeSecrets, hasSecrets, type JobSecrets } from './secret-input.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

export interface StartOptions {
  /** The Node (≥ 24) to run it with. */
  readonly nodeBinary: string;
  /**
   * Directory of Node's compile cache, writable by nobody else (code is loaded from it); default NODE_COMPILE_CACHE, and without
   * either each start takes about 100 ms longer.
   */
  readonly compileCache?: string;
}

export interface StartedSupervisor {
  readonly pid: number;
  /** Resolves when the process is gone, if that happens while we live. */
  readonly left: Promise<void>;
}

/** File in the attempt's folder with what a supervisor wrote to its terminal: why it could not even begin. */
export const wordsFile = 'supervisor.out';

/**
 * Asking twice for the same directory is harmless: the second supervisor finds the first one's claim and leaves.
 * @param options.secrets what the job is given; goes through the supervisor's standard input
 * @throws Error when the process cannot be created
 */
export async function startSupervisor(
  attemptDir: string,
  options: StartOptions & { readonly secrets?: JobSecrets },
): Promise<StartedSupervisor> {
  const takesInput = options.secrets !== undefined && hasSecrets(options.secrets);
  const child = await spawnSupervisor([attemptDir], join(attemptDir, wordsFile), takesInput, options);
  // A supervisor that has left reads nothing; it is looked at and started again anyway.
  child.stdin?.on('error', () => undefined);
  if (options.secrets) child.stdin?.end(encodeSecrets(options.secrets));
  return { pid: child.pid ?? 0, left: leaving(child) };
}

/** @param words arguments of the supervisor @param output file that its own words are appended to */
export async function spawnSupervisor(
  words: readonly string[],
  output: string,
  takesInput: boolean,
  options: StartOptions,
): Promise<ChildProcess> {
  const out = openSync(output, 'a', 0o600);
  try {
    const {
      SOLYX_FAILPOINTS,
      NODE_COMPILE_CACHE,
      PATH = '/usr/bin:/bin',
      HOME,
      XDG_RUNTIME_DIR,
      DOCKER_HOST,
    } = process.env;
    const cache = options.compileCache ?? NODE_COMPILE_CACHE;
    const child = spawn(options.nodeBinary, ['--disable-warning=ExperimentalWarning', MAIN, ...words], {
      cwd: '/',
      detached: true,
      stdio: [takesInput ? 'pipe' : 'ignore', out, out],
      env: {
        PATH,
        // Where an engine that runs containers for this user finds what is his.
        ...(HOME === undefined ? {} : { HOME }),
        ...(XDG_RUNTIME_DIR === undefined ? {} : { XDG_RUNTIME_DIR }),
        ...(DOCKER_HOST === undefined ? {} : { DOCKER_HOST }),
        ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }),
        ...(SOLYX_FAILPOINTS === undefined ? {} : { SOLYX_FAILPOINTS }),
      },
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    return child;
  } finally {
    closeSync(out);
  }
}

/** Resolves when a process that was started is gone. */
export const leaving = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => void child.once('exit', () => resolve()));
