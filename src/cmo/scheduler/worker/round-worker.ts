/**
 * The loop's end of the worker: posts rows, asks for rounds, pulls plans in pieces small enough that wake-ups are heard between them.
 *
 * When the thread dies, everything asked of it is rejected with `WorkerLostError` and so is everything after: the owner makes another
 * and feeds it from the start, because nothing in a worker is more than a copy of rows.
 */
import { Worker } from 'node:worker_threads';
import type { PendingVerdict, Placement } from '../../../common/contract/plan.ts';
import type { Policy } from '../core/snapshot.ts';
import type { Answers, ComparedKind, Delta, FromWorker, Request, Settlement, ToWorker } from './messages.ts';

export class WorkerLostError extends Error {
  override readonly name = 'WorkerLostError';
}

export interface RoundResult {
  readonly summary: Answers['round'];
  readonly placements: readonly Placement[];
  readonly verdicts: readonly PendingVerdict[];
}

/** Pieces that are read in 1 to 3 ms: a placement is some ten objects and a text of a kilobyte, a verdict three objects. */
const placementsPerPull = 50;
const verdictsPerPull = 600;

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
}

export class RoundWorker {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  #lost: WorkerLostError | undefined;

  constructor() {
    this.#worker = new Worker(new URL('./thread.ts', import.meta.url), { name: 'scheduler', execArgv: [] });
    this.#worker.on('message', (message: FromWorker) => this.#receive(message));
    this.#worker.on('error', (error) =>
      this.#lose(new WorkerLostError('the scheduling thread failed', { cause: error })),
    );
    this.#worker.on('exit', (code) => this.#lose(new WorkerLostError(`the scheduling thread ended with code ${code}`)));
  }

  /** Why the thread is gone, or undefined while it lives. */
  get lost(): WorkerLostError | undefined {
    return this.#lost;
  }

  /** Thread id, for tests that end it. */
  get threadId(): number {
    return this.#worker.threadId;
  }

  reset(): void {
    this.#post({ type: 'reset' });
  }

  apply(delta: Delta): void {
    this.#post({ type: 'apply', delta });
  }

  settle(settlement: Settlement): void {
    this.#post({ type: 'settle', settlement });
  }

  /**
   * Runs a round and fetches its plan.
   * @param recordTo file that inputs and plan are written to, or null
   * @throws WorkerLostError, or an Error with what the round threw
   */
  async round(policy: Policy, now: number, recordTo: string | null = null): Promise<RoundResult> {
    const summary = await this.#call<'round'>({ type: 'round', policy, now, recordTo });
    const placements: Placement[] = [];
    while (placements.length < summary.placementCount) {
      const from = placements.length;
      placements.push(...(await this.#call<'placements'>({ type: 'placements', from, count: placementsPerPull })));
    }
    const verdicts: PendingVerdict[] = [];
    while (verdicts.length < summary.verdictCount) {
      const from = verdicts.length;
      verdicts.push(...(await this.#call<'verdicts'>({ type: 'verdicts', from, count: verdictsPerPull })));
    }
    return { summary, placements, verdicts };
  }

  /** Compares rows with what is held; also returns the next `count` held ids in turn. */
  compare(
    kind: ComparedKind,
    rows: readonly (readonly [string, number])[],
    count: number,
  ): Promise<Answers['compare']> {
    return this.#call<'compare'>({ type: 'compare', kind, rows, count });
  }

  /** Ends the thread. */
  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #post(message: ToWorker): void {
    if (this.#lost !== undefined) throw this.#lost;
    this.#worker.postMessage(message);
  }

  #call<K extends keyof Answers>(request: Request): Promise<Answers[K]> {
    return new Promise((resolve, reject) => {
      this.#calls += 1;
      const call = this.#calls;
      this.#post({ type: 'call', call, request });
      this.#waiting.set(call, { resolve: resolve as Waiting['resolve'], reject });
    });
  }

  #receive(message: FromWorker): void {
    const waiting = this.#waiting.get(message.call);
    this.#waiting.delete(message.call);
    if ('error' in message) waiting?.reject(new Error(message.error));
    else waiting?.resolve(message.answer as never);
  }

  #lose(error: WorkerLostError): void {
    this.#lost ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#lost);
    this.#waiting.clear();
  }
}
