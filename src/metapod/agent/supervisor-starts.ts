/**
 * How often a rank's supervisor was started, and when it may be again.
 *
 * A start is proved by the supervisor's claim and by nothing else. One that left without it is replaced after a moment; one of which
 * nothing is heard at all, after a while. Several in a row that do not even claim will not do so ever.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type JobSecrets,
  type SpareSupervisor,
  type StartedSupervisor,
  type StartOptions,
  startSupervisor,
  wordsFile,
} from './supervisor/index.ts';

/** A supervisor that has not claimed its folder by then never will. */
const claimMs = 15_000;
/** Pause after one that left. */
const againMs = 1_000;
const most = 3;

export interface SupervisorStartsDependencies extends StartOptions {
  readonly spare: SpareSupervisor;
}

export class SupervisorStarts {
  readonly #dir: string;
  readonly #deps: SupervisorStartsDependencies;
  #count = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(dir: string, deps: SupervisorStartsDependencies) {
    this.#dir = dir;
    this.#deps = deps;
  }

  /** How many were started by this agent. */
  get count(): number {
    return this.#count;
  }

  /** The last one may still claim the folder. */
  get isPending(): boolean {
    return performance.now() < this.#notBeforeMs;
  }

  /** No further one would do better. */
  get isExhausted(): boolean {
    return this.#count >= most;
  }

  /** What those that did not claim the folder had to say. */
  words(): string {
    try {
      return readFileSync(join(this.#dir, wordsFile), 'utf8').slice(-1000).trim() || 'it says nothing';
    } catch {
      return `it left ${readdirSync(this.#dir).join(', ')}`;
    }
  }

  /** @throws Error when the process cannot be created */
  async start(secrets: JobSecrets): Promise<void> {
    const started = await this.#begin(secrets);
    this.#count += 1;
    const notBeforeMs = performance.now() + claimMs;
    this.#notBeforeMs = notBeforeMs;
    void started.left.then(() => {
      if (this.#notBeforeMs === notBeforeMs) this.#notBeforeMs = performance.now() + againMs;
    });
  }

  async #begin(secrets: JobSecrets): Promise<StartedSupervisor> {
    const spare = this.#count === 0 ? this.#deps.spare.give(this.#dir, secrets) : undefined;
    return spare ?? startSupervisor(this.#dir, { ...this.#deps, secrets });
  }
}
