/**
 * Takes attempts as far as they go, many at once: what was observed is written, with all that follows from it.
 *
 * All of that is one transaction under the locks of jobs and attempts, which also gives the claims back, in as many statements for a
 * hundred attempts as for one. What lies outside the database (a backend call) happens after its intent was committed, is repeatable, and
 * is said again until its effect is seen. The transaction may run several times, so metrics, logs and wake-ups wait for its commit.
 */
import { closeIntervals, openIntervals } from '../../billing/index.ts';
import { type Database, type Tx, withSystem } from '../../common/database/index.ts';
import type { Wake } from '../../common/events/index.ts';
import { failpoint } from '../../common/failpoints.ts';
import type { Logger } from '../../common/logger.ts';
import { releaseAllocations } from '../../drm/allocator/index.ts';
import { type AttemptDraft, loadForUpdate, saveDecisions } from '../jobs/index.ts';
import { type Course, courseOf, refusedCourse } from './attempt-course.ts';
import type { AttemptToRun, Backend, RankObservation } from './backends/backend.ts';
import { inParallel } from './in-parallel.ts';
import type { OrchestratorMetrics } from './metrics.ts';
import { readAttemptsToRun, readContact } from './queries.ts';
import { nextStep } from './reconcile.ts';

/** Calls of a backend at the same time. */
const concurrency = 8;

export interface StepperOptions {
  readonly db: Database;
  readonly wake: Wake;
  readonly logger: Logger;
  readonly owner: string;
  readonly random: () => number;
  readonly metrics: OrchestratorMetrics;
}

/** A node was heard again while an attempt was being declared lost; nothing was changed. */
export class ContactReturned extends Error {}

export class AttemptStepper {
  readonly #options: StepperOptions;

  constructor(options: StepperOptions) {
    this.#options = options;
  }

  /**
   * @param observed what the backend says of the attempts' ranks
   * @param isFirst they were placed, and no backend knows of them: those whose job somebody has locked are left to him
   * @returns what the backend threw, by attempt; their intent is written and they are due again
   * @throws ContactReturned, and whatever the database throws; then nothing was changed and the claims are still held
   */
  async step(
    attemptIds: readonly string[],
    backend: Backend,
    observed: readonly RankObservation[],
    isFirst = false,
  ): Promise<Map<string, unknown>> {
    failpoint('orchestrator.before-step');
    const courses = await withSystem(
      this.#options.db,
      async (tx) => {
        const found = [...(await loadForUpdate(tx, attemptIds, isFirst)).values()];
        const next = await this.#advance(tx, found, backend, observed, isFirst);
        failpoint('orchestrator.before-commit');
        return next;
      },
      { byIndex: true },
    );
    failpoint('orchestrator.after-step');
    return this.#tell(backend, courses);
  }

