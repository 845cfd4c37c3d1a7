/**
 * The nodes that could hold jobs of a kind, as one pool in which a line of them is played forward (`line.ts`), once with likely and once with
 * careful run times. A rank counts by how often it fits the largest node, so that of nodes of eight devices one that wants five takes eight.
 */
import { endOf } from '../backfill/ends.ts';
import { PoolQueue } from '../backfill/pool-queue.ts';
import { likelySecondsOf } from '../backfill/run-class.ts';
import type { Fleet } from '../fleet.ts';
import type { CompiledDevice, NodeRequest } from '../request.ts';
import type { HeldRank, Holder } from '../running.ts';
import type { Ledger } from '../shares/ledger.ts';
import type { Use } from '../shares/use.ts';
import type { PendingJob, Snapshot } from '../snapshot.ts';
import type { Blocked } from '../verdict.ts';

/** Where a job stands in its line. */
export interface Place {
  /** Jobs before it that wait for the same kind of thing. */
  readonly ahead: number;
  /** It stands further behind: `ahead` is the least, and so are the times. */
  readonly isLast: boolean;
  /** When it is expected to start, seconds from now; null when nobody knows. */
  readonly likelySeconds: number | null;
  /** The same if those before it run as long as they hardly ever do; never less. */
  readonly carefulSeconds: number | null;
}

/** A job that the round has placed. */
export interface Placed {
  readonly account: string;
  readonly use: Use;
  readonly request: NodeRequest;
  readonly rows: readonly number[];
  readonly job: PendingJob;
}

export interface LineWorld {
  readonly fleet: Pick<Fleet, 'snapshot' | 'classes'>;
  /** A ledger with what ran when the round began. */
  ledger(): Ledger;
  holders(): readonly Holder[];
  /** Epoch milliseconds. */
  readonly now: number;
}

export class Pool {
  readonly #perNode: Float64Array;
  readonly #most: number;
  readonly #devices: readonly CompiledDevice[];
  readonly #likely: PoolQueue;
  readonly #careful: PoolQueue;
  #ahead = 0;

  constructor({ fleet, holders, now }: LineWorld, blocked: Blocked, placed: readonly Placed[]) {
    this.#devices = blocked.wanted.devices;
    const { snapshot, classes } = fleet;
    this.#perNode = new Float64Array(snapshot.nodes.length);
    const byGroup = new Map<number, number>();
    let capacity = 0;
    let most = 0;
    for (const row of [...blocked.wantedCapacity().usable.values()].flat()) {
      const group = classes.group[row]!;
      const amount = byGroup.get(group) ?? this.#capacityOf(snapshot, row);
      byGroup.set(group, amount);
      this.#perNode[row] = amount;
      capacity += amount;
      most = Math.max(most, amount);
    }
    this.#most = most;
    const running = holders().map((holder) => ({
      size: holder.ranks.reduce((sum, rank) => sum + this.#heldBy(snapshot, rank), 0),
      seconds: (endOf(holder, now) - now) / 1000,
    }));
    const fresh = placed.map(({ request, rows, job }) => ({
      size: rows.filter((row) => this.#perNode[row]! > 0).length * this.#sizeOf(request),
      job,
    }));
    const spans = (secondsOf: (job: PendingJob) => number) =>
      [...running, ...fresh.map(({ size, job }) => ({ size, seconds: secondsOf(job) }))].filter(({ size }) => size > 0);
    this.#likely = new PoolQueue(capacity, spans(likely));
    this.#careful = new PoolQueue(capacity, spans(careful));
  }

  /** Of one rank. */
  #sizeOf({ cpuMilli, deviceMilli }: NodeRequest): number {
    return this.#whole(this.#devices.length > 0 ? deviceMilli : cpuMilli);
  }

  start(job: PendingJob, request: NodeRequest): Place {
    const size = request.ranks * this.#sizeOf(request);
    const ahead = this.#ahead;
    this.#ahead += 1;
    const likelySeconds = this.#likely.start({ size, seconds: likely(job) });
    const late = this.#careful.start({ size, seconds: careful(job) });
    // A longer run time can by chance open a gap earlier; a careful answer is not to be the shorter one.
    const carefulSeconds = likelySeconds === null || late === null ? null : Math.max(likelySeconds, late);
    return { ahead, isLast: false, likelySeconds, carefulSeconds };
  }

  /** Behind all that were played. */
  end(): Place {
    const [likelySeconds, carefulSeconds] = [this.#likely.soonest, this.#careful.soonest];
    return { ahead: this.#ahead, isLast: true, likelySeconds, carefulSeconds };
  }

  #capacityOf(snapshot: Snapshot, row: number): number {
    const { nodes, devices } = snapshot;
    if (this.#devices.length === 0) return nodes.cpuMilli[row]!;
    let sum = 0;
    const end = nodes.deviceStart[row]! + nodes.deviceCount[row]!;
    for (let device = nodes.deviceStart[row]!; device < end; device += 1) {
      if (devices.healthy[device] === 1 && this.#counts(snapshot, device)) sum += devices.milli[device]!;
    }
    return sum;
  }

  #counts({ devices }: Snapshot, device: number): boolean {
    return this.#devices.some(
      ({ kind, models }) => devices.kind[device] === kind && (models === null || models[devices.model[device]!] === 1),
    );
  }

  #heldBy(snapshot: Snapshot, { row, cpuMilli, devices, milli }: HeldRank): number {
    if (row < 0 || this.#perNode[row] === 0) return 0;
    if (this.#devices.length === 0) return this.#whole(cpuMilli);
    return this.#whole(devices.reduce((sum, device, i) => sum + (this.#counts(snapshot, device) ? milli[i]! : 0), 0));
  }

  /** What of the largest node goes with a rank that takes so much of it. */
  #whole(amount: number): number {
    if (!(amount > 0)) return 0;
    return amount > this.#most ? amount : this.#most / Math.floor(this.#most / amount);
  }
}

const likely = ({ runTime }: PendingJob): number => likelySecondsOf(runTime) ?? Number.POSITIVE_INFINITY;

function careful(job: PendingJob): number {
  const seconds = job.runTime?.carefulSeconds;
  return seconds !== undefined && seconds > 0 ? Math.max(likely(job), seconds) : Number.POSITIVE_INFINITY;
}
