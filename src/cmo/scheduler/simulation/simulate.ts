/**
 * Runs a trace through production's decisions under virtual time: arrivals, ends and failures in order, a round after each instant.
 *
 * The round is the worker's own (`RoundEngine`), the commit the allocator's on its in-memory store; only jobs and machines are played. With
 * one scheduler that sees every change at once nothing is ever refused; several at once, and everything that goes wrong between them, are the
 * matter of the fault simulation (`npm run soak -- sim`). Nothing here reads a clock, so the same inputs give the same result to the last bit.
 *
 * A round between two events could place nothing that the one before did not, so none is run there: time passes from event to event.
 */
import type { Placement } from '../../../common/contract/plan.ts';
import { MinHeap } from '../core/min-heap.ts';
import type { PendingJob, Policy } from '../core/snapshot.ts';
import { RoundEngine } from '../worker/round-engine.ts';
import { NodeFailures } from './failures.ts';
import { SimulatedFleet } from './fleet.ts';
import { FragmentationSamples, type Sample } from './fragmentation-samples.ts';
import type { Cluster } from './inputs/cluster-file.ts';
import { SimulatedLedger } from './ledger.ts';
import type { SimulatedJob } from './workload.ts';

export interface SimulationInput {
  readonly cluster: Cluster;
  /** In order of submission. */
  readonly jobs: readonly SimulatedJob[];
  readonly policy: Policy;
  /** Start of every random choice, which are those of failures. */
  readonly seed: number;
}

/** A time that a job held something; seconds since the first submission. */
export interface Run {
  readonly job: number;
  readonly from: number;
  readonly to: number;
  /** By node index: thousandths of devices, or of cores where no device is held. */
  readonly nodes: readonly number[];
  readonly milli: number;
  /** The node was lost under it, or it was ended for others, so it did not count. */
  readonly lost: boolean;
}

export interface JobOutcome {
  /** First and last start, and end, seconds since the first submission; NaN: it never came so far. */
  firstStart: number;
  lastStart: number;
  endedAt: number;
  attempts: number;
}

export interface SimulationResult {
  readonly outcomes: readonly JobOutcome[];
  readonly runs: readonly Run[];
  readonly fragmentation: readonly Sample[];
  readonly rounds: number;
  readonly placements: number;
  readonly nodeFailures: number;
  readonly preemptions: number;
  /** How many jobs were never placed, by what the scheduler said of them last. */
  readonly unplaced: ReadonlyMap<string, number>;
}

/** From the request to end work until it has ended, seconds. */
const stopSeconds = 30;

type Happening =
  /** `confirmed`: it was lost or told to end, and by now it has ended for certain. */
  | { readonly at: number; readonly kind: 'end' | 'confirmed'; readonly attempt: string }
  | { readonly at: number; readonly kind: 'lost' | 'back'; readonly node: number };

type Event = Happening & { readonly seq: number };

interface Running {
  readonly attempt: string;
  readonly job: number;
  readonly from: number;
  readonly nodes: readonly number[];
  /** Its node was lost, or it is ended for others: nothing of it counts, and it holds what it holds until its end is certain. */
  lost: boolean;
}

/** @throws InvalidPolicyError */
export async function simulate(input: SimulationInput): Promise<SimulationResult> {
  const simulation = new Simulation(input, await SimulatedFleet.of(input.cluster));
  return simulation.run();
}

class Simulation {
  readonly #input: SimulationInput;
  readonly #fleet: SimulatedFleet;
  /** What it says is asked for at the end only, and would cost more than all else when it is said anew in each round. */
  readonly #engine = new RoundEngine(undefined, Number.POSITIVE_INFINITY);
  readonly #ledger = new SimulatedLedger();
  readonly #events = new MinHeap<Event>((a, b) => a.at - b.at || a.seq - b.seq);
  readonly #failures: NodeFailures | null;
  readonly #nodeIndex: ReadonlyMap<string, number>;
  readonly #running = new Map<string, Running>();
  readonly #byJob = new Map<number, Running>();
  /** By node: attempts that stand there. */
  readonly #onNode: Set<string>[];
  readonly #outcomes: JobOutcome[];
  readonly #runs: Run[] = [];
  readonly #fragmentation: FragmentationSamples;
  /** By job: why it waits, as the scheduler said last. */
  readonly #said = new Map<number, string>();
  #seq = 0;
  #next = 0;
  #rounds = 0;
  #placements = 0;
  #nodeFailures = 0;
  #preemptions = 0;
  #downNodes = 0;

