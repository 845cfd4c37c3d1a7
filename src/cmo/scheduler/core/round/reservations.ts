/**
 * Nodes kept for jobs that have waited long enough, and when blocked jobs are expected to start.
 *
 * At first the nodes on which a job will fit earliest are kept from that moment on, and what ends before, or leaves enough, may still use them
 * (`backfill/holds.ts`). Such a promise is as good as its predictions, and a new one in each round may name other nodes. So for a job that has
 * waited very long for what it is, or of whose start nothing is foreseen, the nodes are kept on which least is missing, from others altogether.
 *
 * What is kept idles. Kept for each of the first sixteen of a long queue, from four hours of waiting on, it was up to half of 36 nodes, and everybody
 * waited half as long again as with EASY, which keeps nodes for the first only. So nodes are kept for the first job that waits for some part of the
 * fleet, for more only within a twentieth of what could hold it; and not before the wait is long for the length of the job (`patience.ts`):
 * slack (Talby & Feitelson, IPPS 1999) lets others use what a job does not miss yet.
 *
 * Bound. Let F = firmAfterOf(job) ≤ max(firmAfterSeconds, thirty days). From F after it was submitted the rule is that of `reserve.ts`, whatever was
 * predicted: on the kept nodes what is missing never grows, and every change of nodes lowers it. The first such job that may stand there is
 * never refused its nodes by the share. If work there ends within T, it starts at most T after the last change, without one at most F + T after
 * it was submitted. Those whose turn is before it may go first, one in every T at least.
 */
import { type EarliestFit, earliestFit } from '../backfill/earliest-fit.ts';
import { type End, endsOf } from '../backfill/ends.ts';
import { Holds } from '../backfill/holds.ts';
import type { Fleet } from '../fleet.ts';
import { firmAfterOf, reserveAfterOf } from '../patience.ts';
import type { QuotaRefusal } from '../quota/check-quota.ts';
import type { NodeRequest } from '../request.ts';
import { nodesToKeep } from '../reserve.ts';
import type { Holder } from '../running.ts';
import type { Account } from '../shares/ledger.ts';
import { addAmounts, noAmounts } from '../shares/resources.ts';
import type { Use } from '../shares/use.ts';
import type { PendingJob, Policy } from '../snapshot.ts';
import type { Blocked } from '../verdict.ts';
import { durationOf } from '../words.ts';

/** When a job may start: in words, and the instant, epoch milliseconds, when it is known. */
export interface Outlook {
  readonly message: string;
  readonly at?: number;
}

/** Blocked groups of a round that are told when they may expect to start; each costs a look at what runs. */
const mostEstimates = 32;

/** Of the nodes that could hold a job, how many may be kept for it and those before it; the first is not held to it. */
const mostKeptShare = 0.05;

export class Reservations {
  readonly holds: Holds;
  readonly #fleet: Fleet;
  readonly #holders: () => readonly Holder[];
  #known: readonly End[] | undefined;
  readonly #policy: Policy;
  readonly #now: number;
  readonly #kept: string[] = [];
  readonly #keptRows = new Set<number>();
  /** What would take more than the share. */
  readonly #denied = new Set<NodeRequest>();
  #estimates = 0;

  /** @param holders what runs, asked for only when a job is blocked */
  constructor(fleet: Fleet, holders: () => readonly Holder[], policy: Policy, now: number) {
    this.#fleet = fleet;
    this.#holders = holders;
    this.#policy = policy;
    this.#now = now;
    this.holds = new Holds(fleet, now);
  }

  /** Ids of the jobs that nodes are kept for. */
  get kept(): readonly string[] {
    return this.#kept;
  }

  /** What is expected to end, first to last. */
  get ends(): readonly End[] {
    this.#known ??= endsOf(this.#holders(), this.#now);
    return this.#known;
  }

