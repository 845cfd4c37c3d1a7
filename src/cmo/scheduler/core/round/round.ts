/**
 * One round: takes the job whose turn it is (`shares/fair-order.ts`), places it or says why not, until nothing is left or the round is full.
 *
 * Each shape is scored over all nodes once (`scoreboard.ts`); a placement takes from the fleet's counters and re-scores only the nodes it
 * changed. Within a round capacity only shrinks and use only grows, so when one job of a group is refused, so is the rest of it, and they share
 * its verdict.
 *
 * Ranks of a gang stand on distinct nodes of one site: `nodes` in the spec means nodes, and an allocation holds a device once.
 */
import type { Placement, RankPlacement } from '../../../../common/contract/plan.ts';
import type { DeviceId, JobId, NodeId, SiteId } from '../../../../common/ids.ts';
import { missedDeadline } from '../deadline.ts';
import type { DeviceChoice } from '../devices.ts';
import { type Decision, explain } from '../explain.ts';
import type { Fleet } from '../fleet.ts';
import { devicesToTake } from '../fragmentation.ts';
import type { Group, PendingQueue } from '../pending-queue.ts';
import { type QuotaRefusal, quotaRefusal } from '../quota/check-quota.ts';
import type { NodeRequest } from '../request.ts';
import { nodesToKeep } from '../reserve.ts';
import { holdersOf } from '../running.ts';
import type { Scoreboard } from '../scoreboard.ts';
import type { AccountTree } from '../shares/account.ts';
import { FairOrder } from '../shares/fair-order.ts';
import { Ledger } from '../shares/ledger.ts';
import { fleetAmounts } from '../shares/resources.ts';
import { takenUse } from '../shares/use.ts';
import type { PendingJob, Policy, Shape } from '../snapshot.ts';
import { Blocked, type Verdict } from '../verdict.ts';
import { Cursor, ShapeView } from './cursor.ts';
import type { RoundOutcome, VerdictGroup } from './outcome.ts';

export class Round {
  readonly #fleet: Fleet;
  readonly #boards: (shape: Shape) => readonly Scoreboard[];
  readonly #policy: Policy;
  readonly #now: number;
  readonly #decision: Decision;
  readonly #ledger: Ledger;
  readonly #placements: Placement[] = [];
  readonly #verdicts: VerdictGroup[] = [];
  #reservations = 0;

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
    this.#ledger = new Ledger(tree, fleetAmounts(fleet.snapshot), policy, now);
    holdersOf(fleet.snapshot, this.#ledger);
  }

  run(queue: PendingQueue): RoundOutcome {
    this.#wait(queue.release(this.#now));
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
    return { placements: this.#placements, preemptions: [], verdicts: this.#verdicts, full };
  }

  *#cursors(queue: PendingQueue) {
    const views = new Map<string, ShapeView>();
    const viewOf = (shape: Shape): ShapeView => {
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
      yield [account, new Cursor(group, account, viewOf(group.shape))] as const;
    }
  }

