/**
 * One of several schedulers: production's round engine on a copy of the rows that is as old as its last pull, an optimistic commit, and
 * what `workload-scheduler.ts` does with the answer. It may die at any point of a round; what it knew is gone, what it committed is not.
 */

import type { NodeRow, SiteRow } from '../../src/cmo/scheduler/core/rows.ts';
import type { Policy } from '../../src/cmo/scheduler/core/snapshot.ts';
import type { RunningRow } from '../../src/cmo/scheduler/running-rows.ts';
import type { QueuedJob } from '../../src/cmo/scheduler/worker/messages.ts';
import { RoundEngine } from '../../src/cmo/scheduler/worker/round-engine.ts';
import type { CommitResult, Placement } from '../../src/common/contract/plan.ts';
import type { Stand } from './stand.ts';

/** The database as a scheduler sees it. */
export interface Rows {
  readonly sites: readonly SiteRow[];
  nodeIds(): Iterable<string>;
  node(id: string): NodeRow | undefined;
  queuedIds(): Iterable<string>;
  /** Undefined: not queued. */
  queued(id: string): QueuedJob | undefined;
  /** What the job holds; undefined: nothing. */
  running(id: string): RunningRow | undefined;
  runningIds(): Iterable<string>;
  /** Whether a job ended by itself. */
  finished(id: string): boolean;
  commit(placements: readonly Placement[]): Promise<CommitResult>;
  /** Asks a job to end for another. */
  preempt(id: string): void;
  /** The answer of a commit, or that there was none: for the record of what clients saw. */
  answered(placements: readonly Placement[], calledAt: number, result: CommitResult | undefined): void;
}

/** Longest pause between rounds while something waits. */
const resyncMs = 30_000;
const pauseMs = { least: 200, most: 1_500 };

export class Scheduler {
  readonly #stand: Stand;
  readonly #rows: Rows;
  readonly #policy: Policy;
  #engine = new RoundEngine();
  #dirtyNodes = new Set<string>();
  #dirtyJobs = new Set<string>();
  #isReset = true;
  #isBusy = false;
  /** When its next round is; a nearer one may come to stand before it. */
  #plannedAt: number | null = null;
  /** Grows with every death, so that what a dead one had under way is not carried on by the next. */
  #life = 0;
  /** How wrong its clock is, milliseconds. */
  skewMs = 0;
  /** Where it dies next. */
  diesAt: 'before-commit' | 'after-commit' | null = null;

  constructor(stand: Stand, rows: Rows, policy: Policy) {
    this.#stand = stand;
    this.#rows = rows;
    this.#policy = policy;
  }

  nodeChanged(id: string): void {
    this.#dirtyNodes.add(id);
    this.#plan();
  }

  jobChanged(id: string): void {
    this.#dirtyJobs.add(id);
    this.#plan();
  }

  /** Runs a round at this very instant, whoever else does. */
  async roundNow(): Promise<void> {
    if (!this.#isBusy) await this.#round();
  }

  #plan(at = this.#stand.time.now + this.#stand.random.whole(pauseMs.least, pauseMs.most)): void {
    if (this.#isBusy || (this.#plannedAt !== null && this.#plannedAt <= at)) return;
    this.#plannedAt = at;
    this.#stand.time.at(at, async () => {
      if (this.#plannedAt !== at || this.#isBusy) return;
      await this.#round();
    });
  }

  #pull(): void {
    if (this.#isReset) {
      this.#isReset = false;
      this.#engine.reset();
      this.#engine.apply({ sites: this.#rows.sites.map((row) => [row.id, row]) });
      this.#dirtyNodes = new Set(this.#rows.nodeIds());
      this.#dirtyJobs = new Set([...this.#rows.queuedIds(), ...this.#rows.runningIds()]);
    }
    this.#engine.apply({
      nodes: [...this.#dirtyNodes].map((id) => [id, this.#rows.node(id) ?? null]),
      jobs: [...this.#dirtyJobs].map((id) => [id, this.#rows.queued(id) ?? null]),
      running: [...this.#dirtyJobs].map((id) => [id, this.#rows.running(id) ?? null, this.#rows.finished(id)]),
      now: this.#stand.time.now + this.skewMs,
    });
    this.#dirtyNodes = new Set();
    this.#dirtyJobs = new Set();
  }

  async #round(): Promise<void> {
    this.#plannedAt = null;
    this.#pull();
    const summary = this.#engine.run(this.#policy, this.#stand.time.now + this.skewMs);
    this.#stand.counts.rounds += 1;
    for (const { jobId } of summary.preemptions) {
      this.#stand.counts.preempted += 1;
      this.#rows.preempt(jobId);
    }
    if (summary.placementCount === 0) {
      // That a job has waited long enough to have nodes kept for it is told by no event.
      const due = summary.nextAt === null ? Number.POSITIVE_INFINITY : summary.nextAt - this.skewMs;
      const { now } = this.#stand.time;
      this.#plan(Math.max(now + 100, Math.min(now + resyncMs, due)));
      return;
    }
    const placements = this.#engine.placements(0, summary.placementCount);
    const calledAt = this.#stand.time.now;
    const life = this.#life;
    this.#isBusy = true;
    const isSlow = this.#stand.random.next() < 0.05;
    this.#stand.time.in(this.#stand.random.whole(20, isSlow ? 8_000 : 400), () =>
      this.#commit(placements, calledAt, life),
    );
  }

  async #commit(placements: readonly Placement[], calledAt: number, life: number): Promise<void> {
    if (this.diesAt === 'before-commit') {
      this.#rows.answered(placements, calledAt, undefined);
      this.#die();
      return;
    }
    if (life !== this.#life) return;
    const result = await this.#rows.commit(placements);
    this.#stand.counts.commits += result.committed.length;
    this.#stand.counts.refused += result.refused.length;
    if (this.diesAt === 'after-commit') {
      this.#rows.answered(placements, calledAt, undefined);
      this.#die();
      return;
    }
    this.#stand.time.in(this.#stand.random.whole(5, 300), () => {
      this.#rows.answered(placements, calledAt, result);
      this.#settle(placements, result);
    });
  }

  #settle(placements: readonly Placement[], { committed, refused }: CommitResult): void {
    this.#engine.settle({ committed: committed.map(({ jobId }) => jobId), refused, unknown: [] });
    const ids = new Set<string>(refused.map(({ jobId }) => jobId));
    for (const id of ids) this.#dirtyJobs.add(id);
    for (const { jobId, ranks } of placements) {
      if (ids.has(jobId)) for (const { nodeId } of ranks) this.#dirtyNodes.add(nodeId);
    }
    this.#isBusy = false;
    this.#plan();
  }

  #die(): void {
    this.diesAt = null;
    this.#life += 1;
    this.#stand.counts.crashes += 1;
    this.#engine = new RoundEngine();
    this.#isReset = true;
    this.#stand.time.in(this.#stand.random.whole(500, 10_000), () => {
      this.#isBusy = false;
      this.#plan();
    });
  }
}
