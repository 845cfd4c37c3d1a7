/**
 * Brings attempts from placed to ended: claims what is due, compares wanted with observed, takes one step, repeats.
 *
 * Being told of each event and reacting would be quicker to write and would lose attempts with every crash. Here a round
 * finds the attempts that are due, that a backend has news of, or whose nodes came or went; for each it asks `nextStep`
 * and applies the answer in one transaction. What lies outside the database (a backend call) happens after its intent was
 * committed and is repeatable. Cost of a round: attempts that changed, never attempts that exist.
 */

import type { Registry } from 'prom-client';
import { closeInterval } from '../../billing/index.ts';
import type { Clock } from '../../common/clock.ts';
import { type Database, withSystem } from '../../common/database/index.ts';
import { DirtyReader, type Loop, runLoop, type Wake } from '../../common/events/index.ts';
import { failpoint } from '../../common/failpoints.ts';
import type { Logger } from '../../common/logger.ts';
import { releaseAllocations } from '../../drm/allocator/index.ts';
import {
  endAttempt,
  expireQueued,
  type LoadedAttempt,
  loadForUpdate,
  markRunning,
  markStarting,
  markStopping,
  markUnknown,
  recoverFromUnknown,
} from '../jobs/index.ts';
import { absorb } from './absorb.ts';
import type { Backend, Change, RankObservation } from './backends/backend.ts';
import { createOrchestratorMetrics, type OrchestratorMetrics } from './metrics.ts';
import {
  attemptsOutOfTouch,
  attemptsToForget,
  claimDue,
  dropLease,
  markForgotten,
  ownerLeaseSeconds,
  readAttemptToRun,
  readContact,
  renewLease,
  setDue,
  untilNextDue,
} from './queries.ts';
import { nextStep, type Step } from './reconcile.ts';

/** Attempts taken up in one round; more make another round. */
const batch = 200;
/** Attempts worked on at the same time. */
const concurrency = 8;
/** Steps that one attempt may take in a row; more means that a rule goes in circles. */
const mostSteps = 8;

export interface OrchestratorOptions {
  readonly db: Database;
  readonly wake: Wake;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly backends: readonly Backend[];
  /** Id of this process among its replicas. */
  readonly owner: string;
  /** 0..1, for the jitter of retries. */
  readonly random?: () => number;
  readonly registry: Registry;
}

/** What follows a committed step outside of the transaction, and whether that was all for now. */
interface Applied {
  readonly followUp?: () => Promise<void>;
  readonly settled: boolean;
}

export class ClusterOrchestrator {
  readonly #options: OrchestratorOptions;
  readonly #backends: ReadonlyMap<string, Backend>;
  readonly #metrics: OrchestratorMetrics;
  readonly #nodes: DirtyReader;
  #loop: Loop | undefined;
  #timer: NodeJS.Timeout | undefined;
  #leaseRenewedAt = Number.NEGATIVE_INFINITY;
  #lastRoundAt = Number.NEGATIVE_INFINITY;

  constructor(options: OrchestratorOptions) {
    this.#options = options;
    this.#backends = new Map(options.backends.map((backend) => [backend.id, backend]));
    this.#metrics = createOrchestratorMetrics(options.registry);
    this.#nodes = new DirtyReader(options.db, ['node']);
  }

