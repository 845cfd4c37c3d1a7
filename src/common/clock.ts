/**
 * Time comes in as a value. Wall time is for people and records; durations and leases are measured monotonically,
 * so that a clock that is set back shortens or lengthens nothing.
 */
export interface Clock {
  /** Wall time, UTC. */
  now(): Date;
  /** Monotonic milliseconds since some fixed point of this process. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
};

/** A clock for tests and simulation that moves only when told to. */
export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;

  constructor(start: Date = new Date('2026-01-01T00:00:00Z')) {
    this.#wallMs = start.getTime();
  }

  now(): Date {
    return new Date(this.#wallMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Lets time pass: both clocks advance. `ms` ≥ 0. */
  advance(ms: number): void {
    if (ms < 0) throw new RangeError('time passes forwards; use setWall for a clock that jumps');
    this.#wallMs += ms;
    this.#monotonicMs += ms;
  }

  /** Sets the wall clock, forwards or back, as an operator or NTP would. Monotonic time is not touched. */
  setWall(instant: Date): void {
    this.#wallMs = instant.getTime();
  }
}
