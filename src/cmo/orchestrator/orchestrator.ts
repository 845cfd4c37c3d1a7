/**
 * Brings attempts from placed to ended: claims what is due, compares wanted with observed, takes its steps, repeats.
 *
 * Being told of each event and reacting would be quicker to write and would lose attempts with every crash. Here news of a
 * backend and of nodes only make attempts due; a round claims what is due and hands it to `AttemptStepper`. Cost of
 * a round: attempts that changed, never attempts that exist. An idle orchestrator looks every 30 s, and holds no lease.
 */

import type { Registry } from 'prom-client';
import type { Clock } from '../../common/clock.ts';
import { type Database, withSystem } from '../../common/database/index.ts';
import { DirtyReader, type Loop, runLoop, type Wake } from '../../common/events/index.ts';
import { failpoint } from '../../common/failpoints.ts';
import type { Logger } from '../../common/logger.ts';
import { expireQueued } from '../jobs/index.ts';
import { AttemptStepper, ContactReturned } from './attempt-stepper.ts';
import type { Backend, RankObservation } from './backends/backend.ts';
import { Caretaker } from './caretaker.ts';
import { Dependents } from './dependents.ts';
import { inParallel } from './in-parallel.ts';
import { createOrchestratorMetrics, type OrchestratorMetrics } from './metrics.ts';
import {
  attemptsOutOfTouch,
  type Claim,
  claimDue,
  dropLease,
  markDue,
  ownerLeaseSeconds,
  releaseFailed,
  renewLease,
  untilNextDue,
} from './queries.ts';

/** Attempts taken up in one round; more make another round. */
const batch = 200;
/** Attempts of one transaction: more would hold their locks for longer. */
const together = 100;
/** Transactions at the same time. */
const concurrency = 2;
/** Pause before an attempt whose step failed is looked at again, seconds. */
const failurePauseSeconds = 5;
const resyncSeconds = 30;
/** Shortest wait for what is due next: a row that is due may be locked by somebody just now, milliseconds. */
const shortestWaitMs = 20;

export interface OrchestratorOptions {
  readonly db: Database;
  readonly wake: Wake;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly backends: readonly Backend[];
  /** Id of this process among its replicas; another one after every start. */
  readonly owner: string;
  /** 0..1, for the jitter of retries. */
  readonly random?: () => number;
  readonly registry: Registry;
}

export class ClusterOrchestrator {
  readonly #options: OrchestratorOptions;
  readonly #backends: ReadonlyMap<string, Backend>;
  readonly #metrics: OrchestratorMetrics;
  readonly #nodes: DirtyReader;
  readonly #stepper: AttemptStepper;
  readonly #caretaker: Caretaker;
  readonly #dependents: Dependents;
  #loop: Loop | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #lastRoundAt = Number.NEGATIVE_INFINITY;

  constructor(options: OrchestratorOptions) {
    const { db, wake, logger, owner, clock, random = Math.random } = options;
    this.#options = options;
    this.#backends = new Map(options.backends.map((backend) => [backend.id, backend]));
    this.#metrics = createOrchestratorMetrics(options.registry);
    this.#nodes = new DirtyReader(db, ['node']);
    this.#stepper = new AttemptStepper({ db, wake, logger, owner, random, metrics: this.#metrics });
    this.#dependents = new Dependents(db, wake);
    this.#caretaker = new Caretaker({ db, logger, clock, backends: this.#backends });
  }

