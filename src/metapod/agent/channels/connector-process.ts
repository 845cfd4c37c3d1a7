/**
 * A helper that stands in the job's network namespace and makes connections there, which it hands to us as open sockets: bytes never go
 * through it. It is our own program, sees nothing of the job but its loopback, has no capabilities, and its memory is the agent's,
 * not the job's.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { SolyxError } from '../../../common/errors/index.ts';
import { systemTool, TRUSTED_ENVIRONMENT } from '../isolation/environment.ts';
import type { Status } from '../supervisor/files.ts';
import { isAlive } from '../supervisor/process-identity.ts';

const program = fileURLToPath(new URL('./connector.ts', import.meta.url));
const connectMs = 10_000;

/** What the helper answers: the socket travels beside it, unless there is an error. */
export interface ConnectorAnswer {
  readonly id: number;
  readonly error?: string;
}

export class JobConnector {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (socket: Socket) => void; reject: (error: Error) => void }>();
  #next = 1;

  /** @throws job_not_running */
  constructor(status: Status, nodeBinary: string) {
    const { jobPid, processes } = status;
    const [init] = processes;
    const job = processes.find(({ pid }) => pid === jobPid);
    if (init === undefined || job === undefined || !isAlive(job))
      throw new SolyxError('job_not_running', 'It has just ended.');
    const isRoot = process.getuid?.() === 0;
    const setpriv = systemTool('setpriv');
    const words = [
      // In a container the network is the job's own and not that of the pid 1 around it.
      ...[setpriv, '--pdeathsig', 'KILL', systemTool('nsenter'), `--net=/proc/${job.pid}/ns/net`],
      // Without root, it belongs to a user namespace that is ours.
      ...(isRoot ? [] : [`--user=/proc/${init.pid}/ns/user`, '--preserve-credentials']),
      ...[setpriv, '--no-new-privs', '--inh-caps', '-all', '--ambient-caps', '-all'],
      // Our own files may lie in a folder that only their owner enters.
      ...(isRoot ? ['--bounding-set', '-all,+dac_read_search'] : []),
      ...[nodeBinary, '--disable-warning=ExperimentalWarning', program],
    ];
    this.#child = spawn(words[0]!, words.slice(1), {
      cwd: '/',
      env: TRUSTED_ENVIRONMENT,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#child.on('message', (answer: ConnectorAnswer, socket) =>
      this.#answered(answer, socket as Socket | undefined),
    );
    this.#child.on('error', (error) => this.#end(error));
    this.#child.on('exit', () => this.#end(new Error('the connector ended')));
  }

  /** Connects to a port of the job's loopback. @throws Error when nobody listens */
  connect(port: number): Promise<Socket> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error('the connection was not made in time'));
      }, connectMs);
      const settle =
        <T>(fn: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          fn(value);
        };
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.#child.send({ id, port }, (error) => error && this.#answered({ id, error: error.message }, undefined));
    });
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }

  #answered(answer: ConnectorAnswer, socket: Socket | undefined): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (waiting === undefined) socket?.destroy();
    else if (socket === undefined) waiting.reject(new Error(answer.error ?? 'no connection came'));
    else waiting.resolve(socket);
  }

  #end(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
