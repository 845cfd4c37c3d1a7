/** `solyx agent` as a process, as it is started on another machine. */
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';

const solyx = resolve(import.meta.dirname, '../../bin/solyx.mjs');

export interface NodeAgent {
  readonly child: ChildProcess;
  /** Its exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  /** What it said so far. */
  words(): string;
}

/** Starts an agent that joins with a token. Its identity and its jobs are kept in `dataDir`. */
export function startNodeAgent(options: {
  url: string;
  token: string;
  dataDir: string;
  name: string;
  env?: Readonly<Record<string, string>>;
  /** Words before the command, such as those that give it a disk of its own. */
  prefix?: readonly string[];
}): NodeAgent {
  const { url, token, dataDir, name, env, prefix = [] } = options;
  const args = [solyx, 'agent', '--server', url, '--data', dataDir, '--name', name, '--label', 'rack=1'];
  const [file, ...command] = [...prefix, process.execPath, ...args];
  const child = spawn(file!, command, {
    env: { PATH: process.env.PATH, HOME: dataDir, SOLYX_JOIN_TOKEN: token, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let words = '';
  child.stderr.on('data', (bytes) => (words += bytes));
  return { child, ended: new Promise((done) => child.once('close', done)), words: () => words };
}
