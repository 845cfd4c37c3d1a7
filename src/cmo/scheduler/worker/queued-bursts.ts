/**
 * What is expected of queued jobs, kept current while they wait.
 *
 * Most jobs come in bursts of equal ones, and what the first of a burst turned out to be says most about the rest. A job that keeps what was
 * expected when it came waits for days behind everything, though its siblings took ten seconds. So jobs of one class (user, name, size, limit)
 * that came within a minute of each other share one expectation, which is made anew when something was learned of them, and now and then. Only
 * when it has moved by a class (a factor of √2) do its jobs move in the queue, and some thousand a round at most.
 *
 * Of a burst of which nothing has run the first job is a probe: it is ordered by what finding out is worth (`prediction/wager.ts`).
 */
import { type ExpectedRunTime, runClassOf } from '../core/backfill/run-class.ts';
import type { JobTraits } from '../job-traits.ts';
import { BURST_GAP_SECONDS } from '../prediction/job-features.ts';
import type { RunTimePredictor, TrackedJob } from '../prediction/run-time-predictor.ts';
import { wagerSeconds } from '../prediction/wager.ts';
import { expectedRunTime, featuresOf } from './expected-run-time.ts';

/** An expectation is made anew after so long even when nothing was learned of its burst itself. */
const freshMs = 600_000;
/** Classes whose newest burst may still grow. */
const mostGrowing = 50_000;
/** In one round: bursts looked at, expectations made anew, jobs moved. */
const mostLooks = 4000;
const mostPredictions = 400;
const mostMoves = 5000;

interface Burst {
  readonly traits: JobTraits;
  /** Stands for each of its jobs; never started itself. */
  readonly tracked: TrackedJob;
  /** In order of arrival. */
  readonly waiting: Set<string>;
  /** Epoch milliseconds. */
  lastSubmittedAt: number;
  runTime: ExpectedRunTime | undefined;
  /** Its probe, and by what that is ordered, seconds. */
  probe: { readonly id: string; readonly seconds: number } | undefined;
  /** When it was looked at last, and what was known of it then. */
  at: number;
  known: number;
}

export class QueuedBursts {
  readonly #predictor: RunTimePredictor;
  /** The newest of each class. */
  readonly #growing = new Map<string, Burst>();
  readonly #byJob = new Map<string, Burst>();
  /** Bursts with jobs that wait, and where the round of looks at them is. */
  readonly #live = new Set<Burst>();
  #turn: Iterator<Burst> | undefined;
  /** Jobs of which something else is expected than the queue was told. */
  readonly #moved = new Set<string>();

  constructor(predictor: RunTimePredictor) {
    this.#predictor = predictor;
  }

