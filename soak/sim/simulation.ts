/**
 * The fault simulation: several schedulers, a control plane, machines and everything that goes wrong between them, under virtual time.
 *
 * Everything that is decided is decided by production's code on production's in-memory store; what is played is what lies between
 * transactions. Nothing reads a clock or draws from anything but the seed, so a seed repeats a run to the last event.
 */

import { defaultPolicy } from '../../src/cmo/scheduler/core/policy.ts';
import type { NodeRow } from '../../src/cmo/scheduler/core/rows.ts';
import type { JobTraits } from '../../src/cmo/scheduler/job-traits.ts';
import type { RunningRow } from '../../src/cmo/scheduler/running-rows.ts';
import { rowOf } from '../../src/cmo/scheduler/simulation/fleet.ts';
import type { QueuedJob } from '../../src/cmo/scheduler/worker/messages.ts';
import type { CommitResult, Placement } from '../../src/common/contract/plan.ts';
import type { NodePresence } from '../../src/common/contract/states/node.ts';
import { type MemoryTransaction, ResourceAllocator, type WireNodeShape } from '../../src/drm/allocator/index.ts';
import { type Random, randomOf } from '../crash/random.ts';
import { Broken } from './broken.ts';
import { ControlPlane } from './control-plane.ts';
import { Coverage } from './coverage.ts';
import { History } from './history.ts';
import { Invariants } from './invariants.ts';
import { LeakyStore } from './leaky-store.ts';
import { type Command, Machine, type MachineReport, type Process, type Start } from './machine.ts';
import { nodeIds, shapeOfNode, siteOf, sites } from './nodes.ts';
import type { Protection } from './protections.ts';
import type { SimAttempt, SimJob } from './rows.ts';
import { type Rows, Scheduler } from './scheduler.ts';
import type { Counts, Stand } from './stand.ts';
import { VirtualTime } from './virtual-time.ts';

/** Silence after which a node counts as lost: three heartbeats. */
const lostAfterMs = 15_000;
const start = Date.UTC(2030, 0, 1);

export class Simulation implements Stand, Rows {
  readonly time = new VirtualTime(start);
  readonly random: Random;
  readonly coverage = new Coverage();
  readonly without: ReadonlySet<Protection>;
  readonly broken = new Broken();
  readonly invariants = new Invariants(this.broken);
  readonly history = new History();
  readonly control: ControlPlane;
  readonly machines = new Map<string, Machine>();
  readonly schedulers: readonly Scheduler[];
  readonly openAttempts = new Set<string>();
  readonly sites = sites;
  readonly counts: Counts = {
    submitted: 0,
    faults: 0,
    rounds: 0,
    commits: 0,
    refused: 0,
    crashes: 0,
    preempted: 0,
    contrary: 0,
    fenced: 0,
  };
  /** Until when follow-ups of transactions are lost, and doubled: the orchestrator that owed them died, or lost its lease and lived. */
  followUpsLostUntil = 0;
  followUpsDoubledUntil = 0;
  /** Until when a node's reports come late, twice, or out of order. */
  readonly lateUntil = new Map<string, number>();
  readonly doubledUntil = new Map<string, number>();
  readonly shuffledUntil = new Map<string, number>();
  /** Until when whoever's job is sent to a node cancels it at once. */
  readonly regrettedUntil = new Map<string, number>();
  /** Longest time that a job waited in the queue once it might start, milliseconds. */
  longestWaitMs = 0;
  readonly #store: LeakyStore;
  readonly #allocator: ResourceAllocator<MemoryTransaction>;
  readonly #rows = new Map<string, NodeRow>();
  readonly #presence = new Map<string, NodePresence>();
  readonly #commands = new Map<string, Command[]>();
  readonly #due = new Map<string, number>();
  readonly #queued = new Set<string>();
  readonly #network: Random;
  #revision = 0;
  #devices = 0;

