/**
 * Makes room in a round: ends running work for jobs that may, within the round's and the hour's limits.
 *
 * The room comes back when the work has ended, which takes its grace; until then it is promised to the job, in this round and in
 * those after it, where what is being ended counts as leaving (`claims.ts`): so nobody else takes the room, and no more is ended than was needed.
 */
import type { Preemption } from '../../../../common/contract/plan.ts';
import type { JobId } from '../../../../common/ids.ts';
import type { Fleet } from '../fleet.ts';
import { isWithinGuarantee, quotaRefusal } from '../quota/check-quota.ts';
import type { Holder } from '../running.ts';
import type { Account, Ledger } from '../shares/ledger.ts';
import { Claims } from './claims.ts';
import { type Claimant, mayPreempt } from './may-preempt.ts';
import type { PreemptionPolicy } from './preemption-policy.ts';
import { lostWork } from './trial.ts';
import { type Eviction, findVictims, type Way } from './victims.ts';

/** Searches of a round for jobs that the nodes have no room for, each of which looks at all that could hold them. */
const mostSearches = 8;
/** Jobs that a round looks at for those whose quotas are used up: a million groups may wait for the quotas of a few accounts. */
const mostLooks = 50_000;

/** What runs, as it matters to ending work. */
interface Known {
  readonly claims: Claims;
  readonly candidates: readonly Holder[];
  readonly leastPriority: number;
  /** Whether work is being ended for others, of an earlier round or this one. */
  isMakingRoom: boolean;
}

export class Preemptor {
  readonly preemptions: Preemption[] = [];
  readonly #fleet: Fleet;
  readonly #ledger: Ledger;
  readonly #policy: PreemptionPolicy;
  readonly #now: number;
  readonly #holders: () => readonly Holder[];
  #known: Known | undefined;
  readonly #onRow = new Map<number, Holder[]>();
  readonly #within = new Map<Account, readonly Holder[]>();
  #byAccount: ReadonlyMap<Account, Holder[]> | undefined;
  #allowance: number;
  #searches = mostSearches;
  #looks = mostLooks;

  /** @param lastHour jobs that were ended for others in the last hour */
  constructor(
    fleet: Fleet,
    ledger: Ledger,
    holders: () => readonly Holder[],
    policy: PreemptionPolicy,
    now: number,
    lastHour: number,
  ) {
    this.#fleet = fleet;
    this.#ledger = ledger;
    this.#policy = policy;
    this.#now = now;
    this.#holders = holders;
    this.#allowance = Math.min(policy.maxPerRound, Math.max(0, policy.maxPerHour - lastHour));
  }

