/**
 * Takes one attempt as far as it goes: what was observed is written, and `nextStep` asked and obeyed until it says wait.
 *
 * All of that is one transaction under the locks of job and attempt, which also gives the claim back. What lies outside the
 * database (a backend call) happens after its intent was committed, is repeatable, and is said again until its effect is
 * seen. The transaction may run several times, so metrics, logs and wake-ups wait for its commit.
 */
import { closeInterval } from '../../billing/index.ts';
import { type Database, type Tx, withSystem } from '../../common/database/index.ts';
import type { Wake } from '../../common/events/index.ts';
import { failpoint } from '../../common/failpoints.ts';
import type { Logger } from '../../common/logger.ts';
import { releaseAllocations } from '../../drm/allocator/index.ts';
import {
  type AttemptEnd,
  endAttempt,
  type LoadedAttempt,
  loadForUpdate,
  markRunning,
  markStarting,
  markStopping,
  markUnknown,
  recoverFromUnknown,
} from '../jobs/index.ts';
import { absorb } from './absorb.ts';
import type { Backend, RankObservation } from './backends/backend.ts';
import type { OrchestratorMetrics } from './metrics.ts';
import { readAttemptToRun, readContact, releaseClaim } from './queries.ts';
import { type AttemptView, nextStep, type Step } from './reconcile.ts';

/** Steps that one attempt may take in a row; more means that a rule goes in circles. */
const mostSteps = 8;

export interface StepperOptions {
  readonly db: Database;
  readonly wake: Wake;
  readonly logger: Logger;
  readonly owner: string;
  readonly random: () => number;
  readonly metrics: OrchestratorMetrics;
}

/** A node was heard again while its attempt was being declared lost; nothing was changed. */
export class ContactReturned extends Error {}

/** What follows the commit outside of the database. */
type FollowUp = () => Promise<void>;
/** Rows as they are now, or what ends the transaction. */
type Taken = { readonly loaded: LoadedAttempt } | { readonly done: FollowUp | null };

export class AttemptStepper {
  readonly #options: StepperOptions;

  constructor(options: StepperOptions) {
    this.#options = options;
  }

