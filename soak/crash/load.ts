/**
 * The users: submit a seeded stream of jobs through the API, each under its own Idempotency-Key, and write down what was
 * acknowledged. A submit without an answer is repeated under its key, or given up for ever; both are checked at the end.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { SolyxError } from '../../src/common/errors/index.ts';
import { type JobKind, type JobPlan, planJob } from './jobs.ts';
import { randomOf } from './random.ts';
import type { Stand } from './stand.ts';

export interface Submission {
  readonly index: number;
  readonly plan: JobPlan;
  /** Id of the job, or of the array's first task; null while no answer came. */
  acknowledged: string | null;
  /** Submits that were sent, answered or not. */
  sent: number;
  /** No answer came, and the user went home. */
  givenUp: boolean;
  /** The cancel was answered with success. */
  cancelled: boolean;
}

/** Jobs that may wait or run at once. */
const mostOpen = 14;
const submitters = 3;
const looksEveryMs = 700;
const mostVisits = 3;
const visitsEveryMs = 2_500;

export class Load {
  readonly submissions: Submission[] = [];
  /** What must never be: refused specs, an id that changed under the same key. */
  readonly broken: string[] = [];
  /** How often each error code came instead of an answer. */
  readonly refusals = new Map<string, number>();
  readonly #stand: Stand;
  readonly #seed: number;
  readonly #wanted: JobKind[] = [];
  #open = 0;
  #underway = 0;
  #stopping = false;
  #work: Promise<unknown> = Promise.resolve();
  readonly #cancels: Promise<void>[] = [];
  /** Channels into jobs that were opened, and those of them that nothing cut off. */
  readonly visits = { begun: 0, undisturbed: 0 };
  readonly #visits = new Set<Promise<void>>();

  constructor(stand: Stand, seed: number) {
    this.#stand = stand;
    this.#seed = seed;
  }

  start(): void {
    const submitting = Array.from({ length: submitters }, () => this.#submitOn());
    this.#work = Promise.all([this.#watch(), this.#visitOn(), ...submitting]);
  }

  /** Has a job of that kind come next, whatever is open. */
  want(...kinds: JobKind[]): void {
    if (this.#wanted.length < 6) this.#wanted.push(...kinds);
  }

  /** No new jobs; returns when every submit and cancel is through. */
  async finish(): Promise<void> {
    this.#stopping = true;
    await this.#work;
    await Promise.all([...this.#cancels, ...this.#visits]);
  }

  /** Somebody runs a command in a running job; ends by itself. */
  visit(): void {
    if (this.#visits.size >= mostVisits) return;
    const work = this.#visit().finally(() => this.#visits.delete(work));
    this.#visits.add(work);
  }

  async #visit(): Promise<void> {
    const running = await this.#stand.client
      .listJobs({ query: { state: ['running'], limit: 5 } })
      .catch(() => undefined);
    const job = running?.items[this.visits.begun % Math.max(1, running.items.length)];
    if (job === undefined) return;
    this.visits.begun += 1;
    if (await this.#stand.visit(job.id)) this.visits.undisturbed += 1;
  }

  async #visitOn(): Promise<void> {
    while (!this.#stopping) {
      this.visit();
      await pause(visitsEveryMs);
    }
  }

  /** How many jobs are not final, as the API says. */
  async #watch(): Promise<void> {
    while (!this.#stopping) {
      const states = ['queued', 'starting', 'running', 'stopping'] as const;
      const found = await this.#stand.client
        .listJobs({ query: { state: [...states], limit: 100 } })
        .catch(() => undefined);
      if (found !== undefined) this.#open = found.items.length;
      await pause(looksEveryMs);
    }
  }

  async #submitOn(): Promise<void> {
    while (!this.#stopping) {
      const kind = this.#wanted.shift();
      if (kind === undefined && this.#open + this.#underway >= mostOpen) {
        await pause(100);
        continue;
      }
      const index = this.submissions.length;
      const random = randomOf(this.#seed, `job ${index}`);
      const submission: Submission = {
        index,
        plan: planJob(index, random, kind, this.#stand.images),
        acknowledged: null,
        sent: 0,
        givenUp: false,
        cancelled: false,
      };
      this.submissions.push(submission);
      this.#underway += 1;
      await this.#submit(submission, random.next() < 0.25, random.next() < 0.15);
      this.#underway -= 1;
      this.#open += submission.plan.count;
      await pause(random.whole(50, 400));
    }
  }

  async #submit(submission: Submission, givesUp: boolean, repeats: boolean): Promise<void> {
    const { plan } = submission;
    while (!(await this.#send(submission))) {
      if (givesUp && plan.cancelAfterMs === null) {
        submission.givenUp = true;
        return;
      }
      await pause(200);
    }
    if (repeats) await this.#send(submission);
    if (plan.cancelAfterMs !== null) this.#cancels.push(this.#cancel(submission, plan.cancelAfterMs));
  }

  /** Sends the submit once. @returns whether it was answered for good */
  async #send(submission: Submission): Promise<boolean> {
    const { plan, index } = submission;
    submission.sent += 1;
    try {
      const answer = await this.#stand.client.submitJob(
        { body: plan.spec },
        { idempotencyKey: `soak-${this.#seed}-${index}`, timeoutSeconds: 10 },
      );
      if (submission.acknowledged !== null && submission.acknowledged !== answer.id)
        this.broken.push(`submit ${index} was answered with ${submission.acknowledged}, and again with ${answer.id}`);
      submission.acknowledged = answer.id;
      return true;
    } catch (error) {
      if (error instanceof SolyxError) this.refusals.set(error.code, (this.refusals.get(error.code) ?? 0) + 1);
      if (!isAnswer(error)) return false;
      this.broken.push(`submit ${index} (${plan.kind}) was refused: ${error.code} ${error.message}`);
      return true;
    }
  }

  async #cancel(submission: Submission, afterMs: number): Promise<void> {
    await pause(afterMs);
    for (;;) {
      try {
        await this.#stand.client.cancelJob({ params: { id: submission.acknowledged as never } });
        submission.cancelled = true;
        return;
      } catch (error) {
        if (isAnswer(error) && error.code === 'job_final') return;
        if (isAnswer(error)) {
          this.broken.push(`job ${submission.acknowledged} could not be cancelled: ${error.code}`);
          return;
        }
        await pause(200);
      }
    }
  }
}

/** An answer that will be the same next time, unlike silence or "not now". */
function isAnswer(error: unknown): error is SolyxError {
  return error instanceof SolyxError && error.status < 500 && error.status !== 429;
}
