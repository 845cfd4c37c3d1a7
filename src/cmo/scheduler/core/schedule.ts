/**
 * `schedule(snapshot, pending, policy, now) → Plan`: one scheduling round as a pure function. Simulator, quotes and production call it.
 *
 * Jobs go in order (priority, then arrival). Each shape is scored over all nodes once (`scoreboard.ts`); a placement takes from the round's
 * copy of the counters and re-scores only the nodes it changed. Within a round capacity only shrinks, so when one job of a shape does not
 * fit, none of the rest does, and they share its verdict. Old blocked jobs get nodes kept (`reserve.ts`).
 *
 * Ranks of a gang stand on distinct nodes of one site: `nodes` in the spec means nodes, and an allocation holds a device once.
 */
import type { Placement, Plan, RankPlacement } from '../../../common/contract/plan.ts';
import type { DeviceId, JobId, NodeId, SiteId } from '../../../common/ids.ts';
import { type Decision, explain } from './explain.ts';
import { Fleet } from './fleet.ts';
import { devicesToTake } from './fragmentation.ts';
import { MinHeap } from './min-heap.ts';
import { compareJobs, type Group, PendingQueue } from './pending-queue.ts';
import { checkPolicy } from './policy.ts';
import { compileShape } from './request.ts';
import { nodesToKeep } from './reserve.ts';
import { Scoreboard } from './scoreboard.ts';
import type { ExpectedShape, PendingJob, Policy, Snapshot } from './snapshot.ts';
import { Blocked, type Verdict } from './verdict.ts';

/** Jobs that share a reason; the sentence is worked out when it is asked for. */
export interface VerdictGroup {
  readonly jobs: readonly PendingJob[];
  readonly reason: Verdict['reason'];
  detail(job: PendingJob): Verdict['detail'];
}

export interface RoundOutcome {
  readonly placements: readonly Placement[];
  readonly verdicts: readonly VerdictGroup[];
  /** Whether the round ended by `maxPlacements`; jobs it did not reach keep the verdict they have. */
  readonly full: boolean;
}

/**
 * Plans one round.
 * @param pending queued jobs in any order; of several with one id the last counts
 * @param now epoch milliseconds
 * @param round counted by the caller, for explanations
 * @returns placements in order, and a verdict for each job that was reached and not placed
 * @throws InvalidPolicyError, or RangeError when `now` is no instant
 */
export function schedule(
  snapshot: Snapshot,
  pending: Iterable<PendingJob>,
  policy: Policy,
  now: number,
  round = 0,
): Plan {
  // In order from the start, so that the plan does not depend on the order in which jobs were given.
  const jobs = [...new Map([...pending].map((job) => [job.id, job])).values()].sort(compareJobs);
  const outcome = planRound(snapshot, new PendingQueue(jobs), policy, now, round);
  return planOf(outcome, round);
}

/** The outcome as a plan: with a verdict for each job. */
export function planOf(outcome: RoundOutcome, round: number): Plan {
  return {
    round,
    placements: outcome.placements,
    deferrals: [],
    preemptions: [],
    pending: outcome.verdicts.flatMap(({ jobs, reason, detail }) =>
      jobs.map((job) => ({ jobId: job.id as JobId, reason, detail: detail(job) })),
    ),
  };
}

/** As `schedule`, on a queue that is kept from round to round, and with verdicts by group. Leaves the queue as it is. */
export function planRound(
  snapshot: Snapshot,
  queue: PendingQueue,
  policy: Policy,
  now: number,
  round: number,
): RoundOutcome {
  checkPolicy(policy);
  if (!(Math.abs(now) <= 8.64e15)) throw new RangeError(`now must be epoch milliseconds, not ${now}`);
  const fleet = new Fleet(snapshot, policy.placement === 'least-fragmentation' ? expected(snapshot, queue) : undefined);
  return new Round(fleet, policy, now, round).run(queue);
}

/** What is expected to come: what came, else what is queued. In a fixed order, so that sums do not depend on that of arrival. */
function expected({ workload }: Snapshot, queue: PendingQueue): readonly ExpectedShape[] {
  if (workload !== undefined && workload.length > 0) return workload;
  const sound = [...queue.groups()].filter((group) => group.fault === undefined);
  const shapes = sound.map((group) => ({ kind: group.shape, weight: group.jobs().length }));
  return shapes.filter(({ weight }) => weight > 0).sort((a, b) => (a.kind.key < b.kind.key ? -1 : 1));
}

