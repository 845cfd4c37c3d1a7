/**
 * Brings attempts from placed to ended: claims what is due, compares wanted with observed, takes its steps, repeats.
 *
 * Being told of each event and reacting would be quicker to write and would lose attempts with every crash. Here news only
 * say where to look: a round hands what a backend speaks of, and what is due, to `AttemptStepper`, and settles the news afterwards. Cost of
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
  forgetAgain,
  markDue,
  ownerLeaseSeconds,
  placedDue,
  postpone,
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

/** What attempts of a chunk are stepped with. */
interface Look {
  /** What their backend says of them, or why it says nothing. */
  readonly observed: readonly RankObservation[] | Error;
  readonly isFirst: boolean;
}

const inChunks = (ids: readonly string[]): string[][] =>
  Array.from({ length: Math.ceil(ids.length / together) }, (_, i) => ids.slice(i * together, (i + 1) * together));

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
    const backends = [...this.#backends.keys()];
    const news = await this.#collectNews();
    const [claims, placed] = await Promise.all([claimDue(db, owner, backends, batch), placedDue(db, backends, batch)]);
    const claimed = new Set(claims.map(({ id }) => id));
    await this.#work([...claims, ...news.attempts.filter(({ id }) => !claimed.has(id))], placed);
    await news.settle();
    let more = news.more || claims.length >= batch || placed.length >= batch;

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
   * What backends and nodes have new.
   * @returns `attempts` that a backend speaks of; `settle` tells it, after these were stepped, that its news were dealt with;
   * more wait when `more`
   */
  async #collectNews(): Promise<{ attempts: Claim[]; more: boolean; settle: () => Promise<void> }> {
    const { db } = this.#options;
    const [told, nodes] = await Promise.all([
      Promise.all([...this.#backends.values()].map((backend) => this.#newsOf(backend))),
      this.#nodes.read(),
    ]);
    const news = told.filter(({ changes }) => changes.length > 0);
    const attempts = news.flatMap(({ backend, changes }) =>
      changes.map(({ attemptId }) => ({ id: attemptId, backend: backend.id })),
    );
    const changed = nodes.kind === 'reset' ? null : (nodes.keys.get('node') ?? []);
    const outOfTouch = changed === null || changed.length > 0 ? await attemptsOutOfTouch(db, changed) : [];
    await markDue(db, outOfTouch);
    this.#nodes.advance(nodes.cursor);
    return {
      attempts,
      more: news.some(({ changes }) => changes.reduce((sum, { items }) => sum + items.length, 0) >= batch),
      settle: async () => {
        await forgetAgain(
          db,
          attempts.map(({ id }) => id),
        );
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

  /**
   * Works on attempts side by side, and keeps the lease alive meanwhile.
   * @param placed of these, what another replica has locked is left to it
   */
  async #work(heard: readonly Claim[], placed: readonly Claim[]): Promise<void> {
    if (heard.length + placed.length === 0) return;
    const { db, owner, logger } = this.#options;
    const heartbeat = setInterval(
      () => renewLease(db, owner).catch((error) => logger.warn({ err: error }, 'the lease was not renewed')),
      (ownerLeaseSeconds * 1000) / 3,
    );
    let failures = 0;
    try {
      for (const [id, backend] of this.#backends) {
        const idsOf = (claims: readonly Claim[]) => claims.flatMap((claim) => (claim.backend === id ? [claim.id] : []));
        const [mine, fresh] = [idsOf(heard), idsOf(placed)];
        // A backend that is away must not keep the attempts of the others waiting. Of what was only placed it knows nothing yet.
        const observed = mine.length === 0 ? [] : await backend.observe(mine).catch((error: Error) => error);
        const chunks = [
          ...inChunks(mine).map((ids) => ({ ids, observed, isFirst: false })),
          ...inChunks(fresh).map((ids) => ({ ids, observed: [], isFirst: true })),
        ];
        await inParallel(chunks, concurrency, async ({ ids, ...rest }) => {
          failures += await this.#handle(ids, backend, rest);
        });
      }
    } finally {
      clearInterval(heartbeat);
    }
    if (failures === heard.length + placed.length) throw new Error(`all ${failures} attempts of the round failed`);
  }

  /**
   * Those that fail are logged and looked at again after a pause; without an answer of their backend nothing is done. One that fails takes
   * the others of its transaction with it, so then each is tried alone.
   * @returns how many failed
   */
  async #handle(ids: readonly string[], backend: Backend, look: Look): Promise<number> {
    const { observed, isFirst } = look;
    try {
      if (observed instanceof Error) throw observed;
      const failed = await this.#stepper.step(ids, backend, observed, isFirst);
      for (const [id, error] of failed) await this.#failed(id, error);
      return failed.size;
    } catch (error) {
      let failures = 0;
      if (ids.length === 1 || observed instanceof Error) {
        for (const id of ids) if (!(await this.#failed(id, error))) failures += 1;
      } else {
        for (const id of ids) failures += await this.#handle([id], backend, look);
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
    // If this fails too, the claim is found by the next round, and what was heard is heard again.
    await postpone(db, id, owner, isExpected ? 0 : failurePauseSeconds).catch(() => {});
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
