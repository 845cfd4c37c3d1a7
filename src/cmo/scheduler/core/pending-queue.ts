/**
 * Queued jobs, grouped by account, shape and expected length, and kept in order: priority (higher first), then arrival (`turnOf`, then id).
 *
 * Jobs of a group are refused alike: by their account's quota, by the nodes, by what is kept for others until some time. So when one does
 * not fit, the rest of its group is passed over in one step, and a round costs by groups and placements and not by jobs. Changes are gathered and merged when a round asks, since sorting a long group at every
 * submit would be quadratic.
 */
import { runClassOf } from './backfill/run-class.ts';
import { turnOf } from './deadline.ts';
import { patienceOf } from './patience.ts';
import { faultOfShape } from './shape.ts';
import { AccountTree } from './shares/account.ts';
import type { PendingJob, QueueOrder, Shape } from './snapshot.ts';

/** A job as the queue holds it; `gone` marks one that left and is swept at the next merge. */
interface Entry {
  readonly job: PendingJob;
  gone: boolean;
}

/** Negative when `a` goes before `b`. */
export function compareJobs(a: PendingJob, b: PendingJob): number {
  return b.priority - a.priority || turnOf(a) - turnOf(b) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

export class Group {
  readonly key: string;
  readonly account: string;
  readonly shape: Shape;
  /** Seconds that each of its jobs is believed to run at most; Infinity when nobody knows. */
  readonly mostSeconds: number;
  /** Why no job of this shape can ever be placed; undefined for a shape that makes sense. */
  readonly fault: string | undefined;
  #entries: Entry[] = [];
  #added: Entry[] = [];
  #removed = 0;
  /** The jobs of `#entries`; `#jobs` while nothing has changed since. */
  #list: PendingJob[] = [];
  #jobs: PendingJob[] | undefined;

  constructor(key: string, account: string, shape: Shape, mostSeconds: number) {
    this.key = key;
    this.account = account;
    this.shape = shape;
    this.mostSeconds = mostSeconds;
    this.fault = faultOfShape(shape);
  }

  get size(): number {
    return this.#entries.length + this.#added.length - this.#removed;
  }

  add(entry: Entry): void {
    this.#added.push(entry);
    this.#jobs = undefined;
  }

  remove(entry: Entry): void {
    entry.gone = true;
    this.#removed += 1;
    this.#jobs = undefined;
  }

  /** The jobs in order. Valid until the next change. */
  jobs(): readonly PendingJob[] {
    if (this.#jobs === undefined) {
      const added = this.#added.filter((entry) => !entry.gone).sort((a, b) => compareJobs(a.job, b.job));
      const last = this.#entries.at(-1);
      const isAppended = last === undefined || added.length === 0 || compareJobs(last.job, added[0]!.job) < 0;
      if (isAppended && this.#shift()) {
        this.#entries = this.#entries.concat(added);
        this.#list = this.#list.concat(added.map((entry) => entry.job));
      } else {
        this.#entries = merge(
          this.#entries.filter((entry) => !entry.gone),
          added,
        );
        this.#list = this.#entries.map((entry) => entry.job);
      }
      this.#added = [];
      this.#removed = 0;
      this.#jobs = this.#list;
    }
    return this.#jobs;
  }

  /** Drops the first entries if no others left, which is how jobs leave that are placed: looking at all would cost as many looks as jobs. */
  #shift(): boolean {
    let gone = 0;
    while (gone < this.#entries.length && this.#entries[gone]!.gone) gone += 1;
    if (gone !== this.#removed) return false;
    this.#entries = this.#entries.slice(gone);
    this.#list = this.#list.slice(gone);
    return true;
  }
}

function merge(a: Entry[], b: Entry[]): Entry[] {
  if (b.length === 0) return a;
  const result: Entry[] = [];
  let i = 0;
  for (const entry of b) {
    while (i < a.length && compareJobs(a[i]!.job, entry.job) < 0) {
      result.push(a[i]!);
      i += 1;
    }
    result.push(entry);
  }
  while (i < a.length) {
    result.push(a[i]!);
    i += 1;
  }
  return result;
}

export class PendingQueue {
  readonly #entries = new Map<string, { entry: Entry; group: Group | undefined }>();
  readonly #groups = new Map<string, Group>();
  /** Jobs that may not start yet. */
  readonly #waiting = new Map<string, PendingJob>();

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
    for (const { entry } of [...this.#entries.values()]) this.set(entry.job);
  }

  /** Orders all jobs anew by another rule. */
  orderBy(order: QueueOrder): void {
    if (order === this.#order) return;
    this.#order = order;
    for (const { entry } of [...this.#entries.values()]) this.set(entry.job);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): PendingJob | undefined {
    return this.#entries.get(id)?.entry.job;
  }

  ids(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /** Adds a job, or replaces the one with its id. Priorities and times that are no numbers count as the lowest and the latest. */
  set(job: PendingJob): void {
    this.delete(job.id);
    const clean = withPatience(withFiniteOrder(job), this.#order);
    const entry: Entry = { job: clean, gone: false };
    if (clean.notBefore > 0) {
      this.#waiting.set(clean.id, clean);
      this.#entries.set(clean.id, { entry, group: undefined });
    } else {
      this.#entries.set(clean.id, { entry, group: this.#join(entry) });
    }
  }

  delete(id: string): void {
    const held = this.#entries.get(id);
    if (held === undefined) return;
    this.#entries.delete(id);
    this.#waiting.delete(id);
    held.group?.remove(held.entry);
    if (held.group?.size === 0) this.#groups.delete(held.group.key);
  }

  #join(entry: Entry): Group {
    const { job } = entry;
    const account = this.#tree.leafOf(job);
    const mostSeconds = runClassOf(job.runTime?.carefulSeconds);
    // What runs beside them is another matter for each tenant and array.
    const whose = job.shape.neighbours === undefined ? '' : ` ${job.tenant} ${job.array ?? ''}`;
    const part = this.#apart.has(job.tenant) ? ` ${job.project}` : '';
    const key = `${mostSeconds} ${account} ${job.shape.key}${whose}${part}`;
    const group = this.#groups.get(key) ?? new Group(key, account, job.shape, mostSeconds);
    this.#groups.set(key, group);
    group.add(entry);
    return group;
  }

  /** Moves jobs whose time has come into their groups and returns those that still wait. `now`: epoch milliseconds. */
  release(now: number): readonly PendingJob[] {
    for (const [id, job] of this.#waiting) {
      if (!(job.notBefore <= now)) continue;
      this.#waiting.delete(id);
      const held = this.#entries.get(id)!;
      held.group = this.#join(held.entry);
    }
    return [...this.#waiting.values()];
  }

  groups(): IterableIterator<Group> {
    return this.#groups.values();
  }
}

function withPatience(job: PendingJob, order: QueueOrder): PendingJob {
  if (order === 'least-work') return { ...job, patienceSeconds: patienceOf(job) };
  return job.patienceSeconds === undefined ? job : { ...job, patienceSeconds: 0 };
}

const textOf = (names: ReadonlySet<string>) => [...names].sort().join(' ');

function withFiniteOrder(job: PendingJob): PendingJob {
  if (Number.isFinite(job.priority) && Number.isFinite(job.submittedAt) && Number.isFinite(job.notBefore)) return job;
  return {
    ...job,
    priority: Number.isFinite(job.priority) ? job.priority : Number.MIN_SAFE_INTEGER,
    submittedAt: Number.isFinite(job.submittedAt) ? job.submittedAt : Number.MAX_SAFE_INTEGER,
    notBefore: Number.isNaN(job.notBefore) ? 0 : job.notBefore,
  };
}
