/**
 * The line of those that wait for nodes: who is before whom, and when each is expected to start.
 *
 * When a blocked job would fit is worked out as if nobody waited before it (`backfill/earliest-fit.ts`), which is right for the first alone.
 * So the line is played forward once a round, if anybody asks: jobs in the order in which rounds would take them, by priority, shares and
 * turn, each holding its part for as long as it is expected to run. Jobs that ask for the same kind of thing (cores; devices of one
 * kind and models) stand in one line, on the nodes that could hold the first of them; who asks for something else is neither before nor
 * behind them. A rank counts by how often it fits the largest node, so that of nodes of eight devices one that wants five takes eight.
 */
import { endOf } from '../backfill/ends.ts';
import { PoolQueue } from '../backfill/pool-queue.ts';
import { likelySecondsOf } from '../backfill/run-class.ts';
import type { Fleet } from '../fleet.ts';
import type { CompiledDevice, NodeRequest } from '../request.ts';
import type { HeldRank, Holder } from '../running.ts';
import { FairOrder, type JobSource } from '../shares/fair-order.ts';
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

/** Jobs that are played in a round, from the front. */
const mostPlayed = 100;
/** Lines of a round; each costs a look at all that runs, a microsecond and more, of which so many looks are spent. */
const mostLines = 8;
const mostLooks = 20_000;

/** Jobs of one group that wait for nodes, in order. */
export interface Waiting {
  readonly account: string;
  readonly use: Use;
  readonly jobs: Iterable<PendingJob>;
  readonly blocked: Blocked;
  /** Nodes are kept for them, so that they go before those for whom none are. */
  readonly isKept: boolean;
}

interface Placed {
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

type Facts = Pick<PendingJob, 'tenant' | 'priority' | 'submittedAt'>;

export class Line {
  readonly #world: LineWorld;
  readonly #waiting: Waiting[] = [];
  readonly #placed: Placed[] = [];
  #played: Played | undefined;

  constructor(world: LineWorld) {
    this.#world = world;
  }

  wait(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#played = undefined;
  }

  /** The round has placed a job, which runs from now on. */
  place(placed: Placed): void {
    this.#placed.push(placed);
    this.#played = undefined;
  }

  /**
   * The place of one of the waiting; of several that came at once, as those of an array, that of the first. Undefined: it stands in no line, or
   * more runs than is looked at.
   */
  placeOf(waiting: Waiting, job: Facts): Place | undefined {
    if (this.#mostLines() === 0) return undefined;
    this.#played ??= this.#play();
    return this.#played.places.get(waiting)?.get(textOf(job)) ?? this.#played.lineOf(waiting.blocked)?.end();
  }

  /** None where too much runs to be looked at in each round. */
  #mostLines(): number {
    const running = this.#world.fleet.snapshot.running?.length ?? 0;
    return Math.min(mostLines, Math.floor(mostLooks / Math.max(1, running)));
  }

  #play(): Played {
    const places = new Map<Waiting, Map<string, Place>>();
    const ledger = this.#world.ledger();
    for (const { account, use } of this.#placed) ledger.charge(ledger.account(account), use);
    const lines = new Map<string, Pool | undefined>();
    let played = 0;
    /** Whether its line is one that is played. */
    const start = (job: PendingJob, waiting: Waiting): boolean => {
      const line = this.#lineOf(waiting.blocked, lines);
      if (line === undefined) return false;
      const place = line.start(job, waiting.blocked.wanted);
      const known = places.get(waiting) ?? new Map<string, Place>();
      places.set(waiting, known);
      if (!known.has(textOf(job))) known.set(textOf(job), place);
      played += 1;
      ledger.charge(ledger.account(waiting.account), waiting.use);
      return true;
    };
    for (const waiting of this.#waiting) if (waiting.isKept) for (const job of waiting.jobs) start(job, waiting);
    const order = new FairOrder<Source>();
    const sources = this.#waiting.filter(({ isKept }) => !isKept).map((waiting) => new Source(waiting));
    order.add(
      sources.filter(({ isDone }) => !isDone).map((one) => [ledger.account(one.waiting.account), one] as const),
    );
    for (let source = order.next(); source !== undefined && played < mostPlayed; source = order.next()) {
      const isPlayed = start(source.head, source.waiting);
      source.advance();
      // What stands in no line that is played is passed over whole.
      if (isPlayed && !source.isDone) order.back(source);
      else order.drop();
    }
    return { places, lineOf: (blocked) => lines.get(kindOf(blocked.wanted)) };
  }

  #lineOf(blocked: Blocked, lines: Map<string, Pool | undefined>): Pool | undefined {
    const key = kindOf(blocked.wanted);
    if (!lines.has(key)) {
      const isPlayed = lines.size < this.#mostLines();
      lines.set(key, isPlayed ? new Pool(this.#world, blocked, this.#placed) : undefined);
    }
    return lines.get(key);
  }
}

interface Played {
  readonly places: ReadonlyMap<Waiting, ReadonlyMap<string, Place>>;
  lineOf(blocked: Blocked): Pool | undefined;
}

const textOf = ({ tenant, priority, submittedAt }: Facts): string => `${tenant} ${priority} ${submittedAt}`;

/** Jobs of a group as an order takes them. */
class Source implements JobSource {
  readonly waiting: Waiting;
  readonly #jobs: Iterator<PendingJob>;
  #head: PendingJob | undefined;

  constructor(waiting: Waiting) {
    this.waiting = waiting;
    this.#jobs = waiting.jobs[Symbol.iterator]();
    this.advance();
  }

  get head(): PendingJob {
    return this.#head!;
  }

  get use(): Use {
    return this.waiting.use;
  }

  get isDone(): boolean {
    return this.#head === undefined;
  }

  advance(): void {
    const { value, done } = this.#jobs.next();
    this.#head = done ? undefined : value;
  }
}

/** What it asks for, whatever the amount. */
function kindOf({ shape, alternative }: NodeRequest): string {
  const list = shape.resources.deviceAlternatives[alternative]!;
  return (
    list
      .map(({ kind, models }) => `${kind}/${[...models].sort().join('|')}`.toLowerCase())
      .sort()
      .join(' ') || 'cpu'
  );
}

/** The nodes that could hold jobs of a kind, as one. */
class Pool {
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