  /** Starts the loop. */
  start(): void {
    const { wake, logger } = this.#options;
    this.#loop = runLoop({
      name: 'orchestrator',
      wakeOn: ['orchestrator'],
      wake,
      resyncSeconds,
      run: () => this.round(),
      logger,
    });
  }

  /** Ends the running round, and lets other replicas take over at once. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop?.stop();
    clearTimeout(this.#timer);
    await dropLease(this.#options.db, this.#options.owner).catch(() => {});
  }

  /** Whether a round was completed lately. */
  ready(): boolean {
    return this.#options.clock.monotonicMs() - this.#lastRoundAt < 3 * resyncSeconds * 1000;
  }

  /** One round. Public for tests, which drive it without the loop. */
  async round(): Promise<void> {
    const { db, owner, clock, wake } = this.#options;
    const news = await this.#collectNews();
    let { more } = news;
    // Side by side: what is due is written down already, and a claim does not depend on whether its backend knows that.
    const [claims] = await Promise.all([claimDue(db, owner, [...this.#backends.keys()], batch), news.settle()]);
    if (claims.length > 0) await this.#work(claims);
    more ||= claims.length >= batch;

    const expired = await withSystem(db, (tx) => expireQueued(tx, batch));
    if (expired.length > 0) for (const topic of ['scheduler', 'events']) wake.wake(topic);
    more ||= expired.length === batch;
    more = (await this.#dependents.round()) || more;
    more = (await this.#caretaker.round(batch)) || more;

    this.#lastRoundAt = clock.monotonicMs();
    if (this.#stopped) return;
    if (more) this.#loop?.wake();
    else await this.#setTimer();
  }

  /**
   * Turns news into due attempts, durably.
   * @returns `settle` tells those who had the news that they were dealt with; more news wait when `more`
   */
  async #collectNews(): Promise<{ more: boolean; settle: () => Promise<void> }> {
    const { db } = this.#options;
    const [told, nodes] = await Promise.all([
      Promise.all([...this.#backends.values()].map((backend) => this.#newsOf(backend))),
      this.#nodes.read(),
    ]);
    const news = told.filter(({ changes }) => changes.length > 0);
    const changed = nodes.kind === 'reset' ? null : (nodes.keys.get('node') ?? []);
    const outOfTouch = changed === null || changed.length > 0 ? await attemptsOutOfTouch(db, changed) : [];
    await markDue(db, [...news.flatMap(({ changes }) => changes.map(({ attemptId }) => attemptId)), ...outOfTouch]);
    this.#nodes.advance(nodes.cursor);
    return {
      more: news.some(({ changes }) => changes.reduce((sum, { items }) => sum + items.length, 0) >= batch),
      settle: async () => {
        for (const { backend, changes } of news) {
          failpoint('orchestrator.before-settle');
          await backend.settle(changes);
        }
      },
    };
  }

  async #newsOf(backend: Backend): Promise<{ backend: Backend; changes: Awaited<ReturnType<Backend['changed']>> }> {
    const changes = await backend.changed(batch).catch((error) => {
      this.#options.logger.warn({ err: error, backend: backend.id }, 'a backend cannot be asked for news');
      return [];
    });
    return { backend, changes };
  }

  /** Works on claimed attempts side by side, and keeps the lease alive meanwhile. */
  async #work(claims: readonly Claim[]): Promise<void> {
    const { db, owner, logger } = this.#options;
    const heartbeat = setInterval(
      () => renewLease(db, owner).catch((error) => logger.warn({ err: error }, 'the lease was not renewed')),
      (ownerLeaseSeconds * 1000) / 3,
    );
    let failures = 0;
    try {
      for (const [id, mine] of Map.groupBy(claims, (claim) => claim.backend)) {
        const backend = this.#backends.get(id)!;
        // A backend that is away must not keep the attempts of the others waiting.
        const observed = await backend.observe(mine.map((claim) => claim.id)).catch((error: Error) => error);
        const chunks = Array.from({ length: Math.ceil(mine.length / together) }, (_, i) =>
          mine.slice(i * together, (i + 1) * together),
        );
        await inParallel(chunks, concurrency, async (chunk) => {
          failures += await this.#handle(
            chunk.map((claim) => claim.id),
            backend,
            observed,
          );
        });
      }
    } finally {
      clearInterval(heartbeat);
    }
    if (failures === claims.length) throw new Error(`all ${failures} attempts of the round failed`);
  }

  /**
   * Those that fail are logged and looked at again after a pause; without an answer of their backend nothing is done. One that fails takes
   * the others of its transaction with it, so then each is tried alone.
   * @returns how many failed
   */
  async #handle(
    ids: readonly string[],
    backend: Backend,
    observed: readonly RankObservation[] | Error,
  ): Promise<number> {
    try {
      if (observed instanceof Error) throw observed;
      const failed = await this.#stepper.step(ids, backend, observed);
      for (const [id, error] of failed) await this.#failed(id, error);
      return failed.size;
    } catch (error) {
      let failures = 0;
      if (ids.length === 1 || observed instanceof Error) {
        for (const id of ids) if (!(await this.#failed(id, error))) failures += 1;
      } else {
        for (const id of ids) failures += await this.#handle([id], backend, observed);
      }
      return failures;
    }
  }

  /** @returns whether that is nothing unusual */
  async #failed(id: string, error: unknown): Promise<boolean> {
    const { db, owner, logger } = this.#options;
    const isExpected = error instanceof ContactReturned;
    if (!isExpected) {
      this.#metrics.stepFailures.inc();
      logger.error({ err: error, attempt: id }, 'a step of an attempt failed; it will be repeated');
    }
    // If this fails too, the claim is found by the next round.
    await releaseFailed(db, id, owner, isExpected ? 0 : failurePauseSeconds).catch(() => {});
    return isExpected;
  }

  async #setTimer(): Promise<void> {
    const ms = await untilNextDue(this.#options.db, this.#options.owner);
    clearTimeout(this.#timer);
    if (ms === null || ms > resyncSeconds * 1000 || this.#stopped) return;
    this.#timer = setTimeout(() => this.#loop?.wake(), Math.max(shortestWaitMs, ms + 5));
    this.#timer.unref();
  }
}