  /**
   * @param observed what the backend says of the attempt's ranks
   * @throws ContactReturned, and whatever database or backend throw; then the claim is still held
   */
  async step(attemptId: string, backend: Backend, observed: readonly RankObservation[]): Promise<void> {
    failpoint('orchestrator.before-step');
    const followUp = await withSystem(this.#options.db, async (tx) => {
      const next = await this.#advance(tx, attemptId, backend, observed);
      failpoint('orchestrator.before-commit');
      return next;
    });
    failpoint('orchestrator.after-step');
    await followUp?.();
  }

  async #advance(
    tx: Tx,
    attemptId: string,
    backend: Backend,
    observed: readonly RankObservation[],
  ): Promise<FollowUp | null> {
    const found = await loadForUpdate(tx, attemptId);
    if (!found || found.attempt.state === 'ended') return null;
    const { now, contact } = await readContact(
      tx,
      found.ranks.map(({ node_id }) => node_id),
    );
    const ranks = await absorb(tx, found.attempt, found.ranks, observed, now);
    const { selfFencing } = backend.capabilities;
    let loaded: LoadedAttempt = { ...found, ranks };
    for (let steps = 0; steps < mostSteps; steps += 1) {
      const view: AttemptView = { ...loaded, contact, selfFencing };
      const step = nextStep(view, now);
      tx.afterCommit(() => this.#options.metrics.steps.inc({ step: step.kind }));
      const taken = await this.#take(tx, loaded, view, backend, step);
      if ('done' in taken) return taken.done;
      loaded = taken.loaded;
    }
    throw new Error(`attempt ${attemptId} did not settle within ${mostSteps} steps`);
  }

  async #take(tx: Tx, loaded: LoadedAttempt, view: AttemptView, backend: Backend, step: Step): Promise<Taken> {
    const { attempt } = loaded;
    const { owner } = this.#options;
    if (step.kind !== 'wait') tx.afterCommit(() => this.#options.wake.wake('events'));
    switch (step.kind) {
      case 'wait':
        await releaseClaim(tx, attempt.id, owner, step.until);
        return { done: null };
      case 'submit':
        await markStarting(tx, loaded);
        await releaseClaim(tx, attempt.id, owner, step.until);
        return { done: () => this.#submit(backend, attempt.id) };
      case 'stop':
        await markStopping(tx, loaded, step.why);
        await releaseClaim(tx, attempt.id, owner, step.until);
        return { done: () => cancel(backend, loaded, step.why) };
      case 'running':
        return { loaded: await markRunning(tx, loaded, step.at) };
      case 'unknown':
        return { loaded: await markUnknown(tx, loaded) };
      case 'recover':
        return { loaded: await recoverFromUnknown(tx, loaded) };
      case 'end':
        await this.#end(tx, loaded, backend, step.end);
        if (step.presumed) await confirmSilence(tx, view);
        return { done: null };
    }
  }

  /** Ends the attempt and gives back what it held: one transaction, so that nothing is held or billed without it. */
  async #end(tx: Tx, loaded: LoadedAttempt, backend: Backend, end: AttemptEnd): Promise<void> {
    const { attempt, job, ranks } = loaded;
    const { wake, metrics, logger, random } = this.#options;
    const ended = await endAttempt(tx, loaded, end, random());
    for (const { rank } of ranks) {
      const endedAt = end.unproved.find((lost) => lost.rank === rank)?.at ?? end.at;
      await closeInterval(tx, { attemptId: attempt.id, rank, endedAt, ...nothingMeasured });
    }
    await backend.withdraw?.(tx, attempt.id);
    await releaseAllocations(tx, [attempt.id]);
    tx.afterCommit(() => {
      metrics.ended.inc({ outcome: end.outcome });
      logger.info({ job: job.id, attempt: attempt.id, outcome: end.outcome, jobState: ended.state }, 'attempt ended');
      // `orchestrator`: what has ended is to be forgotten.
      for (const topic of ['scheduler', 'events', 'orchestrator']) wake.wake(topic);
    });
  }

  async #submit(backend: Backend, attemptId: string): Promise<void> {
    failpoint('orchestrator.before-submit');
    const attempt = await readAttemptToRun(this.#options.db, attemptId);
    if (!attempt) return;
    const result = await backend.submit(attempt);
    failpoint('orchestrator.after-submit');
    if (result.kind === 'accepted') return;
    await withSystem(this.#options.db, async (tx) => {
      const loaded = await loadForUpdate(tx, attemptId);
      // A rank that is known to run was accepted before; its end will be reported.
      if (!loaded || loaded.attempt.state === 'ended' || loaded.ranks.some(({ state }) => state !== 'placed')) return;
      const { now } = await readContact(tx, []);
      await this.#end(tx, loaded, backend, {
        outcome: 'start-failed',
        exitCode: null,
        signal: null,
        message: result.reason,
        at: now,
        startedAt: null,
        unproved: [],
      });
    });
  }
}

async function cancel(backend: Backend, { attempt, job, ranks }: LoadedAttempt, why: string | null): Promise<void> {
  failpoint('orchestrator.before-cancel');
  const nodeIds = ranks.map(({ node_id }) => node_id);
  const toStop = { attemptId: attempt.id, token: attempt.token, jobId: job.id, nodeIds };
  await backend.cancel(toStop, why ?? 'gang', job.spec.timeouts.stopGrace);
}

/**
 * Looks again whether the nodes are silent, now that the release of capacity has locked their rows: a node that came back
 * between the first look and the locks must not find its attempt replaced.
 * @throws ContactReturned, which undoes the end
 */
async function confirmSilence(tx: Tx, view: AttemptView): Promise<void> {
  const again = await readContact(
    tx,
    view.ranks.map(({ node_id }) => node_id),
  );
  const step = nextStep({ ...view, contact: again.contact }, again.now);
  if (step.kind !== 'end') throw new ContactReturned('a node of the attempt came back');
}

/** Usage of a rank whose end nobody reported: nothing is known but when it was last seen. */
const nothingMeasured = { energyJoules: null, energySource: null, cpuSeconds: null, peakMemoryBytes: null };
