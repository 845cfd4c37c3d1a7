/**
 * What the worker does, without the thread: holds snapshot and queue, runs rounds, assumes what it planned.
 *
 * A planned job leaves the queue at once and comes back when its placement is refused, unless a newer row of it arrived meanwhile.
 */
import type { PendingVerdict, Placement, Plan } from '../../../common/contract/plan.ts';
import type { PendingReason } from '../../../common/contract/states/job.ts';
import type { JobId } from '../../../common/ids.ts';
import { LearnedWorkload } from '../../../drm/allocator/packing/index.ts';
import { type Booking, nextTurn, projectsApart } from '../core/calendar/booking.ts';
import type { JobRecord, Said } from '../core/job-record.ts';
import { baseOf } from '../core/neighbours/rules.ts';
import { PendingQueue } from '../core/pending-queue.ts';
import { planRound, type RoundOutcome } from '../core/schedule.ts';
import { faultOfShape } from '../core/shape.ts';
import type { AccountRow } from '../core/shares/account.ts';
import { accountsOf } from '../core/shares/check-accounts.ts';
import type { PendingJob, Policy, Shape, Snapshot } from '../core/snapshot.ts';
import { StandingFleet } from '../core/standing-fleet.ts';
import type { JobTraits } from '../job-traits.ts';
import { SnapshotStore } from '../state/snapshot-store.ts';
import { Assumptions } from './assumptions.ts';
import type { ComparedKind, Comparison, Delta, QueuedJob, RoundSummary, Settlement } from './messages.ts';
import { Promises } from './promises.ts';
import { RunTimes } from './run-times.ts';
import { RunningSet } from './running-set.ts';
import { VerdictMemory } from './verdict-memory.ts';

/** The inputs of a round and what came of it, as long as nothing is applied. */
export interface RoundRecord {
  readonly snapshot: Snapshot;
  readonly jobs: readonly PendingJob[];
  readonly policy: Policy;
  readonly now: number;
  readonly round: number;
  readonly outcome: RoundOutcome;
}

export class RoundEngine {
  #store = new SnapshotStore();
  #queue = new PendingQueue();
  #assumptions = new Assumptions(this.#store);
  readonly #standing: StandingFleet;
  #memory: VerdictMemory;
  readonly #refreshMs: number | undefined;
  #runTimes = new RunTimes();
  #running = new RunningSet(this.#runTimes);
  #promises = new Promises();
  #accounts: readonly AccountRow[] = [];
  #calendar: readonly Booking[] = [];
  /** Of jobs that were planned, for those that come back. */
  #traits = new Map<string, JobTraits>();
  /** Names that many jobs have, each once: every message brings copies of its own. */
  #names = new Map<string, string>();
  /** Learned anew from the queue when the worker starts anew: what is still queued is what matters most. */
  #workload = new LearnedWorkload<Shape>();
  /** Rows of jobs that arrived while a plan of theirs was open. */
  #arrived = new Map<string, QueuedJob | null>();
  #round = 0;
  /** Of the last round, epoch milliseconds. */
  #now = 0;
  #placements: readonly Placement[] = [];
  #verdicts: readonly PendingVerdict[] = [];
  readonly #turns = new Map<ComparedKind, Iterator<string>>();

  /** @param refreshMs how long what a waiting job is told stands at least while its reason stays; left out: as the running scheduler has it */
  constructor(standing = new StandingFleet(), refreshMs?: number) {
    this.#standing = standing;
    this.#refreshMs = refreshMs;
    this.#memory = new VerdictMemory(refreshMs);
  }

  /** Forgets everything; rows come anew. Rounds go on counting. */
  reset(): void {
    this.#store = new SnapshotStore();
    this.#queue = new PendingQueue();
    this.#assumptions = new Assumptions(this.#store);
    this.#memory = new VerdictMemory(this.#refreshMs);
    this.#runTimes = new RunTimes();
    this.#running = new RunningSet(this.#runTimes);
    this.#promises = new Promises();
    this.#accounts = [];
    this.#calendar = [];
    this.#traits = new Map();
    this.#names = new Map();
    this.#workload = new LearnedWorkload();
    this.#arrived = new Map();
    this.#turns.clear();
  }

