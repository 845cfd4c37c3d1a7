/**
 * Where jobs stand that others look for, in a round: what runs, and what the round has placed.
 *
 * Counts are made when a rule asks first, from the jobs of that tenant that have one of its labels, and then follow the placements. Nothing
 * here crosses tenants: a rule can neither mean nor count another tenant's job.
 */
import type { DomainLevel } from '../../../../common/contract/placement.ts';
import { domainOf } from '../domains.ts';
import type { Fleet } from '../fleet.ts';
import type { HeldRank } from '../running.ts';
import type { RunningBook } from '../running-book.ts';
import type { PendingJob, Snapshot } from '../snapshot.ts';
import { isMeant, type KeptApart, keptApart, keyOf, type WantedLabels } from './rules.ts';

/** Which jobs are counted: by labels, the tasks of an array, or those that keep some from where they stand. */
export type Meant = { readonly labels: WantedLabels } | { readonly array: string } | { readonly keeping: KeptApart };

/** By number of the part: how many ranks of the jobs that are meant stand there; parts without are left out. */
export type Counts = ReadonlyMap<number, number>;

interface Known {
  readonly labels?: PendingJob['labels'] | undefined;
  readonly array?: string | undefined;
  readonly apart?: readonly KeptApart[] | undefined;
}

interface Counted {
  readonly meant: Meant;
  readonly level: DomainLevel;
  readonly counts: Map<number, number>;
}

/** Whether a job of the same tenant is one of those. */
export function isOneOf(meant: Meant, { labels, array, apart }: Known): boolean {
  if ('keeping' in meant) return apart?.some((rule) => keyOf(rule) === keyOf(meant.keeping)) === true;
  return 'array' in meant ? array === meant.array : isMeant(meant.labels, labels);
}

export class Neighbours {
  readonly #fleet: Fleet;
  readonly #book: RunningBook;
  readonly #placed = new Map<string, { readonly job: Known; readonly rows: readonly number[] }[]>();
  readonly #counted = new Map<string, Map<string, Counted>>();
  /** Rules by which queued jobs will keep others from where they stand once they are placed, by tenant. */
  readonly #coming = new Map<string, Map<string, KeptApart>>();
  readonly #keeping = new Map<string, readonly KeptApart[]>();

  constructor(fleet: Fleet, book: RunningBook) {
    this.#fleet = fleet;
    this.#book = book;
  }

  /** How many ranks of these jobs of the tenant stand in each part. Follows what is placed afterwards. */
  counts(tenant: string, meant: Meant, level: DomainLevel): Counts {
    const known = this.#counted.get(tenant) ?? new Map<string, Counted>();
    this.#counted.set(tenant, known);
    const key = JSON.stringify([level, meant]);
    const found = known.get(key);
    if (found !== undefined) return found.counts;
    const counted: Counted = { meant, level, counts: new Map() };
    for (const { ranks } of this.running(tenant, meant)) {
      for (const { row } of ranks) add(counted, this.#fleet.snapshot, row);
    }
    for (const { job, rows } of this.#placed.get(tenant) ?? []) {
      if (isOneOf(meant, job)) for (const row of rows) add(counted, this.#fleet.snapshot, row);
    }
    known.set(key, counted);
    return counted.counts;
  }

  /** What runs of these jobs. */
  running(
    tenant: string,
    meant: Meant,
  ): Iterable<{ readonly job: { readonly id: string }; readonly ranks: readonly HeldRank[] }> {
    return this.#book.meant(tenant, meant);
  }

  /** A queued job of the tenant may come to keep others from where it stands. */
  expect(tenant: string, rules: readonly KeptApart[]): void {
    const known = this.#coming.get(tenant) ?? new Map<string, KeptApart>();
    for (const rule of rules) known.set(keyOf(rule), rule);
    this.#coming.set(tenant, known);
  }

  /** Rules of jobs of the tenant, that run or are expected, which may keep a job from where these stand. Ask when all are expected. */
  keeping(tenant: string): readonly KeptApart[] {
    const known = this.#keeping.get(tenant);
    if (known !== undefined) return known;
    const all = new Map(this.#coming.get(tenant));
    for (const [key, { rule }] of this.#book.keepers(tenant) ?? []) all.set(key, rule);
    const rules = [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, rule]) => rule);
    this.#keeping.set(tenant, rules);
    return rules;
  }

  /** A job was placed. */
  placed({ tenant, labels, array, shape }: PendingJob, rows: readonly number[]): void {
    const apart = keptApart(shape);
    if (labels === undefined && array === undefined && apart === undefined) return;
    const job = { labels, array, apart };
    const list = this.#placed.get(tenant);
    if (list === undefined) this.#placed.set(tenant, [{ job, rows }]);
    else list.push({ job, rows });
    for (const counted of this.#counted.get(tenant)?.values() ?? []) {
      if (isOneOf(counted.meant, job)) for (const row of rows) add(counted, this.#fleet.snapshot, row);
    }
  }
}

function add({ level, counts }: Counted, snapshot: Snapshot, row: number): void {
  const part = row < 0 ? -1 : domainOf(snapshot, level, row);
  if (part >= 0) counts.set(part, (counts.get(part) ?? 0) + 1);
}
