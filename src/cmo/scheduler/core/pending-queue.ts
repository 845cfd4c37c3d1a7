/**
 * Queued jobs, grouped by account, shape and expected length, and kept in order: priority (higher first), then turn (`turnOf`, then id).
 *
 * Jobs of a group are refused alike: by their account's quota, by the nodes, by what is kept for others until some time. So when one does
 * not fit, the rest of its group is passed over in one step. And equal jobs of a group are one record (`job-record.ts`). So a round costs by groups,
 * records and placements, and not by jobs.
 */
import { runClassOf } from './backfill/run-class.ts';
import { Group } from './job-group.ts';
import { type JobFacts, JobRecord, type Said } from './job-record.ts';
import { patienceOf } from './patience.ts';
import { AccountTree } from './shares/account.ts';
import type { PendingJob, QueueOrder } from './snapshot.ts';

/** What is taken for said in the row of a job when nobody tells. */
const untold: Said = { reason: 'new', message: '', at: 0 };

export class PendingQueue {
  /** By id, where a job is. */
  readonly #records = new Map<string, JobRecord>();
  readonly #groups = new Map<string, Group>();
  /** Jobs that may not start yet; the newest record still grows. */
  readonly #waiting = new Set<JobRecord>();
  #newest: JobRecord | undefined;

  #tree: AccountTree;
  /** Tenants whose projects do not wait for the same nodes (`calendar/booking.ts`). */
  #order: QueueOrder;
  #apart: ReadonlySet<string>;

  constructor(
    jobs: Iterable<PendingJob> = [],
    tree: AccountTree = new AccountTree([]),
    apart: ReadonlySet<string> = new Set(),
    order: QueueOrder = 'arrival',
  ) {
    this.#tree = tree;
    this.#apart = apart;
    this.#order = order;
    for (const job of jobs) this.set(job);
  }

  /** Groups all jobs anew by another tree of accounts, and those of tenants whose projects are `apart` by project. */
  regroup(tree: AccountTree, apart: ReadonlySet<string> = this.#apart): void {
    const isSame = tree.divisions === this.#tree.divisions && textOf(apart) === textOf(this.#apart);
    this.#tree = tree;
    this.#apart = apart;
    if (isSame) return;
    for (const [id, record] of [...this.#records]) this.set(record.job(id));
  }

  /** Orders all jobs anew by another rule. */
  orderBy(order: QueueOrder): void {
    if (order === this.#order) return;
    this.#order = order;
    for (const [id, record] of [...this.#records]) this.set(record.job(id));
  }

  get size(): number {
    return this.#records.size;
  }

  get(id: string): PendingJob | undefined {
    return this.#records.get(id)?.job(id);
  }

  /** The record that a job is in. Valid until the next change. */
  recordOf(id: string): JobRecord | undefined {
    return this.#records.get(id);
  }

  ids(): IterableIterator<string> {
    return this.#records.keys();
  }

  /** Adds a job, or replaces the one with its id. @param said why its row says that it waits; left out: as before */
  set(job: PendingJob, said = this.#records.get(job.id)?.saidOf(job.id) ?? untold): void {
    this.setAll([job.id], job, said);
  }

  /**
   * Adds jobs that are equal in all but their ids, or replaces those with these ids. Priorities and times that are no numbers count as the
   * lowest and the latest.
   */
  setAll(ids: readonly string[], given: JobFacts, said: Said): void {
    if (ids.length === 0) return;
    for (const id of ids) this.delete(id);
    const facts = withPatience(withFiniteOrder(given), this.#order);
    const group = facts.notBefore > 0 ? undefined : this.#groupOf(facts);
    for (const id of ids) this.#records.set(id, group?.add(facts, id, said) ?? this.#defer(facts, id, said));
  }

  delete(id: string): void {
    const record = this.#records.get(id);
    if (record === undefined) return;
    this.#records.delete(id);
    const { group } = record;
    if (group !== undefined) {
      group.remove(record, id);
      if (group.size === 0) this.#groups.delete(group.key);
      return;
    }
    record.remove(id);
    if (record.size > 0) return;
    this.#waiting.delete(record);
    if (this.#newest === record) this.#newest = undefined;
  }

  #defer(facts: JobFacts, id: string, said: Said): JobRecord {
    if (this.#newest?.takes(facts, said)) {
      this.#newest.add(id);
      return this.#newest;
    }
    this.#newest = new JobRecord(facts, said, [id]);
    this.#waiting.add(this.#newest);
    return this.#newest;
  }

  #groupOf(facts: JobFacts): Group {
    const account = this.#tree.leafOf(facts);
    const mostSeconds = runClassOf(facts.runTime?.carefulSeconds);
    // What runs beside them is another matter for each tenant and array.
    const whose = facts.shape.neighbours === undefined ? '' : ` ${facts.tenant} ${facts.array ?? ''}`;
    const part = this.#apart.has(facts.tenant) ? ` ${facts.project}` : '';
    const key = `${mostSeconds} ${account} ${facts.shape.key}${whose}${part}`;
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const group = new Group(key, account, facts.shape, mostSeconds, (tail) => {
      for (let at = tail.begin; at < tail.end; at += 1) this.#records.set(tail.idAt(at), tail);
    });
    this.#groups.set(key, group);
    return group;
  }

  /** Moves jobs whose time has come into their groups and returns those that still wait. `now`: epoch milliseconds. */
  release(now: number): readonly JobRecord[] {
    for (const record of this.#waiting) {
      if (!(record.facts.notBefore <= now)) continue;
      this.#waiting.delete(record);
      if (this.#newest === record) this.#newest = undefined;
      this.#groupOf(record.facts).put(record);
    }
    return [...this.#waiting];
  }

  groups(): IterableIterator<Group> {
    return this.#groups.values();
  }
}

function withPatience(job: JobFacts, order: QueueOrder): JobFacts {
  if (order === 'least-work') return { ...job, patienceSeconds: patienceOf(job) };
  return job.patienceSeconds === undefined ? job : { ...job, patienceSeconds: 0 };
}

const textOf = (names: ReadonlySet<string>) => [...names].sort().join(' ');

function withFiniteOrder(job: JobFacts): JobFacts {
  if (Number.isFinite(job.priority) && Number.isFinite(job.submittedAt) && Number.isFinite(job.notBefore)) return job;
  return {
    ...job,
    priority: Number.isFinite(job.priority) ? job.priority : Number.MIN_SAFE_INTEGER,
    submittedAt: Number.isFinite(job.submittedAt) ? job.submittedAt : Number.MAX_SAFE_INTEGER,
    notBefore: Number.isNaN(job.notBefore) ? 0 : job.notBefore,
  };
}
