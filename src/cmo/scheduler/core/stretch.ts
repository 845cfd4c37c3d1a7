/** Jobs that follow each other in a row of records. Valid until one of the records changes. */
import type { JobRecord } from './job-record.ts';
import type { PendingJob } from './snapshot.ts';

export class Stretch implements Iterable<PendingJob> {
  readonly #records: readonly JobRecord[];
  readonly #skipped: number;
  readonly #from: number | undefined;
  readonly #isOne: boolean;

  /**
   * @param skipped how many of the records come before it
   * @param from position in the first of the others at which it begins; left out: with its first job
   * @param isOne whether it ends with that job
   */
  constructor(records: readonly JobRecord[], skipped = 0, from?: number, isOne = false) {
    this.#records = records;
    this.#skipped = skipped;
    this.#from = from;
    this.#isOne = isOne;
  }

  /** Looks at each record: its jobs from one position to before another. */
  each(look: (record: JobRecord, from: number, to: number) => void): void {
    for (let i = this.#skipped; i < this.#end; i += 1) look(this.#records[i]!, this.#fromOf(i), this.#toOf(i));
  }

  *[Symbol.iterator](): Generator<PendingJob> {
    for (let i = this.#skipped; i < this.#end; i += 1) {
      for (let at = this.#fromOf(i); at < this.#toOf(i); at += 1) yield this.#records[i]!.jobAt(at);
    }
  }

  get #end(): number {
    return this.#isOne ? this.#skipped + 1 : this.#records.length;
  }

  #fromOf(record: number): number {
    return record === this.#skipped && this.#from !== undefined ? this.#from : this.#records[record]!.begin;
  }

  #toOf(record: number): number {
    return this.#isOne ? this.#fromOf(record) + 1 : this.#records[record]!.end;
  }
}
