/**
 * What must be thrown away behind ended attempts: backends are told to forget them, what is kept of them is deleted in bounded
 * batches, and what still runs though nobody knows it any more (a database was restored, a node came back from the dead)
 * is ended. The first two happen in every round, the search for orphans every minute.
 */
import type { Clock } from '../../common/clock.ts';
import type { Database } from '../../common/database/index.ts';
import { failpoint } from '../../common/failpoints.ts';
import type { Logger } from '../../common/logger.ts';
import type { Backend } from './backends/backend.ts';
import { inParallel } from './in-parallel.ts';
import {
  attemptsToForget,
  dropDeadOwners,
  type EndedAttempt,
  forgetAgain,
  markForgotten,
  notAlive,
} from './queries.ts';

const tidyEverySeconds = 300;
const sweepEverySeconds = 60;
/** After a start nodes come back one by one, and what they bring should not wait: so many sweeps, so far apart. */
const earlySweeps = { count: 4, everySeconds: 15 };
const concurrency = 8;

export interface CaretakerOptions {
  readonly db: Database;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly backends: ReadonlyMap<string, Backend>;
}

export class Caretaker {
  readonly #options: CaretakerOptions;
  #sweptAt = Number.NEGATIVE_INFINITY;
  #sweeps = 0;
  #tidiedAt = Number.NEGATIVE_INFINITY;

  constructor(options: CaretakerOptions) {
    this.#options = options;
  }

  /** @returns whether there may be more to do at once */
  async round(limit: number): Promise<boolean> {
    const now = this.#options.clock.monotonicMs();
    const every = this.#sweeps < earlySweeps.count ? earlySweeps.everySeconds : sweepEverySeconds;
    if (now - this.#sweptAt >= every * 1000) {
      await this.sweep();
      this.#sweeps++;
      this.#sweptAt = now;
    }
    const thorough = now - this.#tidiedAt >= tidyEverySeconds * 1000;
    let more = await this.#forget(limit);
    for (const backend of this.#options.backends.values()) {
      const left = await backend.tidy?.(limit, thorough);
      more ||= left === true;
    }
    if (thorough) this.#tidiedAt = now;
    return more;
  }

  /** Ends what runs without a living attempt. */
  async sweep(): Promise<void> {
    const { db, logger, backends } = this.#options;
    await dropDeadOwners(db);
    for (const backend of backends.values()) {
      const running = await backend.recover();
      if (running.length === 0) continue;
      const orphans = await notAlive(
        db,
        running.map(({ attemptId }) => attemptId),
      );
      const byId = new Map(running.map((attempt) => [attempt.attemptId, attempt]));
      for (const { id, known } of orphans) {
        const attempt = byId.get(id)!;
        logger.warn({ attempt: id, backend: backend.id }, 'ending what runs without a living attempt');
        await backend.cancel({ ...attempt, jobId: '', nodeIds: [] }, 'orphan', 0);
        if (!known) await backend.forget(attempt);
      }
      // One that we know is to be forgotten once more.
      await forgetAgain(
        db,
        orphans.filter(({ known }) => known).map(({ id }) => id),
      );
    }
  }

  async #forget(limit: number): Promise<boolean> {
    const { db, backends } = this.#options;
    const ended = await attemptsToForget(db, [...backends.keys()], limit);
    const told: string[] = [];
    for (const [id, mine] of Map.groupBy(ended, ({ backend }) => backend)) {
      told.push(...(await this.#tellToForget(backends.get(id)!, mine)));
    }
    if (told.length === 0) return false;
    failpoint('orchestrator.before-forgotten');
    await markForgotten(db, told);
    return told.length === limit;
  }

  /** @returns ids of those of which the backend knows now that they are to be forgotten */
  async #tellToForget(backend: Backend, ended: readonly EndedAttempt[]): Promise<string[]> {
    const refs = ended.map(({ id, token }) => ({ attemptId: id, token }));
    if (backend.forgetAll && refs.length > 1) {
      try {
        await backend.forgetAll(refs);
        return ended.map(({ id }) => id);
      } catch {
        // One of them may be the reason: each is tried alone.
      }
    }
    const told: string[] = [];
    await inParallel(refs, concurrency, async (ref) => {
      try {
        await backend.forget(ref);
        told.push(ref.attemptId);
      } catch (error) {
        this.#options.logger.warn(
          { err: error, attempt: ref.attemptId },
          'a backend could not be told to forget an attempt; it will be repeated',
        );
      }
    });
    return told;
  }
}