  /**
   * A job waits.
   * @param submittedAt, now epoch milliseconds
   * @returns how long it is expected to run; undefined when nobody knows
   */
  add(id: string, traits: JobTraits, submittedAt: number, now: number): ExpectedRunTime | undefined {
    this.take(id);
    const key = JSON.stringify([traits.user, traits.name, traits.size, traits.runSeconds]);
    let burst = this.#growing.get(key);
    if (burst === undefined || submittedAt - burst.lastSubmittedAt > 1000 * BURST_GAP_SECONDS) {
      const tracked = this.#predictor.submitted(featuresOf(traits, submittedAt));
      const runTime = expectedRunTime(this.#predictor, tracked, traits);
      const known = this.#predictor.evidence(tracked);
      burst = {
        traits,
        tracked,
        waiting: new Set(),
        lastSubmittedAt: submittedAt,
        runTime,
        probe: undefined,
        at: now,
        known,
      };
      if (this.#growing.size >= mostGrowing) this.#growing.clear();
      this.#growing.set(key, burst);
    }
    burst.lastSubmittedAt = Math.max(burst.lastSubmittedAt, submittedAt);
    burst.waiting.add(id);
    this.#live.add(burst);
    this.#byJob.set(id, burst);
    return burst.runTime;
  }

  /** What is known of a waiting job: one object for all jobs of its burst, of which a million may wait. */
  traitsOf(id: string): JobTraits | undefined {
    return this.#byJob.get(id)?.traits;
  }

  /** A job waits no more. @returns one like it, for the predictor to follow; undefined when it did not wait */
  take(id: string): TrackedJob | undefined {
    const burst = this.#byJob.get(id);
    if (burst === undefined) return undefined;
    this.#byJob.delete(id);
    this.#moved.delete(id);
    burst.waiting.delete(id);
    if (burst.probe?.id === id) {
      burst.probe = undefined;
      // Another one is looked for in the next round.
      burst.known = Number.NaN;
    }
    if (burst.waiting.size === 0) this.#live.delete(burst);
    return this.#predictor.alike(burst.tracked);
  }

  /** Jobs of which something else is expected than was said of them last; those that are too many for a round come with the next. */
  takeMoved(now: number): (readonly [id: string, runTime: ExpectedRunTime | undefined])[] {
    let predictions = 0;
    for (let looks = Math.min(mostLooks, this.#live.size); looks > 0 && predictions < mostPredictions; looks -= 1) {
      const burst = this.#nextLive();
      if (burst !== undefined && this.#look(burst, now)) predictions += 1;
    }
    const moved: (readonly [string, ExpectedRunTime | undefined])[] = [];
    for (const id of this.#moved) {
      if (moved.length >= mostMoves) break;
      this.#moved.delete(id);
      moved.push([id, this.#runTimeOf(id)]);
    }
    return moved;
  }

  #nextLive(): Burst | undefined {
    let next = this.#turn?.next();
    if (next === undefined || next.done) {
      this.#turn = this.#live.values();
      next = this.#turn.next();
    }
    return next.value;
  }

  #runTimeOf(id: string): ExpectedRunTime | undefined {
    const { runTime, probe } = this.#byJob.get(id)!;
    return probe?.id === id && runTime !== undefined ? { ...runTime, turnSeconds: probe.seconds } : runTime;
  }

  /** Whether its expectation was made anew. */
  #look(burst: Burst, now: number): boolean {
    const { tracked, traits, waiting } = burst;
    const isUnknown = this.#predictor.isUnknown(tracked);
    // What the probe is worth grows with those that wait behind it.
    const known = this.#predictor.evidence(tracked) + (isUnknown ? Math.floor(Math.log2(waiting.size)) / 64 : 0);
    if (burst.known === known && now - burst.at < freshMs) return false;
    burst.known = known;
    burst.at = now;
    const runTime = expectedRunTime(this.#predictor, tracked, traits);
    if (!isAlike(runTime, burst.runTime)) {
      burst.runTime = runTime;
      for (const id of waiting) this.#moved.add(id);
    }
    this.#setProbe(burst, isUnknown && waiting.size > 1 && runTime !== undefined);
    return true;
  }

  #setProbe(burst: Burst, isWanted: boolean): void {
    const { probe, waiting, tracked } = burst;
    if (!isWanted) {
      if (probe === undefined) return;
      burst.probe = undefined;
      this.#moved.add(probe.id);
      return;
    }
    const [first] = waiting;
    const id = probe?.id ?? first!;
    const seconds = Math.max(1, wagerSeconds(this.#predictor.distribution(tracked), waiting.size));
    if (probe !== undefined && runClassOf(probe.seconds) === runClassOf(seconds)) return;
    burst.probe = { id, seconds };
    this.#moved.add(id);
  }
}

function isAlike(a: ExpectedRunTime | undefined, b: ExpectedRunTime | undefined): boolean {
  return (
    runClassOf(a?.carefulSeconds) === runClassOf(b?.carefulSeconds) &&
    runClassOf(a?.meanSeconds) === runClassOf(b?.meanSeconds)
  );
}
