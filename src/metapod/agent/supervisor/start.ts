/** Starts a supervisor so that it outlives the agent: own session, output to files, nothing shared. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeSecrets, hasSecrets, type JobSecrets } from './secret-input.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

/**
 * Asking twice for the same directory is harmless: the second supervisor finds the first one's claim and leaves.
 * @param options.nodeBinary the Node (≥ 24) to run it with
 * @param options.compileCache directory of Node's compile cache, writable by nobody else (code is loaded from it);
 *   default NODE_COMPILE_CACHE, and without either each start takes about 100 ms longer
 * @param options.secrets what the job is given; goes through the supervisor's standard input
 * @throws Error when the process cannot be created
 */
export async function startSupervisor(
  attemptDir: string,
  options: { nodeBinary: string; compileCache?: string; secrets?: JobSecrets },
): Promise<{ pid: number }> {
  const out = openSync(join(attemptDir, 'supervisor.out'), 'a', 0o600);
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
    const child = spawn(options.nodeBinary, ['--disable-warning=ExperimentalWarning', MAIN, attemptDir], {
      cwd: '/',
      detached: true,
      stdio: [options.secrets && hasSecrets(options.secrets) ? 'pipe' : 'ignore', out, out],
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
    // A supervisor that has left reads nothing; it is looked at and started again anyway.
    child.stdin?.on('error', () => undefined);
    if (options.secrets) child.stdin?.end(encodeSecrets(options.secrets));
    child.unref();
    return { pid: child.pid ?? 0 };
  } finally {
    closeSync(out);
  }
}