  apply({ sites = [], nodes = [], jobs = [], running = [], accounts, calendar, history, now = 0 }: Delta): void {
    if (history !== undefined) this.#running.remember(history);
    if (accounts !== undefined || calendar !== undefined) {
      this.#accounts = accounts ?? this.#accounts;
      this.#calendar = calendar ?? this.#calendar;
      this.#queue.regroup(accountsOf({ accounts: this.#accounts }), projectsApart(this.#calendar));
    }
    this.#store.apply({ sites: new Map(sites), nodes: new Map(nodes) });
    for (const [id] of nodes) this.#assumptions.onNode(id);
    for (const [id, row, finished] of running) {
      // Of what is on its way to the database the rows know nothing yet.
      if (row !== null || !this.#assumptions.isOpen(id)) this.#running.set(id, row, now, finished);
    }
    for (const [id, row] of jobs) this.#receive([id, ...(row?.alike ?? [])], row, now);
  }

  #receive(ids: readonly string[], row: QueuedJob | null, now: number): void {
    const free = ids.filter((id) => !this.#assumptions.isOpen(id));
    if (free.length < ids.length) {
      for (const id of ids) if (this.#assumptions.isOpen(id)) this.#arrived.set(id, row);
    }
    if (row !== null) {
      for (const id of free) if (this.#queue.recordOf(id) === undefined) this.#learn(row.job.shape);
    }
    this.#setJobs(free, row, now);
  }

  #learn(given: Shape): void {
    const shape = baseOf(given);
    if (faultOfShape(shape) === undefined) this.#workload.observe(shape.key, shape);
  }

  /** Jobs that are equal in all but their ids wait, or (null) do not any more. */
  #setJobs(ids: readonly string[], row: QueuedJob | null, now: number): void {
    if (row === null) {
      for (const id of ids) {
        this.#leave(id);
        this.#traits.delete(id);
        this.#runTimes.left(id);
        this.#promises.drop(id);
      }
      return;
    }
    const { job, reason } = row;
    let { runTime } = job;
    // A promise outlives the row that it was made on.
    const kept = new Map<string, number>();
    for (const id of ids) {
      const since = this.#queue.recordOf(id)?.facts.keptSince;
      if (since !== undefined) kept.set(id, since);
      // A job that was refused comes back without its traits.
      const traits = row.traits ?? this.#traits.get(id) ?? this.#runTimes.traitsOf(id);
      if (traits !== undefined) runTime = this.#runTimes.queued(id, traits, job.submittedAt, now);
      this.#leave(id);
    }
    const said = saidByRow(reason);
    const isSingle = (id: string) => this.#promises.has(id) || kept.has(id);
    const others = ids.some(isSingle) ? ids.filter((id) => !isSingle(id)) : ids;
    const facts = {
      ...withRunTime(job, runTime),
      tenant: this.#once(job.tenant),
      project: this.#once(job.project),
      ...(job.user !== undefined && { user: this.#once(job.user) }),
    };
    this.#queue.setAll(others, { ...facts, promised: false }, said);
    if (others.length < ids.length) {
      for (const id of ids.filter(isSingle)) {
        const since = kept.get(id);
        const single = { ...facts, promised: this.#promises.has(id), ...(since !== undefined && { keptSince: since }) };
        this.#queue.setAll([id], single, said);
      }
    }
    this.#memory.count(said, ids.length);
  }

  #once(name: string): string {
    const known = this.#names.get(name) ?? name;
    this.#names.set(name, known);
    return known;
  }

  /** A job is not in the queue any more. */
  #leave(id: string): void {
    const record = this.#queue.recordOf(id);
    if (record === undefined) return;
    this.#memory.count(record.saidOf(id), -1);
    this.#queue.delete(id);
  }

  /** Whether a queued job is one that room is made for. */
  #setPromised(ids: Iterable<string>, promised: boolean): void {
    for (const id of ids) {
      const job = this.#queue.get(id);
      if (job !== undefined) this.#queue.set({ ...job, promised });
    }
  }

  /** Nodes are kept for these jobs: from now on nobody who comes later goes before them. */
  #promiseTurn(ids: readonly string[], now: number): void {
    for (const id of ids) {
      const job = this.#queue.get(id);
      if (job?.keptSince === undefined && (job?.patienceSeconds ?? 0) > 0) this.#queue.set({ ...job!, keptSince: now });
    }
  }