  constructor(seed: number, schedulers: number, without: ReadonlySet<Protection>) {
    this.random = randomOf(seed, 'control plane');
    this.#network = randomOf(seed, 'network');
    this.without = without;
    this.#store = new LeakyStore(without);
    this.#allocator = new ResourceAllocator(this.#store, () => this.#newDeviceId());
    this.control = new ControlPlane(this);
    const preemption = { ...defaultPolicy.preemption, minRunSeconds: 20 };
    const policy = { ...defaultPolicy, reserveAfterSeconds: 120, preemption };
    this.schedulers = Array.from({ length: schedulers }, () => new Scheduler(this, this, policy));
  }

  async prepare(): Promise<void> {
    for (const id of nodeIds) {
      this.machines.set(id, new Machine(id, this.time, this.#outside, this.without));
      this.#presence.set(id, 'ready');
      this.#store.addNode({ id, siteId: siteOf(id), backend: 'simulator' });
      await this.report(id, shapeOfNode(id));
    }
  }

  #newDeviceId(): string {
    this.#devices += 1;
    return `dev_${String(this.#devices).padStart(6, '0')}`;
  }

  // What schedulers see.

  nodeIds = (): Iterable<string> => this.#rows.keys();
  node = (id: string): NodeRow | undefined => this.#rows.get(id);
  queuedIds = (): Iterable<string> => this.#queued;

  queued(id: string): QueuedJob | undefined {
    const job = this.control.jobs.get(id);
    if (job?.state !== 'queued') return undefined;
    const { tenant, revision, shape, priority, submittedAt, notBefore } = job;
    const notBeforeReason = notBefore > 0 ? ('retry_backoff' as const) : null;
    return {
      reason: notBefore > 0 ? 'retry_backoff' : 'new',
      traits: traitsOf(job),
      job: { id, revision, tenant, project: 'project', shape, priority, submittedAt, notBefore, notBeforeReason },
    };
  }

  runningIds = (): Iterable<string> => this.#attemptOf.keys();
  finished = (id: string): boolean => this.control.jobs.get(id)?.state === 'succeeded';

  running(id: string): RunningRow | undefined {
    const attempt = this.control.attempts.get(this.#attemptOf.get(id) ?? '');
    const job = this.control.jobs.get(id)!;
    if (attempt === undefined) return undefined;
    return {
      id,
      tenant: job.tenant,
      project: 'project',
      priority: job.priority,
      ranks: attempt.holds,
      startedAt: attempt.placed_at.getTime(),
      checkpointAt: null,
      stopping: job.state === 'stopping' ? job.stop_reason : null,
      traits: traitsOf(job),
    };
  }

  preempt = (id: string): void => this.control.request(id, 'preempt');

  /** By job that holds something: its attempt. */
  readonly #attemptOf = new Map<string, string>();

  async commit(placements: readonly Placement[]): Promise<CommitResult> {
    const now = this.time.now;
    const result = await this.#allocator.commitPlan(
      { placements },
      {
        claim: async (_, wants) =>
          new Map(
            wants.flatMap(({ jobId, revision }) => {
              const job = this.control.jobs.get(jobId)!;
              const isAsPlanned = job.state === 'queued' && job.revision === revision;
              // Without the check a job that another scheduler has placed already is placed again.
              const isPlaced = job.state === 'starting' || job.state === 'running';
              const isTaken = isAsPlanned || (this.without.has('revisionCheck') && isPlaced);
              return isTaken ? [[jobId, { tenant: job.tenant }] as const] : [];
            }),
          ),
        create: async (_, items) =>
          new Map(
            items.map(({ placement }) => {
              const job = this.control.jobs.get(placement.jobId)!;
              this.longestWaitMs = Math.max(this.longestWaitMs, now - Math.max(job.queuedAt, job.notBefore));
              return [placement.jobId, this.control.place(placement.jobId, placement.ranks)];
            }),
          ),
      },
    );
    const byJob = new Map<string, Placement>(placements.map((placement) => [placement.jobId, placement]));
    for (const { jobId, attemptId } of result.committed) {
      this.invariants.given(attemptId, byJob.get(jobId)!.ranks, (id) => this.#rows.get(id)!);
      this.coverage.move('allocation', 'none', 'held');
      this.openAttempts.add(attemptId);
      this.#attemptOf.set(jobId, attemptId);
      this.#owners.set(attemptId, ownerOf(jobId, byJob.get(jobId)!));
      this.wake(attemptId);
    }
    await this.#changed();
    return result;
  }

  /** By attempt: whose its acquisition was, as its scheduler called it. */
  readonly #owners = new Map<string, string>();

  answered(placements: readonly Placement[], calledAt: number, result: CommitResult | undefined): void {
    const committed = new Set<string>(result?.committed.map(({ jobId }) => jobId));
    for (const placement of placements) {
      const outcome = result === undefined ? 'unknown' : committed.has(placement.jobId) ? 'ok' : 'refused';
      this.history.record(
        placement.ranks.flatMap(({ devices }) => devices),
        {
          kind: 'acquire',
          owner: ownerOf(placement.jobId, placement),
          calledAt,
          answeredAt: outcome === 'unknown' ? Number.POSITIVE_INFINITY : this.time.now,
          outcome,
        },
      );
    }
  }

  jobChanged(jobId: string): void {
    if (this.control.jobs.get(jobId)!.state === 'queued') this.#queued.add(jobId);
    else this.#queued.delete(jobId);
    for (const scheduler of this.schedulers) scheduler.jobChanged(jobId);
  }

  // What the control plane does to the world.

  contactOf(nodeId: string) {
    return { presence: this.#presence.get(nodeId)!, lastAckedAt: new Date(this.machines.get(nodeId)!.lastAckedAt) };
  }

  wake(attemptId: string, at = this.time.now + this.random.whole(2, 200)): void {
    const due = this.#due.get(attemptId);
    if (due !== undefined && due <= at) return;
    this.#due.set(attemptId, at);
    this.time.at(at, async () => {
      if (this.#due.get(attemptId) !== at) return;
      this.#due.delete(attemptId);
      await this.control.step(attemptId);
    });
  }

  command(nodeId: string, command: Command): void {
    if (this.time.now < this.followUpsLostUntil) return;
    const times = this.time.now < this.followUpsDoubledUntil ? 2 : 1;
    const rows = this.#commands.get(nodeId) ?? [];
    this.#commands.set(nodeId, rows);
    for (let i = 0; i < times; i += 1) rows.push(command);
    if (command.kind === 'start' && this.time.now < (this.regrettedUntil.get(nodeId) ?? 0))
      this.time.in(this.#network.whole(10, 2_000), () => this.control.request(command.jobId, 'cancel'));
    this.time.in(this.#network.whole(5, 300), () => this.#deliver(nodeId));
  }

  #deliver(nodeId: string): void {
    const machine = this.machines.get(nodeId)!;
    if (!machine.isReachable) return;
    const isShuffled = this.time.now < (this.shuffledUntil.get(nodeId) ?? 0);
    for (const command of this.#commands.get(nodeId)?.splice(0) ?? []) {
      this.time.in(this.#network.whole(1, isShuffled ? 20_000 : 60), () => {
        if (machine.isOn && (machine.lostSince === null || machine.isFrozen)) machine.receive(command);
      });
    }
  }

  async ended(attempt: SimAttempt): Promise<void> {
    const { id } = attempt;
    const calledAt = this.time.now;
    this.openAttempts.delete(id);
    this.#attemptOf.delete(attempt.job_id);
    this.jobChanged(attempt.job_id);
    this.#due.delete(id);
    if (!this.without.has('withdraw')) {
      for (const [node, rows] of this.#commands)
        this.#commands.set(
          node,
          rows.filter((row) => row.attemptId !== id),
        );
    }
    if (!this.without.has('releaseOnEnd')) {
      const released = await this.#store.transaction((tx) => this.#allocator.release(tx, [id]));
      if (released.length > 0) {
        this.invariants.released(id);
        this.coverage.move('allocation', 'held', 'released');
        const answeredAt = calledAt + this.#network.whole(0, 200);
        const devices = attempt.holds.flatMap((rank) => rank.devices);
        this.history.record(devices, {
          kind: 'release',
          owner: this.#owners.get(id)!,
          calledAt,
          answeredAt,
          outcome: 'ok',
        });
      }
    }
    this.#owners.delete(id);
    this.invariants.ended(id);
    this.control.attempts.delete(id);
    await this.#changed();
  }

  /** What a node says of itself now. */
  async report(nodeId: string, shape: WireNodeShape): Promise<void> {
    await this.#store.transaction((tx) => this.#allocator.setNodeShape(tx, nodeId, shape));
    await this.#changed();
  }

  async setScheduling(nodeId: string, scheduling: NodeRow['scheduling']): Promise<void> {
    this.coverage.move('scheduling', this.#rows.get(nodeId)!.scheduling, scheduling);
    await this.#store.setNode(nodeId, { scheduling });
    await this.#changed();
  }

  // What befalls machines.

  lose(nodeId: string, how: 'contact' | 'power' | 'freeze'): void {
    const machine = this.machines.get(nodeId)!;
    if (how === 'contact') machine.loseContact();
    else if (how === 'power') machine.powerOff();
    else machine.freeze();
    const since = machine.lostSince;
    this.time.in(lostAfterMs, async () => {
      if (machine.lostSince === since && this.#presence.get(nodeId) === 'ready') await this.setPresence(nodeId, 'lost');
    });
  }

  async restore(nodeId: string): Promise<void> {
    const machine = this.machines.get(nodeId)!;
    if (machine.isReachable) return;
    machine.restore();
    if (this.#presence.get(nodeId) !== 'ready') await this.setPresence(nodeId, 'ready');
    this.#deliver(nodeId);
  }

  presenceOf = (nodeId: string): NodePresence => this.#presence.get(nodeId)!;

  async setPresence(nodeId: string, presence: NodePresence): Promise<void> {
    this.coverage.move('presence', this.#presence.get(nodeId)!, presence);
    this.#presence.set(nodeId, presence);
    await this.#store.setNode(nodeId, { presence });
    await this.#changed();
    for (const id of this.openAttempts) {
      if (this.control.attempts.get(id)!.holds.some((rank) => rank.nodeId === nodeId)) this.wake(id);
    }
  }

  readonly #outside = {
    send: (machine: Machine, observation: MachineReport) => {
      const is = (until: ReadonlyMap<string, number>) => this.time.now < (until.get(machine.id) ?? 0);
      const lateMs = is(this.lateUntil) ? this.#network.whole(5_000, 400_000) : 0;
      const shuffledMs = is(this.shuffledUntil) ? this.#network.whole(0, 20_000) : 0;
      this.time.in(this.#network.whole(5, 250) + lateMs + shuffledMs, () => this.control.hear(observation));
      if (is(this.doubledUntil)) this.time.in(this.#network.whole(200, 30_000), () => this.control.hear(observation));
    },
    began: (machine: Machine, process: Process) => this.invariants.began(machine, process),
    ceased: (_: Machine, process: Process) => this.invariants.ceased(process),
    wrote: ({ jobId, token }: Start) => {
      if (this.control.write(jobId, token))
        this.invariants.wrote(jobId, token, this.control.jobs.get(jobId)!.newest_token);
      else this.counts.fenced += 1;
    },
  };

  /** After a transaction: new rows, judged and told to the schedulers. */
  async #changed(): Promise<void> {
    const dirty = this.#store.takeDirty();
    if (dirty.length === 0) return;
    await this.#store.transaction(async (tx) => {
      const session = this.#store.session(tx);
      for (const id of dirty) {
        this.#revision += 1;
        const row = rowOf((await session.lockNode(id))!, this.#revision);
        this.#rows.set(id, row);
        this.invariants.counters(row);
        for (const scheduler of this.schedulers) scheduler.nodeChanged(id);
      }
    });
  }
}

const traitsOf = ({ tenant, shape }: SimJob): JobTraits => {
  const { nodes, deviceAlternatives, cpuMilli } = shape.resources;
  const devices = deviceAlternatives[0]?.[0]?.count ?? 0;
  return { user: tenant, name: shape.key, size: nodes * Math.max(1, devices || cpuMilli / 1000), runSeconds: null };
};

/** Names an acquisition as its caller can: a job at the revision that was planned, on these devices. */
const ownerOf = (jobId: string, { jobRevision, ranks }: Placement): string =>
  `${jobId}@${jobRevision}:${ranks.map(({ devices }) => devices.map(({ deviceId }) => deviceId).join('+')).join('/')}`;