/** How far a round is with a group. */
interface Cursor {
  readonly group: Group;
  readonly jobs: readonly PendingJob[];
  next: number;
  /** One an alternative, made when the first job of the group is looked at. */
  boards: Scoreboard[];
}

class Round {
  readonly #fleet: Fleet;
  readonly #policy: Policy;
  readonly #now: number;
  readonly #decision: Decision;
  readonly #placements: Placement[] = [];
  readonly #verdicts: VerdictGroup[] = [];
  #reservations = 0;

  constructor(fleet: Fleet, policy: Policy, now: number, round: number) {
    this.#fleet = fleet;
    this.#policy = policy;
    this.#now = now;
    this.#decision = { policy: policy.name, round, decidedAt: new Date(now).toISOString() };
  }

  run(queue: PendingQueue): RoundOutcome {
    this.#wait(queue.release(this.#now));
    const heads = new MinHeap<Cursor>((a, b) => compareJobs(a.jobs[a.next]!, b.jobs[b.next]!));
    for (const group of queue.groups()) {
      if (group.fault === undefined) heads.push({ group, jobs: group.jobs(), next: 0, boards: [] });
      else this.#refuse(group, group.fault);
    }
    let full = false;
    for (let cursor = heads.pop(); cursor !== undefined; cursor = heads.pop()) {
      full = this.#placements.length >= this.#policy.maxPlacements;
      if (full) break;
      if (this.#step(cursor)) heads.push(cursor);
    }
    return { placements: this.#placements, verdicts: this.#verdicts, full };
  }

  /** Deals with the next job of a group; false when the group is done with. */
  #step(cursor: Cursor): boolean {
    if (cursor.boards.length === 0) this.#open(cursor);
    const job = cursor.jobs[cursor.next]!;
    for (const board of cursor.boards) board.sync();
    for (const board of cursor.boards) {
      const rows = board.choose();
      if (rows === undefined) continue;
      this.#place(job, board, rows);
      cursor.next += 1;
      return cursor.next < cursor.jobs.length;
    }
    const blocked = new Blocked(this.#fleet, cursor.boards);
    const kept = this.#keepNodes(job, blocked);
    // Once a group is blocked all of it is; it goes on only while its jobs are old enough to have nodes kept for them.
    const jobs = kept === undefined ? cursor.jobs.slice(cursor.next) : [job];
    const suffix = kept === undefined ? '' : ` Kept for it: ${kept}.`;
    let detail: Verdict['detail'] | undefined;
    this.#verdicts.push({
      jobs,
      reason: blocked.reason,
      detail: () => {
        detail ??= withSuffix(blocked.detail(), suffix);
        return detail;
      },
    });
    cursor.next += jobs.length;
    return cursor.next < cursor.jobs.length;
  }

  #open(cursor: Cursor): void {
    cursor.boards = compileShape(cursor.group.shape, this.#fleet.snapshot).map(
      (request) => new Scoreboard(this.#fleet, request),
    );
  }

  #place(job: PendingJob, board: Scoreboard, rows: readonly number[]): void {
    const { nodes, sites } = this.#fleet.snapshot;
    const explanation = explain(this.#fleet, board, rows, this.#decision);
    this.#placements.push({
      jobId: job.id as JobId,
      jobRevision: job.revision,
      siteId: sites.ids[nodes.site[rows[0]!]!] as SiteId,
      ranks: rows.map((row) => this.#takeRank(board, row)),
      explanation,
    });
  }

  #takeRank({ request }: Scoreboard, row: number): RankPlacement {
    const { snapshot } = this.#fleet;
    const choice = devicesToTake(this.#fleet, request, row);
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
      if (waiting.length > 0) this.#verdicts.push({ jobs: waiting, reason, detail });
    }
  }

  #refuse(group: Group, fault: string): void {
    const detail = { message: `The request makes no sense (${fault}), so no node can ever hold it.` };
    this.#verdicts.push({ jobs: group.jobs(), reason: 'no_matching_node', detail: () => detail });
  }
}

function withSuffix(detail: Verdict['detail'], suffix: string): Verdict['detail'] {
  return suffix === '' ? detail : { ...detail, message: detail.message + suffix };
}

/** An instant for people; beyond what a date can hold it is never. */
const instantOf = (at: number) => (Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : 'never');