  async #advance(
    tx: Tx,
    loaded: readonly AttemptDraft[],
    backend: Backend,
    observed: readonly RankObservation[],
    isFirst: boolean,
  ): Promise<Course[]> {
    const found = loaded.filter(({ attempt }) => attempt.state !== 'ended');
    if (found.length === 0) return [];
    const { now, contact } = await readContact(
      tx,
      found.flatMap(({ ranks }) => ranks.map(({ node_id }) => node_id)),
    );
    const observedOf = Map.groupBy(observed, ({ attemptId }) => attemptId);
    const { selfFencing } = backend.capabilities;
    const { random } = this.#options;
    const courses = found.map((before) =>
      courseOf(before, { observed: observedOf.get(before.attempt.id) ?? [], contact, selfFencing, now, random }),
    );
    await this.#write(tx, backend, courses, isFirst);
    return courses;
  }

  /** Writes what attempts come to. With their ends goes what they held: nothing is held or billed without an attempt. */
  async #write(tx: Tx, backend: Backend, courses: readonly Course[], isFirst: boolean): Promise<void> {
    const { owner, wake, metrics, logger } = this.#options;
    await saveDecisions(tx, owner, courses, isFirst);
    await openIntervals(
      tx,
      courses.flatMap(({ began }) => began),
    );
    await closeIntervals(
      tx,
      courses.flatMap(({ ended }) => ended),
    );
    const ended = courses.filter(({ after }) => after.attempt.state === 'ended');
    if (ended.length > 0) {
      const ids = ended.map(({ after }) => after.attempt.id);
      await backend.withdraw?.(tx, ids);
      await releaseAllocations(tx, ids);
      await confirmSilence(tx, ended);
    }
    tx.afterCommit(() => {
      for (const { steps } of courses) for (const step of steps) metrics.steps.inc({ step });
      for (const { after } of ended) {
        const { attempt, job } = after;
        metrics.ended.inc({ outcome: attempt.outcome! });
        logger.info(
          { job: job.id, attempt: attempt.id, outcome: attempt.outcome, jobState: job.state },
          'attempt ended',
        );
      }
      // `orchestrator`: what has ended is to be forgotten.
      const topics = ended.length > 0 ? ['scheduler', 'events', 'orchestrator'] : ['events'];
      if (courses.some(({ after }) => after.events.length > 0)) for (const topic of topics) wake.wake(topic);
    });
  }

  /** Says to the backend what was decided. */
  async #tell(backend: Backend, courses: readonly Course[]): Promise<Map<string, unknown>> {
    const failed = new Map<string, unknown>();
    const words = courses.filter(({ word }) => word.kind !== 'none');
    const starting = words.filter(({ word }) => word.kind === 'submit');
    if (starting.length > 0) failpoint('orchestrator.before-submit');
    const toRun = await readAttemptsToRun(
      this.#options.db,
      starting.map(({ after }) => after.attempt.id),
    );
    const together = backend.submitAll !== undefined && toRun.size > 1;
    if (together) await this.#submitAll(backend, [...toRun.values()], failed);
    const alone = words.filter(({ word }) => word.kind === 'cancel' || !together);
    await inParallel(alone, concurrency, async (course) => {
      const { id } = course.after.attempt;
      try {
        if (course.word.kind === 'cancel') await cancel(backend, course, course.word.why);
        else await this.#submit(backend, toRun.get(id));
      } catch (error) {
        failed.set(id, error);
      }
    });
    return failed;
  }

  /** All in one word; one that it cannot be said of is found by saying each alone. */
  async #submitAll(backend: Backend, attempts: readonly AttemptToRun[], failed: Map<string, unknown>): Promise<void> {
    try {
      await backend.submitAll!(attempts);
      failpoint('orchestrator.after-submit');
    } catch (error) {
      this.#options.logger.warn({ err: error, backend: backend.id }, 'attempts are handed over one by one');
      await inParallel(attempts, concurrency, async (attempt) => {
        await this.#submit(backend, attempt).catch((reason) => failed.set(attempt.attemptId, reason));
      });
    }
  }

  /** @param attempt undefined when it holds nothing any more */
  async #submit(backend: Backend, attempt: AttemptToRun | undefined): Promise<void> {
    if (attempt === undefined) return;
    const result = await backend.submit(attempt);
    failpoint('orchestrator.after-submit');
    if (result.kind === 'accepted') return;
    await withSystem(this.#options.db, async (tx) => {
      const loaded = (await loadForUpdate(tx, [attempt.attemptId])).get(attempt.attemptId);
      // A rank that is known to run was accepted before; its end will be reported.
      if (!loaded || loaded.attempt.state === 'ended' || loaded.ranks.some(({ state }) => state !== 'placed')) return;
      const { now } = await readContact(tx, []);
      await this.#write(tx, backend, [refusedCourse(loaded, result.reason, now, this.#options.random())], false);
    });
  }
}

async function cancel(backend: Backend, { after }: Course, why: string | null): Promise<void> {
  failpoint('orchestrator.before-cancel');
  const { attempt, job, ranks } = after;
  const nodeIds = ranks.map(({ node_id }) => node_id);
  const toStop = { attemptId: attempt.id, token: attempt.token, jobId: job.id, nodeIds };
  await backend.cancel(toStop, why ?? 'gang', job.spec.timeouts.stopGrace);
}

/**
 * Looks again whether the nodes are silent, now that the release of capacity has locked their rows: a node that came back
 * between the first look and the locks must not find its attempt replaced.
 * @throws ContactReturned, which undoes the end
 */
async function confirmSilence(tx: Tx, courses: readonly Course[]): Promise<void> {
  const presumed = courses.flatMap(({ presumed }) => (presumed === null ? [] : [presumed]));
  if (presumed.length === 0) return;
  const again = await readContact(
    tx,
    presumed.flatMap(({ ranks }) => ranks.map(({ node_id }) => node_id)),
  );
  for (const view of presumed) {
    const step = nextStep({ ...view, contact: again.contact }, again.now);
    if (step.kind !== 'end') throw new ContactReturned('a node of the attempt came back');
  }
}
