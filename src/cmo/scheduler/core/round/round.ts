/**
 * One round: takes the job whose turn it is (`shares/fair-order.ts`), places it or says why not, until nothing is left or the round is full.
 *
 * Each shape is scored over all nodes once (`scoreboard.ts`); a placement takes from the fleet's counters and re-scores only the nodes it
 * changed. Within a round capacity only shrinks and use only grows, so when one job of a group is refused, so is the rest of it, and they share
 * its verdict.
 *
 * Ranks of a gang stand on distinct nodes of one site: `nodes` in the spec means nodes, and an allocation holds a device once.
 */
import type { Placement, Preemption, RankPlacement } from '../../../../common/contract/plan.ts';
import type { DeviceId, JobId, NodeId, ReservationId, SiteId } from '../../../../common/ids.ts';
import { likelySecondsOf } from '../backfill/run-class.ts';
import { endBy } from '../calendar/booking.ts';
import { Calendar } from '../calendar/calendar.ts';
import { reservedMessage } from '../calendar/words.ts';
import { holdsAll } from '../capacity.ts';
import { missedDeadline } from '../deadline.ts';
import type { DeviceChoice } from '../devices.ts';
import { type Decision, explain } from '../explain.ts';
import type { Fleet } from '../fleet.ts';
import { devicesToTake } from '../fragmentation.ts';
import type { Group } from '../job-group.ts';
import type { JobFacts, JobRecord } from '../job-record.ts';
import { clearedBy } from '../neighbours/clearing.ts';
import { expectRules, kindsOf } from '../neighbours/kinds.ts';
import { Neighbours } from '../neighbours/neighbours.ts';
import { baseOf } from '../neighbours/rules.ts';
import { firmAfterOf } from '../patience.ts';
import type { PendingQueue } from '../pending-queue.ts';
import { Preemptor } from '../preemption/preemptor.ts';
import type { Way } from '../preemption/victims.ts';
import { mustStop } from '../quota/budget.ts';
import { type QuotaRefusal, quotaRefusal, type Spending, spend } from '../quota/check-quota.ts';
import { countRunning } from '../quota/expected-spending.ts';
import { keepQuota } from '../quota/keep-quota.ts';
import type { NodeRequest } from '../request.ts';
import type { Holder } from '../running.ts';
import type { Scoreboard } from '../scoreboard.ts';
import type { AccountTree } from '../shares/account.ts';
import { FairOrder } from '../shares/fair-order.ts';
import { type Account, Ledger } from '../shares/ledger.ts';
import { takenUse, type Use } from '../shares/use.ts';
import type { PendingJob, Policy, Shape } from '../snapshot.ts';
import { Stretch } from '../stretch.ts';
import { Blocked, type Verdict } from '../verdict.ts';
import { Cursor, ShapeView } from './cursor.ts';
import { Line } from './line.ts';
import type { RoundOutcome, VerdictGroup } from './outcome.ts';
import { type Outlook, Reservations } from './reservations.ts';
import { behindOthers, endedOf, instantOf, withOutlook, withPlace, withSentence } from './sentences.ts';

/** Where a job would stand and what it would take there. */
interface Choice {
  readonly rows: readonly number[];
  /** By rank. */
  readonly devices: readonly Pick<DeviceChoice, 'rows' | 'milli'>[];
  readonly use: Use;
}

/** How many nodes are tried for a job whose account has used up its quota of the best one's model. */
const mostTried = 64;

/** Of the jobs of a group that a quota refuses, how many are told when enough of the account has ended for them. */
const mostForeseen = 10;

export class Round {
  readonly #fleet: Fleet;
  readonly #boards: (shape: Shape) => readonly Scoreboard[];
  readonly #policy: Policy;
  readonly #now: number;
  readonly #decision: Decision;
  readonly #ledger: Ledger;
  readonly #placements: Placement[] = [];
  readonly #verdicts: VerdictGroup[] = [];
  readonly #reservations: Reservations;
  readonly #preemptor: Preemptor;
  readonly #neighbours: Neighbours;
  readonly #calendar: Calendar;
  readonly #line: Line;
  readonly #holders: () => readonly Holder[];
  /** Accounts with jobs that wait. */
  readonly #accounts = new Set<Account>();

