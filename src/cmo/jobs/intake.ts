/**
 * The intake of a process: requests that come at the same time share a statement, and so a round trip and a commit.
 *
 * A transaction a request costs seven round trips and a flush of the log each. So a request goes out at once when none did a moment
 * ago and a place is free; what comes meanwhile goes out together with the next. Each request is answered for itself, after
 * the commit. When a statement fails for what one of its requests asked, they are tried one by one.
 */
import pg from 'pg';
import { classify, type Database, toSolyxError } from '../../common/database/index.ts';
import { backoff } from '../../common/database/retry.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { failpoint } from '../../common/failpoints.ts';
import { insertJobs, type JobRequest } from './insert.ts';

/**
 * Statements at a time. More would only be smaller: a statement costs the database a millisecond and a flush before its first job,
 * and 0.15 ms for each. One gathers while the other is written.
 */
const mostAtOnce = 2;
/**
 * From the start of one statement to that of the next at least, ms: of five hundred requests a second two or three share one, at
 * two thirds of the database's work for them. Who comes alone never waits.
 */
const gatherMs = 5;
const mostRequests = 100;
/** A request with more jobs goes alone, and keeps nobody waiting. */
const mostJobsTogether = 50;
/** Bytes of specs in one statement, about. */
const mostBytes = 2 * 1_048_576;
const mostTries = 7;
/** Requests that may wait; only a database that does not answer lets so many come together. */
const mostWaiting = 5_000;

/** No connection was had, so nothing was changed. */
class NothingSent extends Error {
  constructor(cause: unknown) {
    super('no connection', { cause });
  }
}

interface Waiting {
  readonly request: JobRequest;
  readonly bytes: number;
  readonly settle: (outcome: boolean) => void;
  readonly fail: (error: unknown) => void;
}

export class JobIntake {
  readonly #db: Database;
  #waiting: Waiting[] = [];
  #running = 0;
  #lastSentMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Makes the jobs of a request; resolves when they are durable.
   * @returns false when its Idempotency-Key was taken by an earlier request
   * @throws database_unavailable when nobody knows whether they were made (requests without a key), and what the database refuses
   */
  submit(request: JobRequest): Promise<boolean> {
    return new Promise((settle, fail) => {
      const bytes = JSON.stringify(request.spec).length;
      const item = { request, bytes, settle, fail };
      if (request.ids.length > mostJobsTogether) {
        void this.#run([item]);
        return;
      }
      if (this.#waiting.length >= mostWaiting) {
        const detail = `${mostWaiting} requests wait for the database already.`;
        fail(new SolyxError('database_unavailable', { detail, retryAfterSeconds: 1 }));
        return;
      }
      this.#waiting.push(item);
      this.#send();
    });
  }

  #send(): void {
    if (this.#timer !== undefined || this.#running === mostAtOnce || this.#waiting.length === 0) return;
    const now = performance.now();
    const wait = this.#lastSentMs + gatherMs - now;
    if (wait > 0) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#send();
      }, wait);
      return;
    }
    this.#lastSentMs = now;
    this.#running += 1;
    void this.#run(this.#take()).finally(() => {
      this.#running -= 1;
      this.#send();
    });
    this.#send();
  }

  #take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const item of this.#waiting) {
      bytes += item.bytes;
      if (count > 0 && (count >= mostRequests || bytes > mostBytes)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /** Never fails: every request is told its own outcome. */
  async #run(batch: readonly Waiting[]): Promise<void> {
    let items = batch;
    for (let attempt = 1; items.length > 0; attempt += 1) {
      try {
        const made = await this.#insert(items.map(({ request }) => request));
        for (const [index, item] of items.entries()) item.settle(made[index]!);
        return;
      } catch (error) {
        const again = await this.#afterFailure(items, error, attempt);
        if (again === undefined) return;
        items = again;
      }
    }
  }

  async #insert(requests: readonly JobRequest[]): Promise<boolean[]> {
    const client = await this.#db.app.connect().catch((error) => {
      throw new NothingSent(error);
    });
    let broken = true;
    try {
      failpoint('api.before-commit');
      const made = await insertJobs(client, requests);
      failpoint('api.after-commit');
      broken = false;
      return made;
    } catch (error) {
      broken = !(error instanceof pg.DatabaseError);
      throw error;
    } finally {
      client.release(broken);
    }
  }

  /** @returns the requests that may be sent again; undefined when all have been told */
  async #afterFailure(
    items: readonly Waiting[],
    thrown: unknown,
    attempt: number,
  ): Promise<readonly Waiting[] | undefined> {
    const error = thrown instanceof NothingSent ? thrown.cause : thrown;
    const failure = classify(error);
    if (failure === 'other' && items.length > 1) {
      // One of them is at fault: the others shall not suffer for it.
      for (const item of items) await this.#run([item]);
      return undefined;
    }
    // Whether a statement whose connection broke was carried out, nobody knows; only with a key may it be sent twice.
    const isUnknown = failure === 'connection' && !(thrown instanceof NothingSent || error instanceof pg.DatabaseError);
    const passes = failure === 'conflict' || failure === 'connection';
    const repeatable = passes ? items.filter(({ request }) => !isUnknown || request.remembered) : [];
    const given = attempt < mostTries ? repeatable : [];
    for (const item of items) if (!given.includes(item)) item.fail(isUnknown ? unknownOutcome(error) : refusal(error));
    if (given.length > 0) await backoff(attempt);
    return given;
  }
}

const foreignKeyViolation = '23503';

/** What the caller is told. All that a new job names in the database is its project, which may be deleted after it was looked up. */
function refusal(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError) || error.code !== foreignKeyViolation) return toSolyxError(error);
  const issues = [{ at: '/project', message: 'there is no such project' }];
  return new SolyxError('job_spec_invalid', { issues, cause: error });
}

function unknownOutcome(cause: unknown): SolyxError {
  return new SolyxError('database_unavailable', {
    detail: 'The connection was lost during the commit, so the job may or may not have been made.',
    cause,
    retryAfterSeconds: 1,
  });
}
