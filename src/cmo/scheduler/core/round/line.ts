/**
 * The line of those that wait for nodes: who is before whom, and when each is expected to start.
 *
 * When a blocked job would fit is worked out as if nobody waited before it (`backfill/earliest-fit.ts`), which is right for the first alone.
 * So the line is played forward once a round, if anybody asks: jobs in the order in which rounds would take them, by priority, shares and
 * turn, each holding its part for as long as it is expected to run. Jobs that ask for the same kind of thing (cores; devices of one
 * kind and models) stand in one line, on the nodes that could hold the first of them; who asks for something else is neither before nor
 * behind them.
 */
import type { NodeRequest } from '../request.ts';
import { FairOrder, type JobSource } from '../shares/fair-order.ts';
import type { Use } from '../shares/use.ts';
import type { PendingJob } from '../snapshot.ts';
import type { Blocked } from '../verdict.ts';
import { type LineWorld, type Place, type Placed, Pool } from './line-pool.ts';

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