  /** @param boards opens the boards of a shape on that fleet, one an alternative */
  constructor(
    fleet: Fleet,
    boards: (shape: Shape) => readonly Scoreboard[],
    tree: AccountTree,
    policy: Policy,
    now: number,
    round: number,
  ) {
    this.#fleet = fleet;
    this.#boards = boards;
    this.#policy = policy;
    this.#now = now;
    this.#decision = { policy: policy.name, round, decidedAt: new Date(now).toISOString() };
    const book = fleet.runningBook(tree);
    const ledger = () => {
      const made = new Ledger(tree, fleet.amounts, policy, now);
      book.charge(made);
      return made;
    };
    this.#ledger = ledger();
    let known: readonly Holder[] | undefined;
    const holders = () => {
      known ??= book.holders(this.#ledger);
      return known;
    };
    this.#neighbours = new Neighbours(fleet, book);
    this.#holders = holders;
    this.#line = new Line({ fleet, ledger, holders, now });
    const { preemptedLastHour = 0, calendar = [] } = fleet.snapshot;
    this.#calendar = new Calendar(fleet, calendar, now);
    this.#reservations = new Reservations(fleet, holders, policy, now);
    this.#preemptor = new Preemptor(fleet, this.#ledger, holders, policy.preemption, now, preemptedLastHour);
  }

  run(queue: PendingQueue): RoundOutcome {
    const preemptions = this.#calendar.intruders(this.#holders).map(
      ({ holder, booking }): Preemption => ({
        jobId: holder.job.id as JobId,
        inFavourOf: booking.id as ReservationId,
      }),
    );
    preemptions.push(...this.#overspent().map(({ job }) => ({ jobId: job.id as JobId, inFavourOf: null })));
    this.#wait(queue.release(this.#now));
    expectRules(queue, this.#neighbours);
    const order = new FairOrder<Cursor>();
    order.add(this.#cursors(queue));
    let full = false;
    for (let cursor = order.next(); cursor !== undefined; cursor = order.next()) {
      full = this.#placements.length >= this.#policy.maxPlacements;
      if (full) break;
      this.#step(cursor);
      if (cursor.isDone) order.drop();
      else order.back(cursor);
    }
    const ended = new Set<string>(preemptions.map(({ jobId }) => jobId));
    return {
      placements: this.#placements,
      preemptions: [...preemptions, ...this.#preemptor.preemptions.filter(({ jobId }) => !ended.has(jobId))],
      verdicts: this.#verdicts,
      kept: this.#reservations.kept,
      full,
    };
  }

  *#cursors(queue: PendingQueue) {
    const views = new Map<string, ShapeView>();
    const viewOf = (given: Shape): ShapeView => {
      const shape = baseOf(given);
      const view = views.get(shape.key) ?? new ShapeView(shape, this.#boards);
      views.set(shape.key, view);
      return view;
    };
    for (const group of queue.groups()) {
      if (group.fault !== undefined) {
        this.#refuse(group, group.fault);
        continue;
      }
      const account = this.#ledger.account(group.account);
      this.#accounts.add(account);
      for (const { vicinity, records } of kindsOf(group, this.#fleet, this.#neighbours)) {
        yield [account, new Cursor(group, account, viewOf(group.shape), vicinity, records)] as const;
      }
    }
  }

  /** Counts what running work will spend, where somebody has a budget; what has to end since one is used up that says so. */
  #overspent(): readonly Holder[] {
    const { accounts = [], running = [] } = this.#fleet.snapshot;
    if (running.length === 0 || !accounts.some(({ limits }) => (limits?.budgets ?? []).length > 0)) return [];
    const holders = this.#holders();
    countRunning(this.#fleet.snapshot, holders, this.#now);
    return holders.filter(({ job, account }) => job.stopping === null && mustStop(account));
  }

  /** Deals with the next job of a group. */
  #step(cursor: Cursor): void {
    const refusals: QuotaRefusal[] = [];
    for (const [alternative, board] of cursor.view.boards().entries()) {
      const answer = quotaRefusal(cursor.account, cursor.view.uses[alternative]!) ?? this.#choose(cursor, board);
      if (answer === undefined) continue;
      if ('reason' in answer) {
        refusals.push(answer);
        continue;
      }
      this.#place(cursor, board, answer);
      return;
    }
    // An alternative that the account may take is waited for, however many others it may not.
    if (refusals.length < cursor.view.uses.length) {
      this.#block(cursor);
      return;
    }
    if (this.#makeRoom(cursor, 'quota')) return;
    const refusal = refusals[0]!;
    const { use } = cursor;
    const isKept = refusal.isEnough !== undefined && this.#keepQuota(cursor);
    const jobs = isKept ? cursor.advance() : cursor.finish();
    const message = isKept ? `${refusal.message} What ends of it is kept for this job.` : refusal.message;
    // What is freed first is for the first of them, or those that came with it.
    let places: ReadonlyMap<string, number> | undefined;
    const details = new Map<number, Verdict['detail']>();
    this.#say(jobs, refusal.reason, (job) => {
      places ??= placesOf(jobs, mostForeseen);
      const ahead = places.get(placeKey(job));
      if (ahead === undefined) return { message: `${message} At least ${mostForeseen} like it go before it.` };
      const before = ahead === 0 ? '' : ` ${ahead} like it ${ahead === 1 ? 'goes' : 'go'} before it.`;
      const outlook = () => this.#reservations.whenFreed(refusal, job.tenant, { use, jobs: ahead });
      const detail = details.get(ahead) ?? withOutlook({ message: `${message}${before}` }, outlook());
      details.set(ahead, detail);
      return detail;
    });
  }

  /** Nodes and devices for all ranks that the account may take, why it may not, or undefined when there is no room. */
  #choose(cursor: Cursor, board: Scoreboard): Choice | QuotaRefusal | undefined {
    const { request } = board;
    const { vicinity } = cursor;
    const rows = vicinity === undefined ? this.#rowsFor(cursor, board) : vicinity.choose(board);
    if (rows === undefined) return undefined;
    const choice = this.#choiceOf(request, rows);
    const refusal = quotaRefusal(cursor.account, choice.use, this.#spendingOf(cursor.head, request, rows[0]!));
    if (refusal === undefined || request.ranks > 1 || refusal.reason !== 'quota_exhausted') return refusal ?? choice;
    // A job that leaves the model open may still take one of which its account has some left.
    for (const row of vicinity?.top(board, mostTried) ?? board.top(mostTried)) {
      const other = this.#choiceOf(request, [row]);
      if (quotaRefusal(cursor.account, other.use) === undefined) return other;
    }
    return refusal;
  }

  /** What is promised to its owner first, what is promised to others last. */
  #rowsFor({ head, group }: Cursor, board: Scoreboard): readonly number[] | undefined {
    const { request } = board;
    const { mostSeconds } = group;
    const { holds } = this.#reservations;
    if (this.#calendar.isEmpty) return board.choose() ?? holds.choose(request, board, mostSeconds);
    const capacity = () => board.capacity();
    return (
      this.#calendar.own(head, request, capacity, mostSeconds) ??
      board.choose() ??
      holds.choose(request, board, mostSeconds) ??
      this.#calendar.beside(head, request, capacity, mostSeconds)
    );
  }

  #choiceOf(request: NodeRequest, rows: readonly number[]): Choice {
    const devices = rows.map((row) => devicesToTake(this.#fleet, request, row));
    return { rows, devices, use: takenUse(this.#fleet, request, devices) };
  }

  /** What a job is expected to cost in all at the site of a node, as far as that is known. */
  #spendingOf({ runTime }: PendingJob, request: NodeRequest, row: number): Spending {
    const seconds = likelySecondsOf(runTime);
    const price = request.sitePrice[this.#fleet.snapshot.nodes.site[row]!];
    return seconds === undefined || !(price! >= 0) ? {} : { microUsd: (price! * seconds) / 3600 };
  }

  #block(cursor: Cursor): void {
    const job = cursor.head;
    const blocked = new Blocked(this.#fleet, cursor.view.boards(), cursor.vicinity);
    if (blocked.reason === 'insufficient_capacity' && this.#makeRoom(cursor, 'nodes')) return;
    const reserved = this.#reservedFor(cursor, blocked);
    const kept = this.#reservations.keep(job, blocked);
    const estimate = kept === undefined ? this.#outlookOf(cursor, blocked) : () => kept;
    // Else the quota that it has would be gone when it has its nodes.
    if (kept !== undefined) this.#keepQuota(cursor);
    // Once a group is blocked all of it is; it goes on only while its jobs are old enough to have nodes kept for them.
    const jobs = kept === undefined ? cursor.finish() : cursor.advance();
    const waiting = { account: cursor.account.id, use: cursor.use, jobs, blocked, isKept: kept !== undefined };
    if (blocked.canWait) this.#line.wait(waiting);
    let detail: Verdict['detail'] | undefined;
    // Sentences are worked out once a tenant, since they may name jobs of its own; and apart for who stands behind others.
    const details = new Map<string, Verdict['detail']>();
    this.#say(jobs, reserved === undefined ? blocked.reason : 'reserved_for_others', (job) => {
      const { tenant } = job;
      detail ??= reserved === undefined ? blocked.detail() : { ...blocked.detail(), message: reserved };
      const share = blocked.canWait ? this.#shareOf(cursor) : undefined;
      const place = blocked.canWait ? this.#line.placeOf(waiting, job) : undefined;
      if (kept === undefined && place !== undefined && place.ahead > 0) {
        const outlook = behindOthers(place, this.#now, estimate?.(tenant)?.at);
        return withPlace(withSentence(withOutlook(detail, outlook), share), place);
      }
      const known =
        details.get(tenant) ?? withPlace(withSentence(withOutlook(detail, estimate?.(tenant)), share), place);
      details.set(tenant, known);
      return known;
    });
  }

  /** Keeps quota for a job that has waited very long, if its account and the fleet could ever hold it, and says whether. */
  #keepQuota({ head, account, view, vicinity }: Cursor): boolean {
    const waitedSeconds = (this.#now - Math.max(head.submittedAt, head.notBefore)) / 1000;
    if (!(waitedSeconds >= firmAfterOf(head, this.#policy))) return false;
    return view
      .boards()
      .some(
        (board, alternative) =>
          holdsAll(vicinity?.narrow(board) ?? board.capacity(), board.request.ranks) &&
          keepQuota(account, view.uses[alternative]!),
      );
  }

  /** When a blocked job may expect to start, for jobs of a tenant; worked out when it is asked for. */
  #outlookOf({ vicinity, view }: Cursor, blocked: Blocked): ((tenant: string) => Outlook | undefined) | undefined {
    if (vicinity === undefined || blocked.canWait) return this.#reservations.estimate(blocked);
    const [board] = view.boards();
    return (tenant) => {
      const end = clearedBy(this.#fleet, this.#neighbours, vicinity, board!, this.#reservations.ends);
      return end && this.#reservations.whenEnds(end, tenant);
    };
  }

  /** What to say when free nodes would hold it and nothing but the calendar keeps it from them. */
  #reservedFor({ group, vicinity }: Cursor, blocked: Blocked): string | undefined {
    if (vicinity !== undefined || blocked.reason !== 'behind_others') return undefined;
    for (const { request, capacity } of blocked.possible()) {
      const way = this.#calendar.inTheWay(request, capacity);
      if (way !== undefined) return reservedMessage(way, this.#now, group.mostSeconds);
    }
    return undefined;
  }

  /** What its account holds, when it shares with others who wait; not a reason of its own, since it changes with every placement. */
  #shareOf({ account }: Cursor): string | undefined {
    if (this.#accounts.size < 2) return undefined;
    const percent = Math.round(100 * account.share * account.weight);
    return `Its account holds ${percent} % of the fleet; of equal priority those go first that hold less for their weight.`;
  }

  /** Waits for room that is being made, or makes it by ending work that the job may end. */
  #makeRoom(cursor: Cursor, shortOf: 'quota' | 'nodes'): boolean {
    const { id, tenant, priority } = cursor.head;
    const claimant = { account: cursor.account, tenant, priority, use: cursor.use };
    const ways = this.#waysOf(cursor, shortOf);
    const leaving = this.#preemptor.leavingRows(claimant, ways);
    const eviction = leaving === undefined ? this.#preemptor.makeRoom(id, claimant, ways, shortOf) : undefined;
    const rows = leaving ?? eviction?.rows;
    if (rows === undefined) return false;
    const names = this.#reservations.namesOf(rows);
    const message =
      eviction === undefined
        ? `It starts on ${names} when work that is being ended has ended.`
        : `Room for it on ${names} comes from ending ${endedOf(eviction.victims, tenant)}. It starts when they have ended, after their grace.`;
    this.#say(cursor.advance(), 'waits_for_preempted', () => ({ message }));
    return true;
  }

  #waysOf(cursor: Cursor, shortOf: 'quota' | 'nodes'): Way[] {
    const { view, vicinity } = cursor;
    return view.boards().map((board, alternative) => ({
      request: board.request,
      use: view.uses[alternative]!,
      capacity: () => vicinity?.narrow(board) ?? board.capacity(),
      ...(shortOf === 'quota' && {
        room: () => (vicinity === undefined ? this.#rowsFor(cursor, board) : vicinity.choose(board)),
      }),
    }));
  }

  #place(cursor: Cursor, board: Scoreboard, { rows, devices, use }: Choice): void {
    const { request } = board;
    const { head: job, account, group } = cursor;
    const { nodes, sites } = this.#fleet.snapshot;
    const explanation = explain(this.#fleet, board, rows, this.#decision, {
      vicinity: cursor.vicinity,
      // Rules about other jobs are kept off promised nodes altogether.
      promised: cursor.vicinity === undefined ? this.#calendar.openTo(job, group.mostSeconds) : [],
    });
    this.#ledger.charge(account, use);
    spend(account, this.#spendingOf(job, request, rows[0]!));
    for (const [rank, row] of rows.entries()) {
      const { rows: chosen, milli } = devices[rank]!;
      this.#reservations.holds.placed({ ...amountsOf(request), row, devices: chosen, milli }, group.mostSeconds);
    }
    this.#placements.push({
      jobId: job.id as JobId,
      jobRevision: job.revision,
      siteId: sites.ids[nodes.site[rows[0]!]!] as SiteId,
      ranks: rows.map((row, rank) => this.#takeRank(request, row, devices[rank]!)),
      explanation,
      ...cursor.conditions(board),
      ...(!this.#calendar.isEmpty && {
        calendar: { endsBy: endBy(this.#now, group.mostSeconds), reservations: this.#calendar.idsFor(job, rows) },
      }),
    });
    this.#neighbours.placed(job, rows);
    this.#line.place({ account: account.id, use, request, rows, job });
    cursor.advance();
  }

  #takeRank(request: NodeRequest, row: number, choice: Pick<DeviceChoice, 'rows' | 'milli'>): RankPlacement {
    const { snapshot } = this.#fleet;
    this.#fleet.take(row, request, choice.rows, choice.milli);
    return {
      nodeId: snapshot.nodes.ids[row] as NodeId,
      ...amountsOf(request),
      devices: choice.rows.map((device, i) => ({
        deviceId: snapshot.devices.ids[device] as DeviceId,
        milli: choice.milli[i]!,
      })),
    };
  }

  #wait(records: readonly JobRecord[]): void {
    for (const reason of ['earliest_start', 'retry_backoff'] as const) {
      const waiting = records.filter(({ facts }) => (facts.notBeforeReason ?? 'earliest_start') === reason);
      const why = reason === 'earliest_start' ? 'Its earliest start is' : 'It is tried again at';
      const detail = (job: JobFacts) => ({ message: `${why} ${instantOf(job.notBefore)}.` });
      if (waiting.length > 0) this.#say(new Stretch(waiting), reason, detail);
    }
  }

  #refuse(group: Group, fault: string): void {
    const detail = { message: `The request makes no sense (${fault}), so no node can ever hold it.` };
    this.#say(group.all(), 'no_matching_node', () => detail);
  }

  #say(jobs: Stretch, reason: Verdict['reason'], detailOf: VerdictGroup['detail']): void {
    const detail = (job: JobFacts): Verdict['detail'] => {
      const missed = missedDeadline(job, this.#now);
      return withSentence(detailOf(job), missed);
    };
    this.#verdicts.push({ jobs, reason, detail });
  }
}

type Placed = Pick<PendingJob, 'tenant' | 'priority' | 'submittedAt'>;

const placeKey = ({ tenant, priority, submittedAt }: Placed): string => `${tenant} ${priority} ${submittedAt}`;

/** How many of the jobs are before each of the first; of those that came at once the first counts. */
function placesOf(jobs: Iterable<PendingJob>, most: number): Map<string, number> {
  const places = new Map<string, number>();
  let before = 0;
  for (const job of jobs) {
    if (before >= most) break;
    if (!places.has(placeKey(job))) places.set(placeKey(job), before);
    before += 1;
  }
  return places;
}

const amountsOf = ({ cpuMilli, memoryBytes, diskBytes }: NodeRequest) => ({ cpuMilli, memoryBytes, diskBytes });
