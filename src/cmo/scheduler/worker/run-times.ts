/**
 * How long jobs run, learned from those that run and end while this process watches.
 *
 * What waits is followed by bursts (`queued-bursts.ts`), so that a million queued jobs cost a look-up each. Nothing is stored: a new process learns from the newest ends that rows tell of, as if it had watched them.
 */
import type { ExpectedRunTime } from '../core/backfill/run-class.ts';
import type { EndedRun } from '../history-rows.ts';
import type { JobTraits } from '../job-traits.ts';
import { RunTimePredictor, type TrackedJob } from '../prediction/run-time-predictor.ts';
import { expectedRunTime, featuresOf } from './expected-run-time.ts';
import { QueuedBursts } from './queued-bursts.ts';

export class RunTimes {
  readonly #predictor = new RunTimePredictor();
  readonly #tracked = new Map<string, TrackedJob>();
  readonly #bursts = new QueuedBursts(this.#predictor);

  /** Learns from what ran before this process, in the order in which it happened. Times that make no sense teach nothing. */
  remember(runs: readonly EndedRun[]): void {
    const sane = runs.filter(({ startedAt, endedAt }) => startedAt <= endedAt && Number.isFinite(endedAt - startedAt));
    const turns = sane.flatMap((run) => [
      { at: run.startedAt, run, isEnd: false },
      { at: run.endedAt, run, isEnd: true },
    ]);
    const live = new Map<EndedRun, TrackedJob>();
    for (const { at, run, isEnd } of turns.sort((a, b) => a.at - b.at || Number(a.isEnd) - Number(b.isEnd))) {
      if (isEnd) this.#predictor.ended(live.get(run)!, at / 1000);
      else {
        const tracked = this.#predictor.submitted(featuresOf(run.traits, at));
        this.#predictor.started(tracked, at / 1000);
        // What still ran then taught that it ran so long.
        this.#predictor.advance(at / 1000);
        live.set(run, tracked);
      }
    }
  }

  /** A job waits; how long it is expected to run, or undefined when nobody knows. @param submittedAt, now epoch milliseconds */
  queued(id: string, traits: JobTraits, submittedAt: number, now: number): ExpectedRunTime | undefined {
    return this.#bursts.add(id, traits, submittedAt, now);
  }

  /** What is known of a waiting job, as one object for many. */
  traitsOf(id: string): JobTraits | undefined {
    return this.#bursts.traitsOf(id);
  }

  /** It waits no more, and does not run either. */
  left(id: string): void {
    this.#bursts.take(id);
  }

  /** Waiting jobs of which something else is expected than was said of them last. @param now epoch milliseconds */
  takeMoved(now: number): ReturnType<QueuedBursts['takeMoved']> {
    this.#predictor.advance(now / 1000);
    return this.#bursts.takeMoved(now);
  }

  /** A job runs; when it has hardly ever not ended, epoch milliseconds, or null when nobody knows. */
  started(id: string, traits: JobTraits, at: number, now: number): number | null {
    let tracked = this.#tracked.get(id);
    if (tracked === undefined) {
      tracked = this.#bursts.take(id) ?? this.#predictor.submitted(featuresOf(traits, at));
      this.#predictor.started(tracked, at / 1000);
      this.#tracked.set(id, tracked);
    }
    this.#predictor.advance(now / 1000);
    const careful = expectedRunTime(this.#predictor, tracked, traits, Math.max(0, now - at) / 1000)?.carefulSeconds;
    return careful === undefined ? null : at + careful * 1000;
  }

  /** It runs no more. `finished`: by itself, so that its length is known. */
  ended(id: string, now: number, finished: boolean): void {
    const tracked = this.#tracked.get(id);
    if (tracked === undefined) return;
    this.#tracked.delete(id);
    this.#predictor.ended(tracked, now / 1000, finished ? 'finished' : 'stopped');
  }
}
