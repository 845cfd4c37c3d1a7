/**
 * The scheduler's loop in a thread of its own, with its own connections.
 *
 * A round reads, commits and remarks on thousands of rows. On the main thread that made every request wait for it, and every one of its
 * many round trips wait for requests: a thousand placements took eight seconds under load. What crosses over is only wake-ups,
 * metrics, log lines and whether it is ready. A thread that dies is started anew and reads everything: nothing in it is more
 * than a copy of rows.
 */
import { Worker } from 'node:worker_threads';
import type { Registry } from 'prom-client';
import type { DatabaseLogins } from '../../common/database/index.ts';
import { backoffMs } from '../../common/database/retry.ts';
import type { Wake } from '../../common/events/index.ts';
import type { Logger } from '../../common/logger.ts';
import type { Traffic } from '../../common/traffic.ts';
import { SchedulerMetrics } from './metrics.ts';
import type { SchedulerSettings } from './settings.ts';
import type { FromLoop, LoopSettings, ToLoop } from './worker/loop-messages.ts';

export interface SchedulerThreadOptions extends SchedulerSettings {
  readonly logins: DatabaseLogins;
  readonly wake: Wake;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Requests that this process is asked: the scheduler makes room for them. */
  readonly traffic: Traffic;
}

/** A round that runs at the stop may end for so long, ms. */
const stopPatienceMs = 20_000;
/** Longest pause before a thread that died is started again, ms. */
const longestPauseMs = 10_000;

export class SchedulerThread {
  readonly #options: SchedulerThreadOptions;
  readonly #metrics: SchedulerMetrics;
  #worker: Worker | undefined;
  #unsubscribe: (() => void) | undefined;
  #restart: NodeJS.Timeout | undefined;
  #failures = 0;
  #ready = false;
  #stopping = false;

  constructor(options: SchedulerThreadOptions) {
    this.#options = options;
    this.#metrics = new SchedulerMetrics(options.registry);
  }

  /** Starts the thread; its first round reads everything. */
  start(): void {
    this.#unsubscribe = this.#options.wake.on('scheduler', () => this.#post({ type: 'wake' }));
    this.#spawn();
  }

  /** Whether the fleet and the queue have been read and the last round went well. */
  ready(): boolean {
    return this.#ready;
  }

  /** Id of the thread while there is one, for tests. */
  get threadId(): number | undefined {
    return this.#worker?.threadId;
  }

  /** Ends the thread where it stands, as a failure would; for tests. */
  async terminate(): Promise<void> {
    await this.#worker?.terminate();
  }

  /** Ends the thread after the round that runs. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#unsubscribe?.();
    clearTimeout(this.#restart);
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const timer = setTimeout(() => void worker.terminate(), stopPatienceMs);
    this.#post({ type: 'stop' });
    await ended;
    clearTimeout(timer);
  }

  #spawn(): void {
    const { logins, logger, policy, recordRounds, traffic } = this.#options;
    const workerData = {
      logins,
      logLevel: logger.level,
      policy,
      recordRounds,
      traffic: traffic.shared,
    } satisfies LoopSettings;
    const worker = new Worker(new URL('./worker/loop-thread.ts', import.meta.url), {
      name: 'scheduler loop',
      workerData,
      execArgv: [],
    });
    let cause: unknown;
    worker.on('message', (message: FromLoop) => this.#receive(message));
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', () => this.#ended(cause));
    this.#worker = worker;
  }

  #ended(cause: unknown): void {
    this.#worker = undefined;
    this.#ready = false;
    if (this.#stopping) return;
    this.#failures += 1;
    this.#options.logger.error({ err: cause }, "the scheduler's thread ended; it is started again");
    this.#metrics.record({ kind: 'restart' });
    this.#restart = setTimeout(() => this.#spawn(), backoffMs(this.#failures, longestPauseMs));
  }

  #receive(message: FromLoop): void {
    switch (message.type) {
      case 'wake':
        this.#options.wake.wake(message.topic);
        break;
      case 'ready':
        this.#ready = message.ready;
        if (message.ready) this.#failures = 0;
        break;
      case 'metric':
        this.#metrics.record(message.metric);
        break;
      case 'log': {
        const { level, msg, ...fields } = JSON.parse(message.line) as { level: string; msg?: string };
        this.#options.logger[logLevelOf(level)](fields, msg);
      }
    }
  }

  #post(message: ToLoop): void {
    this.#worker?.postMessage(message);
  }
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

const logLevelOf = (level: string): (typeof logLevels)[number] => logLevels.find((known) => known === level) ?? 'error';