  /** Deals with the next job of a group. */
  #step(cursor: Cursor): void {
    const job = cursor.head;
    const refusals: QuotaRefusal[] = [];
    for (const [alternative, board] of cursor.view.boards().entries()) {
      let refusal = quotaRefusal(cursor.account, cursor.view.uses[alternative]!);
      const rows = refusal === undefined ? board.choose() : undefined;
      if (rows !== undefined) refusal = this.#place(cursor, job, board, rows);
      if (refusal !== undefined) refusals.push(refusal);
      else if (rows !== undefined) {
        cursor.advance();
        return;
      }
    }
    // An alternative that the account may take is waited for, however many others it may not.
    if (refusals.length < cursor.view.uses.length) {
      this.#block(cursor, job);
      return;
    }
    const { reason, message } = refusals[0]!;
    this.#say(cursor.finish(), reason, () => ({ message }));
  }

  #block(cursor: Cursor, job: PendingJob): void {
    const blocked = new Blocked(this.#fleet, cursor.view.boards());
    const kept = this.#keepNodes(job, blocked);
    // Once a group is blocked all of it is; it goes on only while its jobs are old enough to have nodes kept for them.
    const jobs = kept === undefined ? cursor.finish() : [job];
    if (kept !== undefined) cursor.advance();
    const suffix = kept === undefined ? '' : ` Kept for it: ${kept}.`;
    let detail: Verdict['detail'] | undefined;
    this.#say(jobs, blocked.reason, () => {
      detail ??= withSuffix(blocked.detail(), suffix);
      return detail;
    });
  }

  /** Places a job, unless its account may not take what these nodes would give it. */
  #place({ account }: Cursor, job: PendingJob, board: Scoreboard, rows: readonly number[]): QuotaRefusal | undefined {
    const { request } = board;
    const choices = rows.map((row) => devicesToTake(this.#fleet, request, row));
    const use = takenUse(this.#fleet, request, choices);
    const refusal = quotaRefusal(account, use);
    if (refusal !== undefined) return refusal;
    const { nodes, sites } = this.#fleet.snapshot;
    const explanation = explain(this.#fleet, board, rows, this.#decision);
    this.#ledger.charge(account, use);
    this.#placements.push({
      jobId: job.id as JobId,
      jobRevision: job.revision,
      siteId: sites.ids[nodes.site[rows[0]!]!] as SiteId,
      ranks: rows.map((row, rank) => this.#takeRank(request, row, choices[rank]!)),
      explanation,
    });
    return undefined;
  }

  #takeRank(request: NodeRequest, row: number, choice: Pick<DeviceChoice, 'rows' | 'milli'>): RankPlacement {
    const { snapshot } = this.#fleet;
    this.#fleet.take(row, request, choice.rows, choice.milli);
    return {
      nodeId: snapshot.nodes.ids[row] as NodeId,
      cpuMilli: request.cpuMilli,
      memoryBytes: request.memoryBytes,
      diskBytes: request.diskBytes,
      devices: choice.rows.map((device, i) => ({
        deviceId: snapshot.devices.ids[device] as DeviceId,
        milli: choice.milli[i]!,
      })),
    };
  }

  /** Keeps nodes for a job that has waited long enough; says which, or undefined when none are kept. */
  #keepNodes(job: PendingJob, blocked: Blocked): string | undefined {
    const waitedSeconds = (this.#now - Math.max(job.submittedAt, job.notBefore)) / 1000;
    if (!(waitedSeconds >= this.#policy.reserveAfterSeconds)) return undefined;
    if (this.#reservations >= this.#policy.maxReservations) return undefined;
    if (blocked.reason !== 'insufficient_capacity' && blocked.reason !== 'behind_others') return undefined;
    for (const { request, capacity } of blocked.possible()) {
      const rows = nodesToKeep(this.#fleet, request, capacity);
      if (rows === undefined) continue;
      this.#reservations += 1;
      for (const row of rows) this.#fleet.keep(row, request);
      const names = rows.slice(0, 3).map((row) => this.#fleet.snapshot.nodes.ids[row]);
      return rows.length > 3 ? `${names.join(', ')} and ${rows.length - 3} more nodes` : names.join(', ');
    }
    return undefined;
  }

  #wait(jobs: readonly PendingJob[]): void {
    if (jobs.length === 0) return;
    for (const reason of ['earliest_start', 'retry_backoff'] as const) {
      const waiting = jobs.filter((job) => (job.notBeforeReason ?? 'earliest_start') === reason);
      const why = reason === 'earliest_start' ? 'Its earliest start is' : 'It is tried again at';
      const detail = (job: PendingJob) => ({ message: `${why} ${instantOf(job.notBefore)}.` });
      if (waiting.length > 0) this.#say(waiting, reason, detail);
    }
  }

  #refuse(group: Group, fault: string): void {
    const detail = { message: `The request makes no sense (${fault}), so no node can ever hold it.` };
    this.#say(group.jobs(), 'no_matching_node', () => detail);
  }

  #say(jobs: readonly PendingJob[], reason: Verdict['reason'], detailOf: VerdictGroup['detail']): void {
    const detail = (job: PendingJob): Verdict['detail'] => {
      const missed = missedDeadline(job, this.#now);
      return withSuffix(detailOf(job), missed === undefined ? '' : ` ${missed}`);
    };
    this.#verdicts.push({ jobs, reason, detail });
  }
}

function withSuffix(detail: Verdict['detail'], suffix: string): Verdict['detail'] {
  return suffix === '' ? detail : { ...detail, message: detail.message + suffix };
}

/** An instant for people; beyond what a date can hold it is never. */
const instantOf = (at: number) => (Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : 'never');
