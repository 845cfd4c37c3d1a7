/**
 * The product as a newcomer has it: `bin/solyx up` as a real process on a data directory of its own, and the command
 * line beside it. `dispose` ends everything it started and says so when something would stay.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const solyx = resolve(import.meta.dirname, '../../bin/solyx.mjs');

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProductOptions {
  /** Environment on top of a clean one, such as SOLYX_FAILPOINTS or configuration. */
  readonly env?: Readonly<Record<string, string>>;
  readonly home?: string;
  /** Words before every command, such as those of setpriv, which run it as somebody else. */
  readonly prefix?: readonly string[];
  /** `up` as other words, such as `['serve', 'all', '--port', '0']`. */
  readonly server?: readonly string[];
}

/** Processes of this machine that have to do with a text: in their arguments, their environment or their folder. */
export function processesOf(text: string): { pid: number; command: string }[] {
  const found: { pid: number; command: string }[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
      const about = [command, readFileSync(`/proc/${pid}/environ`, 'latin1'), readlinkSync(`/proc/${pid}/cwd`)];
      if (about.some((part) => part.includes(text))) found.push({ pid, command });
    } catch {
      // Gone in between, or none of ours.
    }
  }
  return found;
}

export class Product {
  readonly home: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #prefix: readonly string[];
  readonly #words: readonly string[];
  #server: ChildProcess | undefined;
  #output = '';

  constructor(options: ProductOptions = {}) {
    this.home = options.home ?? mkdtempSync(join(tmpdir(), 'solyx-e2e-'));
    this.#prefix = options.prefix ?? [];
    this.#words = options.server ?? ['up', '--port', '0'];
    const inherited = Object.entries(process.env).filter(
      ([name]) => !name.startsWith('SOLYX_') && !name.startsWith('VITEST'),
    );
    this.#env = { ...Object.fromEntries(inherited), SOLYX_HOME: this.home, NO_COLOR: '1', ...options.env };
  }

  /** What the server wrote to its terminal so far. */
  get output(): string {
    return this.#output;
  }

  /** Process id of the control plane. */
  get pid(): number {
    return this.#server!.pid!;
  }

  /** Starts the server and waits for its ready line. @returns the URL */
  async up(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<string> {
    this.#output = '';
    const [file, ...words] = [...this.#prefix, process.execPath, solyx, ...this.#words, ...args];
    const child = spawn(file!, words, {
      env: { ...this.#env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#server = child;
    return new Promise((ready, fail) => {
      const timer = setTimeout(() => fail(new Error(`not ready within 60 s:\n${this.#output}`)), 60_000);
      const listen = (bytes: Buffer) => {
        this.#output += bytes.toString();
        const match = /^ready (https?:\S+)/m.exec(this.#output);
        if (!match) return;
        clearTimeout(timer);
        ready(match[1]!);
      };
      child.stdout.on('data', listen);
      child.stderr.on('data', listen);
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        fail(new Error(`solyx up ended with ${code ?? signal}:\n${this.#output}`));
      });
    });
  }

  /** Sends a signal to the control plane and waits for its end. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#server;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    await ended;
  }

  /** Waits until the control plane has ended by itself. */
  async ended(): Promise<void> {
    const child = this.#server!;
    if (child.exitCode === null && child.signalCode === null) await new Promise((done) => child.once('exit', done));
  }

  /** Runs a command of the product to its end. */
  run(
    args: readonly string[],
    options: { input?: string; cwd?: string; env?: Record<string, string> } = {},
  ): Promise<CommandResult> {
    return new Promise((done, fail) => {
      const [file, ...words] = [...this.#prefix, process.execPath, solyx, ...args];
      const child = spawn(file!, words, {
        env: { ...this.#env, ...options.env },
        cwd: options.cwd,
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (bytes) => (stdout += bytes));
      child.stderr.on('data', (bytes) => (stderr += bytes));
      child.once('error', fail);
      child.once('close', (code) => done({ code, stdout, stderr }));
      child.stdin.on('error', () => {});
      child.stdin.end(options.input ?? '');
    });
  }

  /** Runs a command with `--json` and parses what it printed. */
  async json<T>(args: readonly string[], options: { input?: string } = {}): Promise<T> {
    const result = await this.run([...args, '--json'], options);
    if (result.stdout === '') throw new Error(`solyx ${args.join(' ')}: ${result.stderr}`);
    return JSON.parse(result.stdout) as T;
  }

  /** Runs a command that must succeed. @returns what it printed, without the last line break */
  async ok(args: readonly string[], options: { input?: string; env?: Record<string, string> } = {}): Promise<string> {
    const result = await this.run(args, options);
    if (result.code !== 0) throw new Error(`solyx ${args.join(' ')} ended with ${result.code}: ${result.stderr}`);
    return result.stdout.trimEnd();
  }

  /** Log of the control plane or of the agent, for failure messages. */
  log(name: 'control-plane' | 'agent'): string {
    try {
      return readFileSync(join(this.home, 'logs', `${name}.log`), 'utf8');
    } catch {
      return '';
    }
  }

  /** `solyx down`, and the data directory is deleted. */
  async dispose(): Promise<void> {
    const down = await this.run(['down']);
    await this.kill('SIGKILL');
    if (down.code !== 0) throw new Error(`solyx down failed: ${down.stderr}`);
    rmSync(this.home, { recursive: true, force: true });
  }
}