  /** Keeps nodes for a job that has waited long enough; says which, or undefined when none are kept. */
  keep(job: PendingJob, blocked: Blocked): Outlook | undefined {
    const waitedSeconds = (this.#now - Math.max(job.submittedAt, job.notBefore)) / 1000;
    if (!(waitedSeconds >= reserveAfterOf(job, this.#policy))) return undefined;
    if (this.#kept.length >= this.#policy.maxReservations || !blocked.canWait || !this.#mayKeep(blocked))
      return undefined;
    const foreseen =
      waitedSeconds < firmAfterOf(job, this.#policy) ? this.#keepForeseen(blocked, job.tenant) : undefined;
    const kept = foreseen ?? this.#keepFirmly(blocked);
    if (kept !== undefined) this.#kept.push(job.id);
    return kept;
  }

  /** Nothing of what could hold it is kept yet, or with its nodes no more than the share. What is kept only grows in a round. */
  #mayKeep(blocked: Blocked): boolean {
    if (this.#keptRows.size === 0) return true;
    for (const { request, capacity } of blocked.possible()) {
      if (this.#denied.has(request)) continue;
      let usable = 0;
      let kept = 0;
      for (const rows of capacity.usable.values()) {
        usable += rows.length;
        for (const row of rows) if (this.#keptRows.has(row)) kept += 1;
      }
      if (kept === 0 || kept + request.ranks <= mostKeptShare * usable) return true;
      this.#denied.add(request);
    }
    return false;
  }

  #keepForeseen(blocked: Blocked, tenant: string): Outlook | undefined {
    for (const { request, capacity } of blocked.possible()) {
      const fit = earliestFit(this.#fleet, request, capacity, this.ends);
      if (fit === undefined) continue;
      this.holds.keep(request, fit, this.ends);
      for (const row of fit.rows) this.#keptRows.add(row);
      return { message: `${this.#expectation(fit, tenant)} Kept for it from then on.`, at: fit.at };
    }
    return undefined;
  }

  #keepFirmly(blocked: Blocked): Outlook | undefined {
    for (const { request, capacity } of blocked.possible()) {
      const rows = nodesToKeep(this.#fleet, request, capacity);
      if (rows === undefined) continue;
      for (const row of rows) {
        this.#fleet.keep(row, request);
        this.#keptRows.add(row);
      }
      return { message: `Kept for it: ${this.namesOf(rows)}.` };
    }
    return undefined;
  }

  /**
   * When a blocked job may expect to start, in words for jobs of a tenant, worked out when it is asked for; undefined when too many were
   * asked for.
   */
  estimate(blocked: Blocked): ((tenant: string) => Outlook | undefined) | undefined {
    if (this.#estimates >= mostEstimates || !blocked.canWait) return undefined;
    this.#estimates += 1;
    let fit: EarliestFit | null | undefined;
    return (tenant) => {
      if (fit === undefined) fit = this.#earliest(blocked) ?? null;
      if (fit !== null) return { message: this.#expectation(fit, tenant), at: fit.at };
      const kept = this.holds.firstAt();
      if (kept !== undefined) {
        const when = `in about ${this.#in(kept)}`;
        return {
          message: `Nodes that come free are kept for jobs before it, the first of which is expected to start ${when}.`,
        };
      }
      if (this.#holders().length === 0) return undefined;
      return { message: 'When is not foreseen: what runs there has no time limit, and no history that would tell.' };
    };
  }

  #earliest(blocked: Blocked): EarliestFit | undefined {
    for (const { request, capacity } of blocked.possible()) {
      const fit = earliestFit(this.#fleet, request, capacity, this.ends);
      if (fit !== undefined) return fit;
    }
    return undefined;
  }

  /**
   * When enough of an account has ended for what its quota refuses now, in words; undefined when nothing of that helps.
   * @param before how many jobs go before it, and what each of them takes of what comes free
   */
  whenFreed(
    { account, isEnough }: Pick<QuotaRefusal, 'account' | 'isEnough'>,
    tenant: string,
    before: { readonly use: Use; readonly jobs: number },
  ): Outlook | undefined {
    if (isEnough === undefined) return undefined;
    const freed = { amounts: noAmounts(), models: new Map<string, number>() };
    addAmounts(freed.amounts, before.use.amounts, -before.jobs);
    for (const [model, milli] of before.use.models) freed.models.set(model, -before.jobs * milli);
    let jobs = -before.jobs;
    for (const end of this.ends) {
      if (!isWithin(end.holder.account, account)) continue;
      addAmounts(freed.amounts, end.holder.use.amounts, 1);
      for (const [model, milli] of end.holder.use.models)
        freed.models.set(model, (freed.models.get(model) ?? 0) + milli);
      jobs += 1;
      if (!isEnough(freed, jobs)) continue;
      return this.whenEnds(end, tenant);
    }
    return undefined;
  }

  /** That something ends, as an outlook for a tenant. */
  whenEnds(end: End, tenant: string): Outlook {
    return { message: `Expected in about ${this.#in(end.at)}, when ${nameOf(end, tenant)} ends.`, at: end.at };
  }

  /** Where and when; jobs of other tenants are nobody's business. */
  #expectation({ at, after, rows }: EarliestFit, tenant: string): string {
    return `Expected in about ${this.#in(at)} on ${this.namesOf(rows)}, when ${nameOf(after, tenant)} ends.`;
  }

  #in(at: number): string {
    return durationOf((at - this.#now) / 1000);
  }

  /** Names of nodes of one site, of many the first; with the site where there are several. */
  namesOf(rows: readonly number[]): string {
    const { nodes, sites } = this.#fleet.snapshot;
    const names = rows.slice(0, 3).map((row) => nodes.names?.[row] ?? nodes.ids[row]);
    const text = rows.length > 3 ? `${names.join(', ')} and ${rows.length - 3} more nodes` : names.join(', ');
    const [first] = rows;
    if (sites.ids.length < 2 || first === undefined) return text;
    const site = nodes.site[first]!;
    return `${text} at ${sites.labels?.[site]?.name ?? sites.ids[site]}`;
  }
}

const nameOf = ({ holder }: End, tenant: string): string =>
  holder.job.tenant === tenant ? holder.job.id : 'other work there';

function isWithin(leaf: Account, above: Account): boolean {
  for (let account: Account | null = leaf; account !== null; account = account.parent) {
    if (account === above) return true;
  }
  return false;
}
