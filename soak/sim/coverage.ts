/**
 * Which transitions of the tables in `src/common/contract/states` a run has made.
 *
 * Some arrows stand in the tables although no code path draws them; they are named here with the reason, and one that is
 * made after all is reported, so that the list cannot grow stale.
 */
import { attemptOutcomes, attemptTransitions } from '../../src/common/contract/states/attempt.ts';
import { jobTransitions } from '../../src/common/contract/states/job.ts';

/** Arrows that nothing draws. */
const unused: Readonly<Record<string, string>> = {
  'attempt placed → unknown': 'what was never sent ends at once when its node is lost (reconcile.ts)',
  'attempt unknown → placed': 'as above',
  'job queued → failed': 'only by timeouts.queue or a dependency, which are statements of PostgreSQL',
  'job stopping → failed': 'a job that was told to stop becomes what it was told to (end-attempt.ts)',
};

export class Coverage {
  readonly #made = new Map<string, number>();

  count(noun: 'job' | 'attempt' | 'outcome' | 'allocation' | 'presence' | 'scheduling', what: string): void {
    const key = `${noun} ${what}`;
    this.#made.set(key, (this.#made.get(key) ?? 0) + 1);
  }

  move(noun: 'job' | 'attempt' | 'allocation' | 'presence' | 'scheduling', from: string, to: string): void {
    this.count(noun, `${from} → ${to}`);
  }

  /** Arrows and outcomes that there are and that were not made, without those that nothing draws. */
  missing(): string[] {
    return everything.filter((key) => !this.#made.has(key) && !(key in unused));
  }

  /** Arrows that are said to be drawn by nothing, and were made. */
  surprising(): string[] {
    return Object.keys(unused).filter((key) => this.#made.has(key));
  }

  lines(): string[] {
    const made = everything.filter((key) => this.#made.has(key)).length;
    return [
      `transitions: ${made} of ${everything.length - Object.keys(unused).length} made`,
      ...everything.map(
        (key) => `  ${key.padEnd(34)} ${this.#made.get(key) ?? (key in unused ? `– ${unused[key]}` : 0)}`,
      ),
    ];
  }

  get made(): number {
    return everything.filter((key) => this.#made.has(key)).length;
  }
}

const arrows = (noun: string, table: Readonly<Record<string, readonly string[]>>): string[] =>
  Object.entries(table).flatMap(([from, all]) => all.map((to) => `${noun} ${from} → ${to}`));

/** Outcomes that the simulated machines can bring about. */
const everything: readonly string[] = [
  ...arrows('job', jobTransitions),
  ...arrows('attempt', attemptTransitions),
  ...attemptOutcomes.map((outcome) => `outcome ${outcome}`),
  'allocation none → held',
  'allocation held → released',
  'presence ready → lost',
  'presence lost → ready',
  'presence lost → removed',
  'presence removed → ready',
  'scheduling open → cordoned',
  'scheduling cordoned → draining',
  'scheduling draining → open',
];
