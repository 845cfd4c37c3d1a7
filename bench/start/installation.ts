/** An installation to measure: the product as `npm start` runs it, on a data directory of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readLocalServer } from '../../src/cli/local-server.ts';

const patienceMs = 600_000;

export class Installation {
  readonly home = mkdtempSync(join(tmpdir(), 'solyx-bench-'));
  readonly #root: string;
  readonly #env: NodeJS.ProcessEnv;
  #server: ChildProcess | undefined;

  /**
   * @param root folder of the repository
   * @param env beside a clean environment, such as configuration
   */
  constructor(root: string, env: Readonly<Record<string, string>> = {}) {
    this.#root = root;
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SOLYX_'));
    this.#env = { ...Object.fromEntries(inherited), SOLYX_HOME: this.home, NO_COLOR: '1', ...env };
  }

  /** Process id of the control plane. */
  get pid(): number {
    return this.#server!.pid!;
  }

  /** Starts the control plane with its agent. @param words as typed in the folder of the repository */
  async up(words: readonly string[] = ['node', 'bin/solyx.mjs', 'up', '--port', '0']): Promise<string> {
    const [file, ...rest] = words;
    const program = file === 'node' ? process.execPath : file!;
    const child = spawn(program, rest, { cwd: this.#root, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#server = child;
    let output = '';
    return new Promise((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`${words.join(' ')}: ${why}\n${output}`));
      const timer = setTimeout(() => fail(`not ready within ${patienceMs / 1000} s`), patienceMs);
      const read = (bytes: Buffer) => {
        output += bytes.toString();
        const url = /^ready (\S+)/m.exec(output)?.[1];
        if (url === undefined) return;
        clearTimeout(timer);
        resolve(url);
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read);
      child.once('error', (error) => fail(error.message));
      child.once('exit', (code, signal) => fail(`ended with ${code ?? signal}`));
    });
  }

  /** Runs a command of the product to its end. @throws Error when it fails */
  run(args: readonly string[]): string {
    const words = [join(this.#root, 'bin/solyx.mjs'), ...args];
    const { status, stdout, stderr } = spawnSync(process.execPath, words, {
      cwd: this.#root,
      env: this.#env,
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });
    if (status !== 0) throw new Error(`solyx ${args.join(' ')} ended with ${status}: ${stderr}`);
    return stdout;
  }

  /** Ends the control plane alone, as Ctrl-C does. */
  async stop(): Promise<void> {
    const child = this.#server;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    // npm would leave at once and not wait for what it started.
    process.kill(readLocalServer(this.home)?.pid ?? child.pid!, 'SIGTERM');
    await ended;
  }

  /** Ends everything and deletes it. */
  async dispose(): Promise<void> {
    try {
      this.run(['down']);
    } finally {
      await this.stop();
      rmSync(this.home, { recursive: true, force: true });
    }
  }
}
