/**
 * What runs, looked up in the fleet's rows and summed up by account, kept from round to round.
 *
 * A large fleet runs a hundred thousand jobs and more, of which a round changes a thousand. So a round charges accounts by sums, which follow
 * the changes (whole numbers: they are exact in any order), and single jobs are given out only to rounds that look for room.
 */
import type { Fleet } from './fleet.ts';
import { isOneOf, type Meant } from './neighbours/neighbours.ts';
import { type KeptApart, keyOf } from './neighbours/rules.ts';
import { countRanks, type HeldRank, type Holder, heldRanks, heldUse, type RunningJob } from './running.ts';
import type { AccountTree } from './shares/account.ts';
import type { Ledger } from './shares/ledger.ts';
import { noAmounts } from './shares/resources.ts';
import type { Use } from './shares/use.ts';

interface Held {
  readonly job: RunningJob;
  readonly leaf: string;
  readonly ranks: readonly HeldRank[];
  /** Worked out for rounds that look at single jobs. */
  use: Use | undefined;
}

interface Keepers {
  readonly rule: KeptApart;
  readonly held: Set<Held>;
}

interface Sum {
  readonly amounts: Float64Array;
  readonly models: Map<string, number>;
  jobs: number;
}

export class RunningBook {
  readonly tree: AccountTree;
  readonly #fleet: Pick<Fleet, 'snapshot' | 'rowOf'>;
  readonly #held = new Map<string, Held>();
  readonly #sums = new Map<string, Sum>();
  /** Those that others may look for, by tenant and label or array. */
  readonly #tagged = new Map<string, Set<Held>>();
  /** Those that keep others from where they stand, by tenant and rule. */
  readonly #keepers = new Map<string, Map<string, Keepers>>();
  /** By id; undefined after a change. */
  #sorted: readonly Held[] | undefined;

  constructor(fleet: Pick<Fleet, 'snapshot' | 'rowOf'>, tree: AccountTree) {
    this.#fleet = fleet;
    this.tree = tree;
    for (const job of fleet.snapshot.running ?? []) this.set(job.id, job);
  }

  get size(): number {
    return this.#held.size;
  }

  /** A job runs so, or (null) not any more. */
  set(id: string, job: RunningJob | null): void {
    const before = this.#held.get(id);
    if (before !== undefined) {
      this.#count(before, -1);
      this.#tag(before, false);
      this.#keep(before, false);
    }
    this.#sorted = undefined;
    if (job === null) {
      this.#held.delete(id);
      return;
    }
    const ranks = heldRanks(this.#fleet, job);
    const held = { job, leaf: this.tree.leafOf(job), ranks, use: undefined };
    this.#held.set(id, held);
    this.#count(held, 1);
    this.#tag(held, true);
    this.#keep(held, true);
  }

  #count({ leaf, ranks }: Held, times: 1 | -1): void {
    const sum = this.#sums.get(leaf) ?? { amounts: noAmounts(), models: new Map<string, number>(), jobs: 0 };
    countRanks(this.#fleet.snapshot, ranks, times, sum);
    if (times < 0) for (const [model, milli] of sum.models) if (milli === 0) sum.models.delete(model);
    sum.jobs += times;
    if (sum.jobs === 0) this.#sums.delete(leaf);
    else this.#sums.set(leaf, sum);
  }

  /** Charges everything to its accounts. */
  charge(ledger: Ledger): void {
    for (const [leaf, sum] of this.#sums) ledger.charge(ledger.account(leaf), sum, 1, sum.jobs);
  }

  /** Jobs of a tenant that have these labels, or are tasks of that array. */
  meant(tenant: string, meant: Meant): Iterable<Held> {
    if ('keeping' in meant) return this.#keepers.get(tenant)?.get(keyOf(meant.keeping))?.held ?? [];
    if ('array' in meant) return this.#tagged.get(`${tenant} ${meant.array}`) ?? [];
    const [[name, values] = ['', []]] = Object.entries(meant.labels);
    const some = values.flatMap((value) => [...(this.#tagged.get(JSON.stringify([tenant, name, value])) ?? [])]);
    return some.filter(({ job }) => isOneOf(meant, job));
  }

  #tag(held: Held, isThere: boolean): void {
    for (const tag of tagsOf(held.job)) {
      const some = this.#tagged.get(tag) ?? new Set();
      if (isThere) some.add(held);
      else some.delete(held);
      if (some.size === 0) this.#tagged.delete(tag);
      else this.#tagged.set(tag, some);
    }
  }

  /** Rules by which jobs of a tenant keep others from where they stand, by `keyOf`, and who has them. */
  keepers(tenant: string): ReadonlyMap<string, Readonly<Keepers>> | undefined {
    return this.#keepers.get(tenant);
  }

  #keep(held: Held, isThere: boolean): void {
    const { tenant, apart } = held.job;
    for (const rule of apart ?? []) {
      const key = keyOf(rule);
      const rules = this.#keepers.get(tenant) ?? new Map<string, Keepers>();
      const known = rules.get(key) ?? { rule, held: new Set<Held>() };
      if (isThere) known.held.add(held);
      else known.held.delete(held);
      if (known.held.size > 0) rules.set(key, known);
      else rules.delete(key);
      if (rules.size > 0) this.#keepers.set(tenant, rules);
      else this.#keepers.delete(tenant);
    }
  }

  /** Each job with its account in that ledger, by id. */
  holders(ledger: Ledger): readonly Holder[] {
    this.#sorted ??= [...this.#held.values()].sort((a, b) => (a.job.id < b.job.id ? -1 : 1));
    return this.#sorted.map((held) => {
      const { job, leaf, ranks } = held;
      held.use ??= heldUse(this.#fleet.snapshot, ranks);
      return { job, ranks, use: held.use, account: ledger.account(leaf) };
    });
  }
}

function tagsOf({ tenant, labels, array }: RunningJob): string[] {
  if (labels === undefined && array === undefined) return [];
  const tags = Object.entries(labels ?? {}).map(([name, value]) => JSON.stringify([tenant, name, value]));
  return array === undefined ? tags : [...tags, `${tenant} ${array}`];
}
