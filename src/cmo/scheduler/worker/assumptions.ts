/**
 * What was planned and is not yet in the rows that were read: capacity that must not be planned twice.
 *
 * A plan's placements are taken from the snapshot when it is sent. Refused ones are given back. Committed ones stay taken until their
 * node's row arrives with the new counters, which include them (or their release). Uncommitted ones are taken again on top of any row that
 * arrives meanwhile.
 */
import type { Placement } from '../../../common/contract/plan.ts';
import type { PendingJob } from '../core/snapshot.ts';
import type { NodeUse, SnapshotStore } from '../state/snapshot-store.ts';

interface Assumption {
  readonly job: PendingJob;
  readonly uses: Map<string, NodeUse>;
  settled: boolean;
}

export class Assumptions {
  readonly #store: SnapshotStore;
  readonly #byJob = new Map<string, Assumption>();
  readonly #byNode = new Map<string, Set<string>>();

  constructor(store: SnapshotStore) {
    this.#store = store;
  }

  get size(): number {
    return this.#byJob.size;
  }

  /** Takes a placement from the snapshot. */
  assume(job: PendingJob, placement: Placement): void {
    const uses = new Map(placement.ranks.map((rank) => [rank.nodeId as string, rank]));
    this.#byJob.set(job.id, { job, uses, settled: false });
    for (const [nodeId, use] of uses) {
      this.#store.use(use, 1);
      this.#byNode.set(nodeId, (this.#byNode.get(nodeId) ?? new Set()).add(job.id));
    }
  }

  /** Whether a plan of this job is on its way to the database. */
  isOpen(jobId: string): boolean {
    return this.#byJob.get(jobId)?.settled === false;
  }

  /** The placement is in the database, or may be: it stays taken until its nodes' rows arrive. */
  settle(jobId: string): void {
    const assumption = this.#byJob.get(jobId);
    if (assumption !== undefined) assumption.settled = true;
  }

  /** Gives a refused placement back and returns its job, or undefined when it is not assumed. */
  refuse(jobId: string): PendingJob | undefined {
    const assumption = this.#byJob.get(jobId);
    if (assumption === undefined) return undefined;
    for (const [nodeId, use] of assumption.uses) {
      this.#store.use(use, -1);
      this.#forget(jobId, nodeId);
    }
    return assumption.job;
  }

  /** A node's row has been applied: what is settled is in its counters, what is open is taken again. */
  onNode(nodeId: string): void {
    for (const jobId of [...(this.#byNode.get(nodeId) ?? [])]) {
      const assumption = this.#byJob.get(jobId)!;
      if (assumption.settled) this.#forget(jobId, nodeId);
      else this.#store.use(assumption.uses.get(nodeId)!, 1);
    }
  }

  #forget(jobId: string, nodeId: string): void {
    const assumption = this.#byJob.get(jobId)!;
    assumption.uses.delete(nodeId);
    if (assumption.uses.size === 0) this.#byJob.delete(jobId);
    const jobs = this.#byNode.get(nodeId)!;
    jobs.delete(jobId);
    if (jobs.size === 0) this.#byNode.delete(nodeId);
  }
}
