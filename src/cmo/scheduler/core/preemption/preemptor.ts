/**
 * Makes room in a round: ends running work for jobs that may, within the round's and the hour's limits.
 *
 * The room comes back when the work has ended, which takes its grace; until then it is promised to the job, in this round and in
 * those after it, where what is being ended counts as leaving (`claims.ts`): so nobody else takes the room, and no more is ended than was needed.
 */
import type { Preemption } from '../../../../common/contract/plan.ts';
import type { JobId } from '../../../../common/ids.ts';
import type { Fleet } from '../fleet.ts';
import type { Holder } from '../running.ts';
import type { Ledger } from '../shares/ledger.ts';
import type { Blocked } from '../verdict.ts';
import { Claims } from './claims.ts';
import { type Claimant, mayPreempt } from './may-preempt.ts';
import type { PreemptionPolicy } from './preemption-policy.ts';
import { type Eviction, findVictims } from './victims.ts';

/** Searches of a round, each of which looks at the nodes that could hold a job. */
const mostSearches = 8;

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
  #allowance: number;
  #searches = mostSearches;

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
  leavingRows({ account, use }: Claimant, blocked: Blocked): readonly number[] | undefined {
    // Work that ends for another reason is nobody's: who comes first gets its room.
    if (!this.#running.isMakingRoom) return undefined;
    for (const { request, capacity } of blocked.possible()) {
      const rows = this.#claims.rowsFor(request, capacity);
      if (rows === undefined) continue;
      this.#claims.promise(request, rows);
      this.#ledger.charge(account, use);
      return rows;
    }
    return undefined;
  }

  /** Ends work for a blocked job and promises it the room; undefined when that is not possible or not allowed. */
  makeRoom(jobId: string, claimant: Claimant, blocked: Blocked): Eviction | undefined {
    if (this.#allowance === 0 || this.#searches === 0 || !this.#isWorthASearch(claimant)) return undefined;
    this.#searches -= 1;
    if (this.#onRow.size === 0) this.#index();
    for (const { request, capacity } of blocked.possible()) {
      const eviction = findVictims(
        {
          fleet: this.#fleet,
          ledger: this.#ledger,
          now: this.#now,
          onRow: this.#onRow,
          claims: this.#claims,
          may: (holder) => !this.#claims.leaving.has(holder) && mayPreempt(this.#policy, claimant, holder),
          most: this.#allowance,
        },
        request,
        capacity,
      );
      if (eviction === undefined) continue;
      this.#claims.add(eviction.victims);
      this.#claims.promise(request, eviction.rows);
      this.#ledger.charge(claimant.account, claimant.use);
      this.#running.isMakingRoom = true;
      for (const victim of eviction.victims) {
        this.preemptions.push({ jobId: victim.job.id as JobId, inFavourOf: jobId as JobId });
      }
      this.#allowance -= eviction.victims.length;
      return eviction;
    }
    return undefined;
  }

  /** Without quotas only priority counts, and most jobs outrank nothing. */
  #isWorthASearch({ account, priority }: Claimant): boolean {
    if (this.#candidates.length === 0) return false;
    if (this.#policy.byPriority !== 'never' && priority > this.#running.leastPriority) return true;
    for (let at: Claimant['account'] | null = account; at !== null; at = at.parent) {
      if (this.#policy.reclaim && (at.row?.quotas ?? []).length > 0) return true;
    }
    return false;
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
