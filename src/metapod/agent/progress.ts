/**
 * How far the agent came with one rank: the progress file and what it says, changed together.
 *
 * Every change is on disk before anybody acts on it, so that an agent killed in between repeats a step and never skips
 * one.
 */
import type { RankProgress } from './attempt-folder.ts';
import { readProgress, writeProgress } from './attempt-folder.ts';

export class Progress {
  readonly #dir: string;
  #value: RankProgress;

  /** @param dir the rank's folder */
  constructor(dir: string) {
    this.#dir = dir;
    this.#value = readProgress(dir);
  }

  get value(): RankProgress {
    return this.#value;
  }

  /** @throws Error when the disk is full; nothing changed */
  save(change: Partial<RankProgress>): void {
    const value = { ...this.#value, ...change };
    writeProgress(this.#dir, value);
    this.#value = value;
  }

  /** The journal, which is the truth, has more than the file says: an agent was killed between the two. */
  learn(reported: RankProgress['reported']): void {
    this.#value = { ...this.#value, reported };
  }
}
