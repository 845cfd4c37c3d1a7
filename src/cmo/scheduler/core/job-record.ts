/**
 * Queued jobs that are equal in all but their ids, as one record: the tasks of an array above all, which come with one request.
 *
 * A job's place in the queue, its placement and what it is told follow from its facts alone, and of equal facts the lower id, which is the lower
 * index of an array, goes first. So a record is ordered, refused and told once for all its jobs, and a job costs its id and a look-up. One that
 * changes by itself (its own row was written, its time came, room is made for it) has other facts then: it leaves the record and stands in another.
 */
import type { PendingReason } from '../../../common/contract/states/job.ts';
import { turnOf } from './deadline.ts';
import type { Group } from './job-group.ts';
import type { PendingJob } from './snapshot.ts';

/** What of a job others may share. */
export type JobFacts = Omit<PendingJob, 'id'>;

/** Why a job waits, as its row says it. Never written to: many jobs share one. */
export interface Said {
  readonly reason: PendingReason;
  readonly message: string;
  /** When it was written, epoch milliseconds; 0 when it came with the row. */
  readonly at: number;
}

/** Negative when a job of facts `a` goes before one of facts `b`. */
function compareIn(a: JobFacts, aId: string, b: JobFacts, bId: string): number {
  return b.priority - a.priority || turnOf(a) - turnOf(b) || (aId < bId ? -1 : aId > bId ? 1 : 0);
}

/** Negative when `a` goes before `b`. */
export const compareJobs = (a: PendingJob, b: PendingJob): number => compareIn(a, a.id, b, b.id);

/** Negative when the first job of `a` goes before that of `b`; neither is empty. */
export const compareRecords = (a: JobRecord, b: JobRecord): number => compareIn(a.facts, a.first, b.facts, b.first);

/** Whether all jobs of `a` go before those of `b`, whose first one goes after the first one of `a`. */
export const endsBefore = (a: JobRecord, b: JobRecord): boolean => compareIn(a.facts, a.last, b.facts, b.first) < 0;

export class JobRecord {
  readonly facts: JobFacts;
  /** Where it is queued; undefined while its jobs may not start yet. */
  group: Group | undefined;
  /** Ascending from `#begin`; those before have left. */
  #ids: string[];
  #begin = 0;
  #said: Said;
  /** Jobs whose rows say something else. */
  #others: Map<string, Said> | undefined;

  /** @param ids ascending, never empty */
  constructor(facts: JobFacts, said: Said, ids: string[]) {
    this.facts = facts;
    this.#said = said;
    this.#ids = ids;
  }

  get size(): number {
    return this.#ids.length - this.#begin;
  }

  /** Positions of its jobs, in order: from `begin` to before `end`. They hold until a job comes or leaves. */
  get begin(): number {
    return this.#begin;
  }

  get end(): number {
    return this.#ids.length;
  }

  idAt(position: number): string {
    return this.#ids[position]!;
  }

  jobAt(position: number): PendingJob {
    return this.job(this.#ids[position]!);
  }

  /** One of its jobs. */
  job(id: string): PendingJob {
    return { ...this.facts, id };
  }

  /** Id of its first job. */
  get first(): string {
    return this.#ids[this.#begin]!;
  }

  get last(): string {
    return this.#ids.at(-1)!;
  }

  /** Whether a job with these facts is one of its kind. */
  takes(facts: JobFacts, said: Said): boolean {
    return this.#others === undefined && isSame(this.#said, said) && areAlike(this.facts, facts);
  }

  /** One more job like the others. */
  add(id: string): void {
    if (this.size === 0 || id > this.last) this.#ids.push(id);
    else this.#ids.splice(this.#positionOf(id), 0, id);
  }

  /** Takes out one of its jobs. */
  remove(id: string): void {
    this.#others?.delete(id);
    if (this.#others?.size === 0) this.#others = undefined;
    if (id !== this.first) {
      this.#ids.splice(this.#positionOf(id), 1);
      return;
    }
    // Jobs leave from the front, one by one, when they are placed.
    this.#ids[this.#begin] = '';
    this.#begin += 1;
    if (2 * this.#begin <= this.#ids.length) return;
    this.#ids = this.#ids.slice(this.#begin);
    this.#begin = 0;
  }

  /** Takes out the jobs that go after an id, and returns them as a record; there are some. */
  cutAfter(id: string): JobRecord {
    const ids = this.#ids.splice(this.#positionOf(id));
    const tail = new JobRecord(this.facts, this.#said, ids);
    tail.group = this.group;
    for (const one of ids) {
      const other = this.#others?.get(one);
      if (other === undefined) continue;
      this.#others!.delete(one);
      tail.#others ??= new Map();
      tail.#others.set(one, other);
    }
    return tail;
  }

  /** What the row of one of its jobs says. */
  saidOf(id: string): Said {
    return this.#others?.get(id) ?? this.#said;
  }

  /** Whether the rows of all its jobs give this reason. */
  allSay(reason: PendingReason): boolean {
    if (this.#said.reason !== reason) return false;
    for (const other of this.#others?.values() ?? []) if (other.reason !== reason) return false;
    return true;
  }

  /** Remembers what the rows of some of its jobs say now. */
  say(ids: readonly string[], said: Said): void {
    if (2 * ids.length <= this.size) {
      this.#others ??= new Map();
      for (const id of ids) this.#others.set(id, said);
      return;
    }
    // Most of them: now the rest are the exceptions.
    const told = new Set(ids);
    const others = new Map<string, Said>();
    for (let at = this.#begin; at < this.#ids.length; at += 1) {
      const id = this.#ids[at]!;
      if (!told.has(id)) others.set(id, this.saidOf(id));
    }
    this.#said = said;
    this.#others = others.size === 0 ? undefined : others;
  }

  /** Where an id stands, or would stand. */
  #positionOf(id: string): number {
    let low = this.#begin;
    let high = this.#ids.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ids[middle]! < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const isSame = (a: Said, b: Said) => a === b || (a.reason === b.reason && a.message === b.message && a.at === b.at);

/** Whether nothing tells two jobs apart but their ids. Shapes with equal keys are equal. */
function areAlike(a: JobFacts, b: JobFacts): boolean {
  return (
    a.submittedAt === b.submittedAt &&
    a.shape.key === b.shape.key &&
    a.revision === b.revision &&
    a.tenant === b.tenant &&
    a.project === b.project &&
    a.user === b.user &&
    a.priority === b.priority &&
    a.notBefore === b.notBefore &&
    a.notBeforeReason === b.notBeforeReason &&
    a.deadline === b.deadline &&
    a.patienceSeconds === b.patienceSeconds &&
    a.promised === b.promised &&
    a.keptSince === b.keptSince &&
    a.array === b.array &&
    hasSameEntries(a.runTime, b.runTime) &&
    hasSameEntries(a.labels, b.labels)
  );
}

function hasSameEntries(a: object | undefined, b: object | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  const [some, others] = [Object.entries(a), new Map(Object.entries(b))];
  return some.length === others.size && some.every(([name, value]) => others.get(name) === value);
}
