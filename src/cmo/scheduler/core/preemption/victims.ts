/**
 * Which running jobs to end so that a waiting one fits its quotas and the nodes: those by which least work is lost since their last
 * checkpoint, then the fewest.
 *
 * The exact choice is a covering problem. First, of the account that refuses the job, the cheapest are ended until it refuses no more. Then on
 * each node the cheapest are taken until a rank fits, and of the nodes of a site the cheapest, one a rank. Last, whatever turned out not to be
 * needed is spared, dearest first, over all of them: a gang that is ended frees several nodes at once, and what makes room on a node
 * is also given back to its account. Nothing is ended unless the job then starts.
 */
import type { Capacity } from '../capacity.ts';
import type { NodeRequest } from '../request.ts';
import type { Holder } from '../running.ts';
import type { Account } from '../shares/ledger.ts';
import type { Use } from '../shares/use.ts';
import { lostWork, Trial, type TrialOptions } from './trial.ts';

export interface Eviction {
  /** Node rows at one site, one a rank. */
  readonly rows: readonly number[];
  readonly victims: readonly Holder[];
  /** Device-seconds (core-seconds of jobs without devices) since the last checkpoints. */
  readonly lost: number;
}

/** One way to run the job: an alternative of its devices. */
export interface Way {
  readonly request: NodeRequest;
  /** What could hold it if it were idle. */
  readonly capacity: () => Capacity;
  /** What it takes at least. */
  readonly use: Use;
  /** Nodes for all ranks that have room now; left out: none have, and that is why it waits. */
  readonly room?: () => readonly number[] | undefined;
}

export interface Search extends Omit<TrialOptions, 'request' | 'use'> {
  readonly now: number;
  /** What may be ended at all, by the node rows that it stands on. */
  readonly onRow: ReadonlyMap<number, readonly Holder[]>;
  /** The same of an account and all below it, cheapest first. */
  readonly within: (account: Account) => readonly Holder[];
  /** Most that may be ended. */
  readonly most: number;
}

/** The cheapest way to make room for all ranks at one site; undefined when there is none. Leaves ledger and fleet as they were. */
export function findVictims(search: Search, way: Way): Eviction | undefined {
  const finder = new Finder(search, way);
  try {
    return finder.find();
  } finally {
    finder.close();
  }
}

const isCheaper = (a: Eviction, b: Eviction): boolean =>
  a.lost < b.lost || (a.lost === b.lost && a.victims.length < b.victims.length);

class Finder {
  readonly #search: Search;
  readonly #way: Way;
  readonly #trial: Trial;
  readonly #lost = new Map<Holder, number>();
  /** What was ended for quotas. */
  #forQuota: readonly Holder[] = [];

  constructor(search: Search, way: Way) {
    this.#search = search;
    this.#way = way;
    this.#trial = new Trial({ ...search, request: way.request, use: way.use });
  }

  close(): void {
    this.#trial.close();
  }

  find(): Eviction | undefined {
    if (!this.#endForQuota()) return undefined;
    this.#forQuota = [...this.#trial.ended];
    const rows = this.#way.room?.();
    if (rows !== undefined) return this.#together(rows, []);
    const capacity = this.#way.capacity();
    // As in `Claims.rowsFor`.
    if (capacity.pick !== undefined) return undefined;
    let best: Eviction | undefined;
    for (const [, some] of [...capacity.usable].sort((a, b) => a[0] - b[0])) {
      if (some.length < this.#way.request.ranks) continue;
      const found = this.#site(some);
      if (found !== undefined && (best === undefined || isCheaper(found, best))) best = found;
    }
    return best;
  }

  /** Ends the cheapest that help until no account refuses; what is ended may let more be ended, so it goes on while it gets anywhere. */
  #endForQuota(): boolean {
    const trial = this.#trial;
    for (let refusal = trial.refusal(); refusal !== undefined; ) {
      const { account } = refusal;
      const before = trial.ended.size;
      for (const holder of this.#search.within(account)) {
        if (refusal?.account !== account) break;
        if (refusal.counts?.(holder.use) !== true || !trial.end(holder)) continue;
        refusal = trial.refusal();
        if (trial.ended.size > this.#search.most) return false;
      }
      if (trial.ended.size === before) return false;
    }
    return true;
  }

  #site(rows: readonly number[]): Eviction | undefined {
    const { ranks } = this.#way.request;
    const options = rows.flatMap((row) => this.#row(row) ?? []);
    if (options.length < ranks) return undefined;
    options.sort((a, b) => a.lost - b.lost || a.victims.length - b.victims.length || a.rows[0]! - b.rows[0]!);
    const chosen = options.slice(0, ranks);
    const more = new Set(chosen.flatMap((option) => option.victims));
    return this.#together(
      chosen.map((option) => option.rows[0]!),
      [...more],
    );
  }

  /** Room for one rank on a node, beside what was ended for quotas: nothing more, or the cheapest that was found. */
  #row(row: number): Eviction | undefined {
    const { fleet, onRow } = this.#search;
    if (fleet.keptFor(row) !== undefined) return undefined;
    if (this.#trial.fits(row)) return { rows: [row], victims: [], lost: 0 };
    const candidates = (onRow.get(row) ?? []).filter((holder) => !this.#trial.ended.has(holder));
    if (candidates.length === 0) return undefined;
    candidates.sort((a, b) => this.#cost(a) - this.#cost(b) || byId(a, b));
    return this.#together([row], candidates, false);
  }

  /**
   * Ends candidates in order until all rows fit, and spares what is not needed.
   * @param isAll whether what was ended for quotas is part of it: it may be spared, and counts
   */
  #together(rows: readonly number[], candidates: readonly Holder[], isAll = true): Eviction | undefined {
    const trial = this.#trial;
    const fits = () => rows.every((row) => trial.fits(row));
    for (const holder of candidates) {
      if (fits()) break;
      trial.end(holder);
    }
    let found: Eviction | undefined;
    if (fits()) {
      const all = [...trial.ended].filter((holder) => isAll || !this.#forQuota.includes(holder));
      trial.spare(
        all.sort((a, b) => this.#cost(b) - this.#cost(a) || byId(a, b)),
        () => fits() && trial.refusal() === undefined,
      );
      const victims = [...trial.ended].filter((holder) => isAll || !this.#forQuota.includes(holder));
      const lost = victims.reduce((sum, holder) => sum + this.#cost(holder), 0);
      if (victims.length > 0 && trial.ended.size <= this.#search.most) found = { rows, victims, lost };
    }
    this.#backTo(this.#forQuota);
    return found;
  }

  #backTo(ended: readonly Holder[]): void {
    for (const holder of [...this.#trial.ended]) this.#trial.restore(holder);
    for (const holder of ended) this.#trial.end(holder);
  }

  #cost(holder: Holder): number {
    const known = this.#lost.get(holder) ?? lostWork(holder, this.#search.now);
    this.#lost.set(holder, known);
    return known;
  }
}

const byId = (a: Holder, b: Holder): number => (a.job.id < b.job.id ? -1 : 1);