  constructor(input: SimulationInput, fleet: SimulatedFleet) {
    const { cluster, jobs, seed } = input;
    this.#input = input;
    this.#fleet = fleet;
    this.#failures = cluster.failures && new NodeFailures(cluster.failures, seed, cluster.nodes.length);
    this.#nodeIndex = new Map(cluster.nodes.map(({ id }, index) => [id, index]));
    this.#onNode = cluster.nodes.map(() => new Set());
    this.#outcomes = jobs.map(() => ({
      firstStart: Number.NaN,
      lastStart: Number.NaN,
      endedAt: Number.NaN,
      attempts: 0,
    }));
    this.#fragmentation = new FragmentationSamples(jobs, fleet.rows);
  }

  async run(): Promise<SimulationResult> {
    const { accounts } = this.#input.cluster;
    this.#engine.apply({ sites: this.#fleet.sites.map((row) => [row.id, row]), accounts });
    await this.#feed();
    if (this.#failures) for (const node of this.#onNode.keys()) this.#at(this.#failures.untilLost(node), 'lost', node);
    for (let now = this.#nextInstant(); now < Number.POSITIVE_INFINITY; now = this.#nextInstant()) {
      await this.#happen(now);
      await this.#decide(now);
      this.#fragmentation.at(now);
    }
    return {
      outcomes: this.#outcomes,
      runs: this.#runs,
      fragmentation: this.#fragmentation.samples(),
      rounds: this.#rounds,
      placements: this.#placements,
      nodeFailures: this.#nodeFailures,
      preemptions: this.#preemptions,
      unplaced: this.#unplaced(),
    };
  }

  /** Failures alone keep nothing going: when nothing runs and nothing can come, it is over. */
  #nextInstant(): number {
    const submitted = this.#input.jobs[this.#next]?.submittedAt ?? Number.POSITIVE_INFINITY;
    const waits = this.#ledger.queued.size > 0 && this.#downNodes > 0;
    if (submitted === Number.POSITIVE_INFINITY && this.#running.size === 0 && !waits) return submitted;
    return Math.min(submitted, this.#events.peek()?.at ?? Number.POSITIVE_INFINITY);
  }

  #push(happening: Happening): void {
    this.#seq += 1;
    this.#events.push({ ...happening, seq: this.#seq });
  }

  #at(at: number, kind: 'lost' | 'back', node: number): void {
    this.#push({ at, kind, node });
  }

  /** Everything of one instant: ends first, so that what arrives finds what they leave. */
  async #happen(now: number): Promise<void> {
    const ended: string[] = [];
    for (let event = this.#events.peek(); event !== undefined && event.at <= now; event = this.#events.peek()) {
      this.#events.pop();
      if ('attempt' in event) this.#end(event, now, ended);
      else if (event.kind === 'lost') await this.#lose(event.node, now);
      else await this.#restore(event.node, now);
    }
    await this.#fleet.release(ended);
    const { jobs } = this.#input;
    for (; jobs[this.#next] !== undefined && jobs[this.#next]!.submittedAt <= now; this.#next += 1) {
      this.#queue(jobs[this.#next]!, now);
    }
  }

  #end(
    { kind, attempt }: { readonly kind: 'end' | 'confirmed'; readonly attempt: string },
    now: number,
    ended: string[],
  ) {
    const run = this.#running.get(attempt);
    if (run === undefined || (run.lost && kind === 'end')) return;
    const { job, from, nodes, lost } = run;
    ended.push(attempt);
    this.#running.delete(attempt);
    this.#byJob.delete(job);
    for (const node of nodes) this.#onNode[node]!.delete(attempt);
    this.#runs.push({ job, from, to: now, nodes, milli: this.#input.jobs[job]!.milli, lost });
    this.#engine.apply({ running: [[idOf(job), null, !lost]], now: Math.round(now * 1000) });
    if (lost) this.#queue(this.#input.jobs[job]!, now);
    else this.#outcomes[job]!.endedAt = now;
  }

  async #lose(node: number, now: number): Promise<void> {
    this.#nodeFailures += 1;
    this.#downNodes += 1;
    const { id } = this.#input.cluster.nodes[node]!;
    await this.#fleet.store.setNode(id, { presence: 'lost' });
    const confirmed = now + this.#input.cluster.failures!.confirmSeconds;
    for (const attempt of this.#onNode[node]!) {
      const run = this.#running.get(attempt)!;
      if (run.lost) continue;
      run.lost = true;
      this.#push({ at: confirmed, kind: 'confirmed', attempt });
    }
    this.#at(now + this.#failures!.untilBack(node), 'back', node);
  }

  async #restore(node: number, now: number): Promise<void> {
    this.#downNodes -= 1;
    await this.#fleet.store.setNode(this.#input.cluster.nodes[node]!.id, { presence: 'ready' });
    this.#at(now + this.#failures!.untilLost(node), 'lost', node);
  }

  #queue(job: SimulatedJob, now: number): void {
    const id = idOf(job.index);
    const attempts = this.#outcomes[job.index]!.attempts;
    const revision = BigInt(1 + 2 * attempts);
    const pending: PendingJob = {
      id,
      revision,
      tenant: job.owner || 'trace',
      project: 'trace',
      shape: job.shape,
      priority: 0,
      submittedAt: Math.round(job.submittedAt * 1000),
      notBefore: 0,
      notBeforeReason: null,
      ...(job.trace.user !== '' && { user: job.trace.user }),
    };
    this.#ledger.queued.set(id, { tenant: pending.tenant, revision });
    const { user, name, estimateSeconds } = job.trace;
    const traits = { user, name, size: Math.max(1, job.milli / 1000), runSeconds: estimateSeconds };
    this.#engine.apply({ jobs: [[id, { job: pending, reason: 'new', traits }]], now: Math.round(now * 1000) });
  }

  async #decide(now: number): Promise<void> {
    await this.#feed();
    const ms = Math.round(now * 1000);
    for (let again = this.#ledger.queued.size > 0; again; ) {
      const summary = this.#engine.run(this.#input.policy, ms);
      this.#rounds += 1;
      for (const { jobId, detail } of this.#engine.verdicts(0, summary.verdictCount)) {
        if (this.#outcomes[indexOf(jobId)]!.attempts === 0) this.#said.set(indexOf(jobId), detail.message);
      }
      for (const { jobId } of summary.preemptions) this.#preempt(jobId, now);
      if (summary.placementCount === 0) return;
      const placements = this.#engine.placements(0, summary.placementCount);
      const { committed, refused } = await this.#fleet.commit(placements, this.#ledger);
      this.#engine.settle({ committed: committed.map(({ jobId }) => jobId), refused, unknown: [] });
      const byJob = new Map<string, Placement>(placements.map((placement) => [placement.jobId, placement]));
      for (const { jobId, attemptId } of committed) this.#start(attemptId, byJob.get(jobId)!, now);
      await this.#feed();
      again = this.#ledger.queued.size > 0 && (summary.full || refused.length > 0);
    }
  }

  /** Work is ended for others: it begins anew later, and what it did is lost, since a trace knows no checkpoints. */
  #preempt(jobId: string, now: number): void {
    const run = this.#byJob.get(indexOf(jobId));
    if (run === undefined || run.lost) return;
    run.lost = true;
    this.#preemptions += 1;
    this.#push({ at: now + stopSeconds, kind: 'confirmed', attempt: run.attempt });
  }

  #start(attempt: string, { jobId, ranks }: Placement, now: number): void {
    const job = this.#input.jobs[indexOf(jobId)]!;
    const outcome = this.#outcomes[job.index]!;
    if (outcome.attempts === 0) outcome.firstStart = now;
    this.#said.delete(job.index);
    outcome.lastStart = now;
    outcome.attempts += 1;
    this.#placements += 1;
    const nodes = ranks.map(({ nodeId }) => this.#nodeIndex.get(nodeId)!);
    const run = { attempt, job: job.index, from: now, nodes, lost: false };
    this.#running.set(attempt, run);
    this.#byJob.set(job.index, run);
    for (const node of nodes) this.#onNode[node]!.add(attempt);
    this.#push({ at: now + job.runSeconds, kind: 'end', attempt });
  }

  async #feed(): Promise<void> {
    const nodes = await this.#fleet.takeChanged();
    if (nodes.length > 0) this.#engine.apply({ nodes });
  }

  #unplaced(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const [index, { attempts }] of this.#outcomes.entries()) {
      if (attempts > 0) continue;
      const key = this.#said.get(index) ?? 'No round came to it.';
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  }
}

const idOf = (index: number): string => `job_${String(index).padStart(9, '0')}`;
const indexOf = (id: string): number => Number(id.slice(4));
