/**
 * A thread that answers calls, for work that would hold the main thread up: started at the first call, ended when it has been idle
 * for a while, replaced when it dies or takes too long. Calls are answered one after the other.
 *
 * The thread's module calls `serveCalls` with what it does. Expected errors cross over with their code and detail.
 */
import { parentPort, Worker } from 'node:worker_threads';
import { type Code, type Issue, SolyxError } from '../errors/index.ts';

export interface CallThreadOptions {
  /** For logs and debuggers. */
  readonly name: string;
  readonly module: URL;
  readonly workerData?: unknown;
  /** A call that takes longer ends the thread, seconds > 0. */
  readonly timeoutSeconds: number;
  /** Most calls that may wait. */
  readonly mostWaiting: number;
  /** Default 60. */
  readonly idleSeconds?: number;
}

type Failure =
  | { readonly code: Code; readonly detail?: string; readonly issues?: readonly Issue[] }
  | { readonly bug: string };
type Reply = { readonly answer: unknown } | { readonly failure: Failure };

interface Call {
  readonly input: unknown;
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
}

export class CallThread {
  readonly #options: CallThreadOptions;
  readonly #waiting: Call[] = [];
  #worker: Worker | undefined;
  #current: Call | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CallThreadOptions) {
    this.#options = options;
  }

  /**
   * Has the thread answer.
   * @throws what the thread's function threw as SolyxError; not_ready when too many wait, or the call took too long or the thread died
   */
  call<Answer>(input: unknown): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      if (this.#waiting.length >= this.#options.mostWaiting) {
        const detail = `${this.#options.mostWaiting} such requests wait already.`;
        reject(new SolyxError('not_ready', { detail, retryAfterSeconds: 1 }));
        return;
      }
      this.#waiting.push({ input, resolve: resolve as Call['resolve'], reject });
      this.#next();
    });
  }

  /** Ends the thread; calls that wait are refused. */
  async stop(): Promise<void> {
    for (const call of this.#waiting.splice(0)) call.reject(new SolyxError('not_ready'));
    await this.#end(new SolyxError('not_ready'));
  }

  #next(): void {
    if (this.#current) return;
    clearTimeout(this.#timer);
    this.#current = this.#waiting.shift();
    if (!this.#current) {
      this.#timer = setTimeout(() => void this.#end(), (this.#options.idleSeconds ?? 60) * 1000);
      this.#timer.unref();
      return;
    }
    this.#worker ??= this.#start();
    this.#timer = setTimeout(() => {
      void this.#end(new SolyxError('not_ready', `It took longer than ${this.#options.timeoutSeconds} s.`));
      this.#next();
    }, this.#options.timeoutSeconds * 1000);
    this.#worker.ref();
    this.#worker.postMessage(this.#current.input);
  }

  #start(): Worker {
    const { name, module, workerData } = this.#options;
    const worker = new Worker(module, { name, workerData, execArgv: [] });
    worker.on('message', (reply: Reply) => {
      if (this.#worker === worker) this.#settle(reply);
    });
    const lost = (cause?: unknown) => {
      if (this.#worker !== worker) return;
      void this.#end(new SolyxError('internal', { cause }));
      this.#next();
    };
    worker.on('error', lost);
    worker.on('exit', () => lost());
    return worker;
  }

  #settle(reply: Reply): void {
    const call = this.#current;
    this.#current = undefined;
    this.#worker?.unref();
    if ('answer' in reply) call?.resolve(reply.answer as never);
    else call?.reject(toError(reply.failure));
    this.#next();
  }

  async #end(why?: Error): Promise<void> {
    clearTimeout(this.#timer);
    const worker = this.#worker;
    const call = this.#current;
    this.#worker = undefined;
    this.#current = undefined;
    if (why) call?.reject(why);
    await worker?.terminate();
  }
}

function toError(failure: Failure): Error {
  if ('bug' in failure) return new SolyxError('internal', { cause: new Error(failure.bug) });
  return new SolyxError(failure.code, { detail: failure.detail, issues: failure.issues });
}

/** In the thread: answers calls with `answer`, one after the other. */
export function serveCalls<Input, Answer>(answer: (input: Input) => Answer | Promise<Answer>): void {
  parentPort?.on('message', async (input: Input) => {
    let reply: Reply;
    try {
      reply = { answer: await answer(input) };
    } catch (error) {
      reply = { failure: failureOf(error) };
    }
    parentPort?.postMessage(reply);
  });
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof SolyxError))
    return { bug: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  return { code: error.code, ...(error.detail !== undefined && { detail: error.detail }), issues: error.issues };
}
