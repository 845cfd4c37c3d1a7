/**
 * A backend on which everything ends at once, or after a moment: what is left is what the product itself costs.
 *
 * It stands where agents stand, behind the orchestrator's own interface, and keeps its news until they were dealt with.
 */
import type {
  AttemptRef,
  AttemptToRun,
  AttemptToStop,
  Backend,
  Change,
  RankObservation,
} from '../../src/cmo/orchestrator/backends/backend.ts';

export interface InstantOptions {
  /** How long jobs run, ms ≥ 0. */
  readonly runMs: number | ((attempt: AttemptToRun) => number);
  /** There is news. */
  readonly wake: () => void;
  /** Told of each start. */
  readonly onStart?: (attempt: AttemptToRun) => void;
}

export class InstantBackend implements Backend {
  // The one whose nodes nobody expects heartbeats of.
  readonly id = 'simulator';
  readonly capabilities = { gangs: true, logs: 'none', selfFencing: true, checkpoints: false } as const;
  /** Attempts that were recorded as ended and given back. */
  forgotten = 0;
  readonly #options: InstantOptions;
  readonly #known = new Map<string, RankObservation[]>();
  readonly #news = new Map<string, bigint>();
  /** Of what runs: ends it. */
  readonly #stops = new Map<string, () => void>();
  #items = 0n;

  constructor(options: InstantOptions) {
    this.#options = options;
  }

  async probe() {
    return { ok: true, detail: 'instant' };
  }

  async submit(attempt: AttemptToRun) {
    if (this.#known.has(attempt.attemptId)) return { kind: 'accepted' } as const;
    this.#options.onStart?.(attempt);
    const startedAt = new Date();
    this.#known.set(attempt.attemptId, []);
    this.#stops.set(attempt.attemptId, () => this.#end(attempt, startedAt, true));
    const { runMs } = this.#options;
    const ms = typeof runMs === 'number' ? runMs : runMs(attempt);
    if (ms === 0) this.#end(attempt, startedAt);
    else setTimeout(() => this.#end(attempt, startedAt), ms);
    return { kind: 'accepted' } as const;
  }

  #end({ attemptId, token, ranks }: AttemptToRun, startedAt: Date, isStopped = false): void {
    // Ended before, by whichever of its end and its cancellation came first.
    if (this.#known.get(attemptId)?.length !== 0) return;
    const endedAt = new Date();
    const end = isStopped
      ? ({ reason: 'stopped', exitCode: null, signal: 'SIGTERM', message: null } as const)
      : ({ reason: 'exited', exitCode: 0, signal: null, message: null } as const);
    this.#known.set(
      attemptId,
      ranks.map(({ rank }) => ({
        ...{ attemptId, token, rank, state: 'ended', end, startedAt, endedAt },
        ranSeconds: (endedAt.getTime() - startedAt.getTime()) / 1000,
      })),
    );
    this.#stops.delete(attemptId);
    this.#items += 1n;
    this.#news.set(attemptId, this.#items);
    this.#options.wake();
  }

  async observe(attemptIds: readonly string[]) {
    return attemptIds.flatMap((id) => this.#known.get(id) ?? []);
  }

  async changed(limit: number) {
    const changes: Change[] = [];
    for (const [attemptId, item] of this.#news) {
      if (changes.length === limit) break;
      changes.push({ attemptId, items: [item] });
    }
    return changes;
  }

  async settle(changes: readonly Change[]) {
    for (const { attemptId, items } of changes) {
      if (this.#news.get(attemptId) === items.at(-1)) this.#news.delete(attemptId);
    }
  }

  async cancel({ attemptId }: AttemptToStop) {
    this.#stops.get(attemptId)?.();
  }

  async forget({ attemptId }: AttemptRef) {
    if (this.#known.delete(attemptId)) this.forgotten += 1;
    this.#news.delete(attemptId);
  }

  async recover() {
    return [];
  }
}
