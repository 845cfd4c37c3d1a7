/**
 * How long jobs run, learned from those that run and end while this process watches.
 *
 * A prediction is shared by all jobs of a class (user, name, size, limit), so that a million queued jobs cost a look-up each. Nothing
 * is stored: a new process learns from the newest ends that rows tell of, as if it had watched them.
 */
import type { ExpectedRunTime } from '../core/backfill/run-class.ts';
import type { EndedRun } from '../history-rows.ts';
import type { JobTraits } from '../job-traits.ts';
import type { JobFeatures } from '../prediction/job-features.ts';
import { RunTimePredictor, type TrackedJob } from '../prediction/run-time-predictor.ts';

/** A prediction is good for so long, or until so many more jobs of any class have ended. */
const freshMs = 600_000;
const mostClasses = 50_000;

export interface JobClass {
  /** One object for all jobs of the class. */
  readonly traits: JobTraits;
  /** Undefined when nobody knows. */
  readonly runTime: ExpectedRunTime | undefined;
  readonly at: number;
}

export class RunTimes {
  readonly #predictor = new RunTimePredictor();
  readonly #tracked = new Map<string, TrackedJob>();
  readonly #classes = new Map<string, JobClass>();

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

  /** The class of a queued job, and how long it is expected to run. @param now epoch milliseconds */
  expected(traits: JobTraits, now: number): JobClass {
    const key = JSON.stringify([traits.user, traits.name, traits.size, traits.runSeconds]);
    const known = this.#classes.get(key);
    if (known !== undefined && now - known.at < freshMs) return known;
    const runTime = this.#predict(this.#predictor.submitted(featuresOf(traits, now)), traits);
    if (this.#classes.size >= mostClasses) this.#classes.clear();
    const made = { traits: known?.traits ?? traits, runTime, at: now };
    this.#classes.set(key, made);
    return made;
  }

  /** A job runs; when it has hardly ever not ended, epoch milliseconds, or null when nobody knows. */
  started(id: string, traits: JobTraits, at: number, now: number): number | null {
    let tracked = this.#tracked.get(id);
    if (tracked === undefined) {
      tracked = this.#predictor.submitted(featuresOf(traits, at));
      this.#predictor.started(tracked, at / 1000);
      this.#tracked.set(id, tracked);
    }
    this.#predictor.advance(now / 1000);
    const careful = this.#predict(tracked, traits, Math.max(0, now - at) / 1000)?.carefulSeconds;
    return careful === undefined ? null : at + careful * 1000;
  }

  /** It runs no more. `finished`: by itself, so that its length is known. */
  ended(id: string, now: number, finished: boolean): void {
    const tracked = this.#tracked.get(id);
    if (tracked === undefined) return;
    this.#tracked.delete(id);
    this.#predictor.ended(tracked, now / 1000, finished ? 'finished' : 'stopped');
  }

  #predict(job: TrackedJob, { runSeconds }: JobTraits, elapsedSeconds = 0): ExpectedRunTime | undefined {
    const { source, p50, p90 } = this.#predictor.predict(job, elapsedSeconds);
    const limit = runSeconds ?? Number.POSITIVE_INFINITY;
    if (source === 'prior') {
      return runSeconds === null ? undefined : { likelySeconds: runSeconds, carefulSeconds: runSeconds };
    }
    return { likelySeconds: Math.min(p50, limit), carefulSeconds: Math.min(p90, limit) };
  }
}

function featuresOf({ user, name, size, runSeconds }: JobTraits, at: number): JobFeatures {
  return { user, name, size, estimateSeconds: runSeconds, submittedAt: at / 1000 };
}
