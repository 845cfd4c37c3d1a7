/**
 * Which running jobs to end so that a waiting one fits: those by which least work is lost since their last checkpoint, then the fewest.
 *
 * The exact choice is a covering problem. On each node the cheapest candidates are taken until a rank fits, then whatever turned out not to be
 * needed is spared, dearest first; of the nodes of a site the cheapest are taken, one a rank, and the sparing is repeated over all of them,
 * since a gang that is ended frees several nodes at once. Nothing is ended unless the job then fits.
 */
import { type Future, fitsFree } from '../backfill/future.ts';
import type { Capacity } from '../capacity.ts';
import type { Fleet } from '../fleet.ts';
import type { NodeRequest } from '../request.ts';
import type { Holder } from '../running.ts';
import type { Ledger } from '../shares/ledger.ts';
import { indexOfKind } from '../shares/resources.ts';
import type { Claims } from './claims.ts';

export interface Eviction {
  /** Node rows at one site, one a rank. */
  readonly rows: readonly number[];
  readonly victims: readonly Holder[];
  /** Device-seconds (core-seconds of jobs without devices) since the last checkpoints. */
  readonly lost: number;
}

export interface Search {
  readonly fleet: Fleet;
  readonly ledger: Ledger;
  readonly now: number;
  /** Running jobs by the node rows that they stand on. */
  readonly onRow: ReadonlyMap<number, readonly Holder[]>;
  /** What comes back anyway, since it is being ended. */
  readonly claims: Claims;
  /** Whether one more may be ended, by what accounts hold at that moment. */
  readonly may: (holder: Holder) => boolean;
  /** Most that may be ended. */
  readonly most: number;
}

/** Work that ending a job now would waste, device-seconds or core-seconds ≥ 0. */
export function lostWork({ job, use }: Holder, now: number): number {
  const since = Math.max(job.startedAt, job.checkpointAt ?? Number.NEGATIVE_INFINITY);
  const devices = use.amounts.subarray(indexOfKind('gpu')).reduce((sum, milli) => sum + milli, 0);
  const seconds = (now - since) / 1000;
  return Math.max(seconds, 0) * ((devices > 0 ? devices : use.amounts[0]!) / 1000);
}

/** The cheapest way to make room for all ranks at one site; undefined when there is none. Leaves ledger and fleet as they were. */
export function findVictims(search: Search, request: NodeRequest, { usable, pick }: Capacity): Eviction | undefined {
  // As in `Claims.rowsFor`.
  if (pick !== undefined) return undefined;
  const trial = new Trial(search, request);
  let best: Eviction | undefined;
  for (const [, rows] of [...usable].sort((a, b) => a[0] - b[0])) {
    if (rows.length < request.ranks) continue;
    const found = trial.site(rows);
    if (found !== undefined && (best === undefined || isCheaper(found, best))) best = found;
  }
  trial.end();
  return best;
}

const isCheaper = (a: Eviction, b: Eviction): boolean =>
  a.lost < b.lost || (a.lost === b.lost && a.victims.length < b.victims.length);

/** A copy of the counters on which jobs are ended on trial. */
class Trial {
  readonly #search: Search;
  readonly #request: NodeRequest;
  readonly #future: Future;
  readonly #lost = new Map<Holder, number>();

  constructor(search: Search, request: NodeRequest) {
    this.#search = search;
    this.#request = request;
    this.#future = search.claims.future();
    for (const { account, use } of search.claims.leaving) search.ledger.charge(account, use, -1);
  }

  /** Puts back what was charged. */
  end(): void {
    for (const { account, use } of this.#search.claims.leaving) this.#search.ledger.charge(account, use);
  }

  site(rows: readonly number[]): Eviction | undefined {
    const { ranks } = this.#request;
    const options = rows.flatMap((row) => this.#row(row) ?? []);
    if (options.length < ranks) return undefined;
    options.sort((a, b) => a.lost - b.lost || a.victims.length - b.victims.length || a.rows[0]! - b.rows[0]!);
    const chosen = options.slice(0, ranks);
    if (ranks === 1) return chosen[0]!.victims.length > 0 ? chosen[0] : undefined;
    const victims = [...new Set(chosen.flatMap((option) => option.victims))];
    return this.#together(
      chosen.map((option) => option.rows[0]!),
      victims,
    );
  }

  /** Room for one rank on a node: nothing to be ended, or the cheapest that was found. */
  #row(row: number): Eviction | undefined {
    const { fleet, onRow } = this.#search;
    if (fleet.keptFor(row) !== undefined) return undefined;
    if (this.#fits([row])) return { rows: [row], victims: [], lost: 0 };
    const candidates = [...(onRow.get(row) ?? [])].sort((a, b) => this.#cost(a) - this.#cost(b) || byId(a, b));
    return candidates.length === 0 ? undefined : this.#together([row], candidates);
  }

  /** Ends candidates in order until all rows fit, and spares those without which they fit, too. */
  #together(rows: readonly number[], candidates: readonly Holder[]): Eviction | undefined {
    const { may, most } = this.#search;
    let victims: Holder[] = [];
    for (const holder of candidates) {
      if (this.#fits(rows)) break;
      if (!may(holder)) continue;
      this.#remove(holder);
      victims.push(holder);
    }
    const fits = this.#fits(rows);
    if (fits) victims = this.#spare(rows, victims);
    for (const holder of victims) this.#restore(holder);
    if (!fits || victims.length === 0 || victims.length > most) return undefined;
    return { rows, victims, lost: victims.reduce((sum, holder) => sum + this.#cost(holder), 0) };
  }

  #spare(rows: readonly number[], victims: readonly Holder[]): Holder[] {
    const dearest = [...victims].sort((a, b) => this.#cost(b) - this.#cost(a) || byId(a, b));
    return dearest.filter((holder) => {
      this.#restore(holder);
      if (this.#fits(rows)) return false;
      this.#remove(holder);
      return true;
    });
  }

  #fits(rows: readonly number[]): boolean {
    const { snapshot } = this.#search.fleet;
    return rows.every((row) => fitsFree(snapshot, this.#future, this.#request, row));
  }

  #cost(holder: Holder): number {
    const known = this.#lost.get(holder) ?? lostWork(holder, this.#search.now);
    this.#lost.set(holder, known);
    return known;
  }

  #remove(holder: Holder): void {
    this.#future.release(holder);
    this.#search.ledger.charge(holder.account, holder.use, -1);
  }

  #restore(holder: Holder): void {
    this.#future.release(holder, -1);
    this.#search.ledger.charge(holder.account, holder.use);
  }
}

const byId = (a: Holder, b: Holder): number => (a.job.id < b.job.id ? -1 : 1);
