/** Queued jobs of one account, shape and expected length, as records in order. */
import { compareRecords, endsBefore, type JobFacts, JobRecord, type Said } from './job-record.ts';
import { MinHeap } from './min-heap.ts';
import { faultOfShape } from './shape.ts';
import type { Shape } from './snapshot.ts';
import { Stretch } from './stretch.ts';

export class Group {
  readonly key: string;
  readonly account: string;
  readonly shape: Shape;
  /** Seconds that each of its jobs is believed to run at most; Infinity when nobody knows. */
  readonly mostSeconds: number;
  /** Why no job of this shape can ever be placed; undefined for a shape that makes sense. */
  readonly fault: string | undefined;
  /** How many jobs. */
  size = 0;
  readonly #onCut: (tail: JobRecord) => void;
  /** In order, none between the jobs of another; while something has changed since, some may be empty. */
  #records: JobRecord[] = [];
  #emptied = 0;
  /** Those that came since; the last one still grows. */
  #added: JobRecord[] = [];

  /** @param onCut told of a part of a record that stands alone from now on */
  constructor(key: string, account: string, shape: Shape, mostSeconds: number, onCut: (tail: JobRecord) => void) {
    this.key = key;
    this.account = account;
    this.shape = shape;
    this.mostSeconds = mostSeconds;
    this.fault = faultOfShape(shape);
    this.#onCut = onCut;
  }

  /** Takes a job in. @returns the record that it is in */
  add(facts: JobFacts, id: string, said: Said): JobRecord {
    const growing = this.#added.at(-1);
    if (growing?.takes(facts, said)) {
      growing.add(id);
      this.size += 1;
      return growing;
    }
    // Equal keys, equal shapes: a million jobs need not keep a copy each.
    const own = facts.shape === this.shape ? facts : { ...facts, shape: this.shape };
    const record = new JobRecord(own, said, [id]);
    this.put(record);
    return record;
  }

  /** Takes a record in. */
  put(record: JobRecord): void {
    record.group = this;
    this.#added.push(record);
    this.size += record.size;
  }

  /** Takes a job out of one of its records. */
  remove(record: JobRecord, id: string): void {
    record.remove(id);
    this.size -= 1;
    if (record.size === 0) this.#emptied += 1;
  }

  /** All its jobs in order. Valid until the next change. */
  all(): Stretch {
    return new Stretch(this.records());
  }

  /**
   * Its records in order, none empty. Valid until the next change. Changes are gathered and merged here, since sorting a long group at every
   * submit would be quadratic.
   */
  records(): readonly JobRecord[] {
    if (this.#emptied === 0 && this.#added.length === 0) return this.#records;
    const added = this.#added.filter(({ size }) => size > 0).sort(compareRecords);
    const last = this.#records.findLast(({ size }) => size > 0);
    const isAppended = last === undefined || added.length === 0 || endsBefore(last, added[0]!);
    if (isAppended && this.#shift()) this.#records = this.#records.concat(this.#apart(added));
    else
      this.#records = this.#apart(
        merge(
          this.#records.filter(({ size }) => size > 0),
          added,
        ),
      );
    this.#added = [];
    this.#emptied = 0;
    return this.#records;
  }

  /** Drops the first records if no others are empty, which is how they are when their jobs are placed: looking at all would cost as many looks. */
  #shift(): boolean {
    let gone = 0;
    while (gone < this.#records.length && this.#records[gone]!.size === 0) gone += 1;
    if (gone !== this.#emptied) return false;
    this.#records = this.#records.slice(gone);
    return true;
  }

  /** Cuts records where jobs of others go between theirs. */
  #apart(records: JobRecord[]): JobRecord[] {
    if (records.every((record, i) => i === 0 || endsBefore(records[i - 1]!, record))) return records;
    const left = new MinHeap<JobRecord>(compareRecords);
    for (const record of records) left.push(record);
    const result: JobRecord[] = [];
    for (let record = left.pop(); record !== undefined; record = left.pop()) {
      const next = left.peek();
      if (next !== undefined && !endsBefore(record, next)) {
        const tail = record.cutAfter(next.first);
        this.#onCut(tail);
        left.push(tail);
      }
      result.push(record);
    }
    return result;
  }
}

function merge(a: JobRecord[], b: JobRecord[]): JobRecord[] {
  if (b.length === 0) return a;
  const result: JobRecord[] = [];
  let i = 0;
  for (const record of b) {
    while (i < a.length && compareRecords(a[i]!, record) < 0) {
      result.push(a[i]!);
      i += 1;
    }
    result.push(record);
  }
  while (i < a.length) {
    result.push(a[i]!);
    i += 1;
  }
  return result;
}