  /** What runs, as it matters here; looked at when the first job is blocked. */
  get #running(): Known {
    if (this.#known === undefined) {
      const holders = this.#holders();
      const leastRunMs = this.#policy.minRunSeconds * 1000;
      const candidates = holders.filter(
        ({ job }) => job.preemptible && job.stopping === null && this.#now - job.startedAt >= leastRunMs,
      );
      this.#known = {
        claims: new Claims(
          this.#fleet,
          holders.filter(({ job }) => job.stopping !== null),
        ),
        candidates,
        leastPriority: candidates.reduce((least, { job }) => Math.min(least, job.priority), Infinity),
        isMakingRoom: holders.some(({ job }) => job.stopping === 'preempt'),
      };
    }
    return this.#known;
  }

  get #claims(): Claims {
    return this.#running.claims;
  }

  get #candidates(): readonly Holder[] {
    return this.#running.candidates;
  }

  /** Promises a job room that is being made already, and says where; undefined when there is none for it. */
  leavingRows(claimant: Claimant, ways: Iterable<Way>): readonly number[] | undefined {
    // Work that ends for another reason is nobody's: who comes first gets its room.
    if (!this.#running.isMakingRoom) return undefined;
    for (const { request, capacity, use, room } of ways) {
      if (!this.#mayTakeThen({ ...claimant, use })) continue;
      const rows = room?.() ?? this.#claims.rowsFor(request, capacity());
      if (rows === undefined) continue;
      this.#claims.promise(request, rows);
      this.#ledger.charge(claimant.account, use);
      return rows;
    }
    return undefined;
  }

  /** Whether its account may take the job once all that is being ended has ended. */
  #mayTakeThen({ account, use }: Claimant): boolean {
    if (quotaRefusal(account, use) === undefined) return true;
    const leaving = [...this.#claims.leaving];
    for (const holder of leaving) this.#ledger.charge(holder.account, holder.use, -1);
    const refusal = quotaRefusal(account, use);
    for (const holder of leaving) this.#ledger.charge(holder.account, holder.use);
    return refusal === undefined;
  }

  /**
   * Ends work for a job and promises it the room; undefined when that is not possible or not allowed.
   * @param shortOf what keeps it: its accounts' quotas, or the nodes
   */
  makeRoom(jobId: string, claimant: Claimant, ways: Iterable<Way>, shortOf: 'quota' | 'nodes'): Eviction | undefined {
    const left = shortOf === 'quota' ? this.#looks : this.#searches;
    if (this.#allowance === 0 || left <= 0 || !this.#isWorthASearch(claimant)) return undefined;
    if (shortOf === 'nodes') this.#searches -= 1;
    if (this.#onRow.size === 0) this.#index();
    for (const way of ways) {
      const asks = { ...claimant, use: way.use };
      const eviction = findVictims(
        {
          fleet: this.#fleet,
          ledger: this.#ledger,
          account: claimant.account,
          now: this.#now,
          onRow: this.#onRow,
          within: (account) => this.#heldWithin(account),
          claims: this.#claims,
          may: (holder) => !this.#claims.leaving.has(holder) && mayPreempt(this.#policy, asks, holder),
          most: this.#allowance,
        },
        way,
      );
      if (eviction === undefined) continue;
      this.#claims.add(eviction.victims);
      this.#claims.promise(way.request, eviction.rows);
      this.#ledger.charge(claimant.account, way.use);
      this.#running.isMakingRoom = true;
      for (const victim of eviction.victims) {
        this.preemptions.push({ jobId: victim.job.id as JobId, inFavourOf: jobId as JobId });
      }
      this.#allowance -= eviction.victims.length;
      return eviction;
    }
    return undefined;
  }

  /** Whether it might end anything: most jobs outrank nothing and are beyond what their accounts are guaranteed. */
  #isWorthASearch({ account, priority, use }: Claimant): boolean {
    if (this.#candidates.length === 0) return false;
    if (this.#policy.byPriority !== 'never' && priority > this.#running.leastPriority) return true;
    for (let at: Account | null = account; at !== null; at = at.parent) {
      if (this.#policy.reclaim && isWithinGuarantee(at, use)) return true;
    }
    return false;
  }

  /** What may be ended of an account, and of all below it, cheapest first. */
  #heldWithin(account: Account): readonly Holder[] {
    this.#byAccount ??= byAccount(this.#candidates);
    const known = this.#within.get(account) ?? cheapestFirst(this.#byAccount.get(account) ?? [], this.#now);
    this.#within.set(account, known);
    this.#looks -= known.length;
    return known;
  }

  #index(): void {
    for (const holder of this.#candidates) {
      for (const row of new Set(holder.ranks.map((rank) => rank.row))) {
        const list = this.#onRow.get(row);
        if (list === undefined) this.#onRow.set(row, [holder]);
        else list.push(holder);
      }
    }
  }
}

function byAccount(holders: readonly Holder[]): ReadonlyMap<Account, Holder[]> {
  const lists = new Map<Account, Holder[]>();
  for (const holder of holders) {
    for (let account: Account | null = holder.account; account !== null; account = account.parent) {
      const list = lists.get(account);
      if (list === undefined) lists.set(account, [holder]);
      else list.push(holder);
    }
  }
  return lists;
}

function cheapestFirst(holders: readonly Holder[], now: number): readonly Holder[] {
  const costs = new Map(holders.map((holder) => [holder, lostWork(holder, now)]));
  return [...holders].sort((a, b) => costs.get(a)! - costs.get(b)! || (a.job.id < b.job.id ? -1 : 1));
}