  /**
   * Plans a round and assumes it. Ask for placements and verdicts afterwards.
   * @param record gets the round before anything is assumed
   */
  run(policy: Policy, now: number, record?: (round: RoundRecord) => void): Omit<RoundSummary, 'seconds'> {
    this.#round += 1;
    this.#now = now;
    this.#setPromised(this.#promises.expire(now), false);
    for (const [id, runTime] of this.#runTimes.takeMoved(now)) {
      const job = this.#queue.get(id);
      if (job !== undefined) this.#queue.set(withRunTime(job, runTime));
    }
    const snapshot = this.#prepare(policy, now);
    const outcome = planRound(snapshot, this.#queue, policy, now, this.#round, this.#standing);
    if (record !== undefined) {
      const jobs = [...this.#queue.ids()].map((id) => this.#queue.get(id)!);
      record({ snapshot, jobs, policy, now, round: this.#round, outcome });
    }
    this.#placements = outcome.placements;
    this.#verdicts = this.#memory.changed(outcome.verdicts, now);
    for (const placement of outcome.placements) {
      const job = this.#queue.get(placement.jobId)!;
      const traits = this.#runTimes.traitsOf(job.id);
      if (traits !== undefined) this.#traits.set(job.id, traits);
      this.#leave(job.id);
      this.#assumptions.assume(job, placement);
      this.#running.assume(job, placement, traits, now);
    }
    this.#running.preempt(outcome.preemptions, now);
    this.#setPromised(this.#promises.make(outcome.preemptions, now), true);
    this.#promiseTurn(outcome.kept, now);
    const waiting = this.#queue.release(now);
    return {
      round: this.#round,
      placementCount: this.#placements.length,
      preemptions: outcome.preemptions,
      verdictCount: this.#verdicts.length,
      full: outcome.full,
      nextAt: earliest(waiting, nextTurn(this.#calendar, now)),
      pending: this.#memory.counts(),
    };
  }

  /**
   * What a round would decide about jobs that are not queued, beside all that is: each alone is placed, or has a verdict. Nothing of
   * it is kept.
   */
  tryOut(jobs: readonly QueuedJob[], policy: Policy, now: number): Pick<Plan, 'placements' | 'pending'> {
    for (const row of jobs) this.#setJobs([row.job.id], row, now);
    const snapshot = this.#prepare(policy, now);
    const outcome = planRound(snapshot, this.#queue, policy, now, 0, this.#standing);
    const ids = new Set<string>(jobs.map(({ job }) => job.id));
    const pending = outcome.verdicts.flatMap(({ jobs: some, reason, detail }) =>
      [...some].flatMap((job) => (ids.has(job.id) ? [{ jobId: job.id as JobId, reason, detail: detail(job) }] : [])),
    );
    this.#setJobs([...ids], null, now);
    this.#promiseTurn(outcome.kept, now);
    return { placements: outcome.placements.filter(({ jobId }) => ids.has(jobId)), pending };
  }

  /** What is, for who plans no round; valid until something is applied. */
  view(): Snapshot {
    return {
      ...this.#store.snapshot,
      accounts: this.#accounts,
      calendar: this.#calendar,
      running: this.#running.jobs(),
    };
  }

  /** The snapshot to plan on, with all that changed since the last one. */
  #prepare(policy: Policy, now: number): Snapshot {
    const power = policy.powerAware === true ? this.#store.power : undefined;
    return this.#standing.prepare(
      {
        ...this.view(),
        preemptedLastHour: this.#running.preemptedLastHour(now),
        ...(power && { power }),
      },
      { nodes: this.#store.takeChanged(), running: this.#running.takeChanged() },
      { shapes: this.#workload.shares(), arrivals: this.#workload.arrivals },
      policy.placement,
    );
  }

  placements(from: number, count: number): readonly Placement[] {
    return this.#placements.slice(from, from + count);
  }

  verdicts(from: number, count: number): readonly PendingVerdict[] {
    return this.#verdicts.slice(from, from + count);
  }

  settle({ committed, refused, unknown }: Settlement): void {
    for (const id of [...committed, ...unknown]) {
      this.#assumptions.settle(id);
      this.#promises.drop(id);
      this.#traits.delete(id);
      const row = this.#arrived.get(id);
      this.#arrived.delete(id);
      // A row that arrived before the commit is older than it; only a later one counts, and its key is dirty again.
      if (row === null) this.#setJobs([id], null, this.#now);
    }
    for (const { jobId, code } of refused) {
      const job = this.#assumptions.refuse(jobId);
      this.#running.refuse(jobId, this.#now);
      const row = this.#arrived.get(jobId);
      this.#arrived.delete(jobId);
      if (row !== undefined) this.#setJobs([jobId], row, this.#now);
      else if (job !== undefined && code !== 'job_changed')
        this.#setJobs([jobId], { job, reason: 'capacity_taken' }, this.#now);
      this.#traits.delete(jobId);
    }
  }

  compare(kind: ComparedKind, rows: readonly (readonly [string, number])[], count: number): Comparison {
    const differing = rows.filter(([id, revision]) => this.#revisionOf(kind, id) !== revision).map(([id]) => id);
    return { differing, held: this.#nextHeld(kind, count) };
  }

  #revisionOf(kind: ComparedKind, id: string): number | undefined {
    if (kind === 'site') return this.#store.siteRevisions.get(id);
    if (kind === 'node') return this.#store.nodeRevisions.get(id);
    const record = this.#queue.recordOf(id);
    return record === undefined ? undefined : Number(record.facts.revision);
  }

  /** The next ids in turn; starts over at the end. Maps may change under their iterators. */
  #nextHeld(kind: ComparedKind, count: number): string[] {
    const ids: string[] = [];
    while (ids.length < count) {
      const turn = this.#turns.get(kind) ?? this.#idsOf(kind);
      const { value, done } = turn.next();
      if (done) {
        this.#turns.delete(kind);
        break;
      }
      this.#turns.set(kind, turn);
      ids.push(value);
    }
    return ids;
  }

  #idsOf(kind: ComparedKind): Iterator<string> {
    if (kind === 'job') return this.#queue.ids();
    return (kind === 'site' ? this.#store.siteRevisions : this.#store.nodeRevisions).keys();
  }
}

const byReason = new Map<PendingReason, Said>();

/** What a row says of which only the reason is read; one object for all jobs. */
function saidByRow(reason: PendingReason): Said {
  const known = byReason.get(reason) ?? { reason, message: '', at: 0 };
  byReason.set(reason, known);
  return known;
}

function withRunTime(job: PendingJob, runTime: PendingJob['runTime']): PendingJob {
  const { runTime: _, ...rest } = job;
  return runTime === undefined ? rest : { ...rest, runTime };
}

/** When the first of the jobs may start, or the calendar turns; null when neither is foreseen. */
function earliest(waiting: readonly JobRecord[], turn: number | null): number | null {
  const first = waiting.reduce((least, { facts }) => Math.min(least, facts.notBefore), turn ?? Infinity);
  return first === Infinity ? null : first;
}