  /** Starts the loop. */
  start(): void {
    const { wake, logger } = this.#options;
    this.#loop = runLoop({
      name: 'orchestrator',
      wakeOn: ['orchestrator'],
      wake,
      // short enough that the lease is renewed in time
      resyncSeconds: ownerLeaseSeconds / 3,
      run: () => this.round(),
      logger,
    });
  }

  /** Ends the running round, and lets other replicas take over at once. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#loop?.stop();
    await dropLease(this.#options.db, this.#options.owner).catch(() => {});
  }

  /** Whether a round was completed lately. */
  ready(): boolean {
    return this.#options.clock.monotonicMs() - this.#lastRoundAt < 3 * ownerLeaseSeconds * 1000;
  }

  /** One round. Public for tests, which drive it without the loop. */
  async round(): Promise<void> {
    const { db, owner, clock } = this.#options;
    if (clock.monotonicMs() - this.#leaseRenewedAt > (ownerLeaseSeconds * 1000) / 3) {
      await renewLease(db, owner);
      this.#leaseRenewedAt = clock.monotonicMs();
    }
    let again = false;
    const due = new Set(await claimDue(db, owner, batch));
    again ||= due.size === batch;
    const news: [Backend, readonly Change[]][] = [];
    for (const backend of this.#backends.values()) {
      const changes = await backend.changed(batch);
      again ||= changes.length >= batch;
      for (const { attemptId } of changes) due.add(attemptId);
      if (changes.length > 0) news.push([backend, changes]);
    }
    const nodes = await this.#nodes.read();
    const changed = nodes.kind === 'reset' ? null : (nodes.keys.get('node') ?? []);
    if (changed === null || changed.length > 0) {
      for (const id of await attemptsOutOfTouch(db, changed)) due.add(id);
    }
    const failed = await this.#handleAll([...due]);
    if (failed.size === 0) this.#nodes.advance(nodes.cursor);
    for (const [backend, changes] of news) {
      await backend.settle(changes.filter(({ attemptId }) => !failed.has(attemptId)));
    }
    const expired = await withSystem(db, (tx) => expireQueued(tx, batch));
    again ||= expired.length === batch;
    again ||= await this.#forget();
    this.#lastRoundAt = clock.monotonicMs();
    if (again) this.#loop?.wake();
    else await this.#setTimer();
  }

  async #setTimer(): Promise<void> {
    const ms = await untilNextDue(this.#options.db, this.#options.owner);
    clearTimeout(this.#timer);
    if (ms === null || ms > ownerLeaseSeconds * 1000) return;
    this.#timer = setTimeout(() => this.#loop?.wake(), Math.max(10, ms + 5));
    this.#timer.unref();
  }

  /** Handles attempts side by side; one that fails is logged and left for the next round. */
  async #handleAll(ids: string[]): Promise<Set<string>> {
    const failed = new Set<string>();
    const queue = [...ids];
    const worker = async () => {
      for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
        try {
          await this.#handle(id);
        } catch (error) {
          failed.add(id);
          this.#metrics.stepFailures.inc();
          this.#options.logger.error({ err: error, attempt: id }, 'a step of an attempt failed; it will be repeated');
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrency, ids.length) }, worker));
    if (failed.size === ids.length && ids.length > 0) throw new Error(`all ${ids.length} attempts of the round failed`);
    return failed;
  }

  async #handle(attemptId: string): Promise<void> {
    const { db } = this.#options;
    for (let steps = 0; steps < mostSteps; steps += 1) {
      const backend = await this.#backendOf(attemptId);
      if (!backend) return;
      const observations = await backend.observe([attemptId]);
      failpoint('orchestrator.before-step');
      const result = await withSystem(db, (tx) => this.#step(tx, attemptId, backend, observations));
      failpoint('orchestrator.after-step');
      await result.followUp?.();
      if (result.settled) return;
    }
    throw new Error(`attempt ${attemptId} did not settle within ${mostSteps} steps`);
  }

  async #backendOf(attemptId: string): Promise<Backend | undefined> {
    const { rows } = await this.#options.db.system.query<{ backend: string }>(
      'select backend from cmo_attempts where id = $1',
      [attemptId],
    );
    if (!rows[0]) return undefined;
    const backend = this.#backends.get(rows[0].backend);
    if (!backend) throw new Error(`no backend ${rows[0].backend} in this process`);
    return backend;
  }

  async #step(
    tx: Parameters<typeof loadForUpdate>[0],
    attemptId: string,
    backend: Backend,
    observations: readonly RankObservation[],
  ): Promise<Applied> {
    const loaded = await loadForUpdate(tx, attemptId);
    if (!loaded || loaded.attempt.state === 'ended') return { settled: true };
    const { attempt, job } = loaded;
    const now = this.#options.clock.now();
    const since = attempt.starting_at ?? attempt.placed_at;
    const ranks = await absorb(tx, { token: attempt.token, since }, loaded.ranks, observations, now);
    const contact = await readContact(
      tx,
      ranks.map(({ node_id }) => node_id),
    );
    const step = nextStep({ attempt, job, ranks, contact, heard: observations.length > 0 }, now);
    this.#metrics.steps.inc({ step: step.kind });
    return this.#apply(tx, { attempt, job, ranks }, backend, step);
  }

  async #apply(
    tx: Parameters<typeof loadForUpdate>[0],
    loaded: LoadedAttempt,
    backend: Backend,
    step: Step,
  ): Promise<Applied> {
    const { attempt, job } = loaded;
    switch (step.kind) {
      case 'wait':
        await setDue(tx, attempt.id, step.until);
        return { settled: true };
      case 'submit': {
        const repeated = attempt.state !== 'placed';
        if (!repeated) await markStarting(tx, loaded);
        const followUp = async () => {
          failpoint('orchestrator.before-submit');
          await this.#submit(backend, attempt.id);
          failpoint('orchestrator.after-submit');
        };
        return { followUp, settled: repeated };
      }
      case 'running':
        await markRunning(tx, loaded, step.at);
        return { settled: false };
      case 'unknown':
        await markUnknown(tx, loaded);
        return { settled: false };
      case 'recover':
        await recoverFromUnknown(tx, loaded);
        return { settled: false };
      case 'stop': {
        await markStopping(tx, loaded, step.why);
        const followUp = async () => {
          failpoint('orchestrator.before-cancel');
          const grace = job.spec.timeouts.stopGrace;
          await backend.cancel({ attemptId: attempt.id, token: attempt.token }, step.why ?? 'gang', grace);
        };
        return { followUp, settled: false };
      }
      case 'end': {
        const ended = await endAttempt(tx, loaded, step.end, (this.#options.random ?? Math.random)());
        for (const { rank } of loaded.ranks) await closeInterval(tx, unproved(attempt.id, rank, step.end.at));
        await releaseAllocations(tx, [attempt.id]);
        this.#metrics.ended.inc({ outcome: step.end.outcome });
        tx.afterCommit(() => {
          for (const topic of ['scheduler', 'events']) this.#options.wake.wake(topic);
        });
        this.#options.logger.info(
          { job: job.id, attempt: attempt.id, outcome: step.end.outcome, jobState: ended.state },
          'attempt ended',
        );
        return { settled: true };
      }
    }
  }

  async #submit(backend: Backend, attemptId: string): Promise<void> {
    const attempt = await readAttemptToRun(this.#options.db, attemptId);
    if (!attempt) return;
    const result = await backend.submit(attempt);
    if (result.kind === 'accepted') return;
    await withSystem(this.#options.db, async (tx) => {
      const loaded = await loadForUpdate(tx, attemptId);
      if (!loaded || loaded.attempt.state === 'ended') return;
      const at = this.#options.clock.now();
      const end = { outcome: 'start-failed', exitCode: null, signal: null, message: result.reason, at } as const;
      await endAttempt(tx, loaded, end, (this.#options.random ?? Math.random)());
      await releaseAllocations(tx, [attemptId]);
      tx.afterCommit(() => this.#options.wake.wake('scheduler'));
    });
  }

  /** Tells backends to forget what has ended. @returns whether there may be more */
  async #forget(): Promise<boolean> {
    const ended = await attemptsToForget(this.#options.db, batch);
    const told: string[] = [];
    for (const { id, token, backend } of ended) {
      await this.#backends.get(backend)?.forget({ attemptId: id, token });
      told.push(id);
    }
    if (told.length > 0) await markForgotten(this.#options.db, told);
    return ended.length === batch;
  }
}

/** Usage of a rank whose end nobody reported: nothing is known but when it was last seen. */
function unproved(attemptId: string, rank: number, endedAt: Date) {
  return { attemptId, rank, endedAt, energyJoules: null, energySource: null, cpuSeconds: null, peakMemoryBytes: null };
}
