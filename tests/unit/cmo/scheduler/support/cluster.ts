/** A small cluster in virtual time, driven by rounds as they are planned: what it places runs until its end, and preempted work goes back to the queue. */

import { keptApart } from '../../../../../src/cmo/scheduler/core/neighbours/rules.ts';
import { PendingQueue } from '../../../../../src/cmo/scheduler/core/pending-queue.ts';
import type { NodeRow } from '../../../../../src/cmo/scheduler/core/rows.ts';
import type { RunningJob } from '../../../../../src/cmo/scheduler/core/running.ts';
import { planOf, planRound } from '../../../../../src/cmo/scheduler/core/schedule.ts';
import type { AccountRow } from '../../../../../src/cmo/scheduler/core/shares/account.ts';
import { accountsOf } from '../../../../../src/cmo/scheduler/core/shares/check-accounts.ts';
import type { PendingJob, Policy, Snapshot } from '../../../../../src/cmo/scheduler/core/snapshot.ts';
import type { Placement, Plan } from '../../../../../src/common/contract/plan.ts';
import { fleetOf, policy, now as start } from './builders.ts';

export interface Runs {
  readonly job: PendingJob;
  /** How long it really runs, seconds. */
  readonly seconds: number;
  readonly preemptible?: boolean;
}

export class Cluster {
  readonly nodes: readonly NodeRow[];
  accounts: readonly AccountRow[];
  readonly policy: Policy;
  now = start;
  readonly queued = new Map<string, Runs>();
  readonly running = new Map<string, RunningJob & { readonly endsReally: number; readonly runs: Runs }>();
  readonly startedAt = new Map<string, number>();
  /** Jobs that were ended for others, in order. */
  readonly preempted: string[] = [];
  preemptedLastHour = 0;

  constructor(nodes: readonly NodeRow[], accounts: readonly AccountRow[] = [], more: Partial<Policy> = {}) {
    this.nodes = nodes;
    this.accounts = accounts;
    this.policy = policy(more);
  }

  submit(...jobs: Runs[]): void {
    for (const runs of jobs) this.queued.set(runs.job.id, runs);
  }

  snapshot(): Snapshot {
    const used = new Map<string, number>();
    const add = (key: string, amount: number) => used.set(key, (used.get(key) ?? 0) + amount);
    for (const { ranks } of this.running.values()) {
      for (const rank of ranks) {
        add(`${rank.nodeId} cpu`, rank.cpuMilli);
        add(`${rank.nodeId} memory`, rank.memoryBytes);
        add(`${rank.nodeId} disk`, rank.diskBytes);
        for (const { deviceId, milli } of rank.devices) add(deviceId, milli);
      }
    }
    const rows = this.nodes.map((node) => ({
      ...node,
      usedCpuMilli: used.get(`${node.id} cpu`) ?? 0,
      usedMemoryBytes: used.get(`${node.id} memory`) ?? 0,
      usedDiskBytes: used.get(`${node.id} disk`) ?? 0,
      devices: node.devices.map((device) => ({ ...device, usedMilli: used.get(device.id) ?? 0 })),
    }));
    return {
      ...fleetOf(rows),
      accounts: this.accounts,
      running: [...this.running.values()],
      preemptedLastHour: this.preemptedLastHour,
    };
  }

  /** Plans a round and carries it out. */
  round(): Plan {
    const snapshot = this.snapshot();
    const jobs = [...this.queued.values()].map(({ job }) => job);
    const queue = new PendingQueue(jobs, accountsOf(snapshot), undefined, this.policy.order);
    const outcome = planRound(snapshot, queue, this.policy, this.now, 0);
    const plan = planOf(outcome, 0);
    for (const id of outcome.kept) {
      const runs = this.queued.get(id)!;
      this.queued.set(id, { ...runs, job: { keptSince: this.now, ...runs.job } });
    }
    for (const placement of plan.placements) this.#start(placement);
    for (const { jobId, inFavourOf } of plan.preemptions) {
      const { runs } = this.running.get(jobId)!;
      this.running.delete(jobId);
      this.preempted.push(jobId);
      this.queued.set(jobId, { ...runs, job: { ...runs.job, promised: false } });
      const winner = inFavourOf === null ? undefined : this.queued.get(inFavourOf);
      if (winner !== undefined) this.queued.set(winner.job.id, { ...winner, job: { ...winner.job, promised: true } });
    }
    return plan;
  }

  #start({ jobId, ranks }: Placement): void {
    const runs = this.queued.get(jobId)!;
    const { job, seconds, preemptible = true } = runs;
    this.queued.delete(jobId);
    this.startedAt.set(jobId, this.now);
    const careful = job.runTime?.carefulSeconds;
    const apart = keptApart(job.shape);
    this.running.set(jobId, {
      id: jobId,
      tenant: job.tenant,
      project: job.project,
      user: job.user ?? '',
      priority: job.priority,
      ranks: ranks.map((rank) => ({ ...rank })),
      startedAt: this.now,
      checkpointAt: null,
      endsAt: careful === undefined ? null : this.now + careful * 1000,
      preemptible,
      ...(job.labels !== undefined && { labels: job.labels }),
      ...(apart !== undefined && { apart }),
      stopping: null,
      endsReally: this.now + seconds * 1000,
      runs,
    });
  }

  /** Lets time pass; what has run its time ends. */
  pass(seconds: number): void {
    this.now += seconds * 1000;
    for (const [id, { endsReally }] of this.running) if (endsReally <= this.now) this.running.delete(id);
  }

  /** Devices that run for a tenant now. */
  devicesOf(tenant: string): number {
    let count = 0;
    for (const job of this.running.values()) {
      if (job.tenant === tenant) count += job.ranks.reduce((sum, rank) => sum + rank.devices.length, 0);
    }
    return count;
  }
}
