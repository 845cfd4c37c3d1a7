/**
 * The calendar in a round: which nodes are promised to whom, who may stand there meanwhile, and what has to leave.
 *
 * A promised node is kept out of the boards altogether, like those that are kept for jobs that wait, because whether a job may stand on it
 * depends on whose it is and how long it runs, and boards are by shape. So promised nodes are looked at one by one: first for jobs that they
 * are promised to, last for others. That costs by promised nodes, and they are filled in their order and not by score.
 */
import { fitsFree } from '../backfill/future.ts';
import type { Capacity } from '../capacity.ts';
import type { Fleet } from '../fleet.ts';
import { compileShape, type NodeRequest } from '../request.ts';
import type { Holder } from '../running.ts';
import type { Shape } from '../snapshot.ts';
import { type Booking, endBy, isFor } from './booking.ts';

interface Owner {
  readonly tenant: string;
  readonly project: string;
}

/** More than any node has: who keeps so much leaves nothing to others. */
const wholeNode: Shape = {
  key: 'a whole node',
  resources: {
    cpuMilli: Number.MAX_SAFE_INTEGER,
    memoryBytes: 0,
    diskBytes: 0,
    sharedMemoryBytes: 0,
    deviceAlternatives: [[]],
    nodes: 1,
  },
  isolation: 'process',
  network: 'none',
  maxUsdPerHour: Number.POSITIVE_INFINITY,
};

export class Calendar {
  readonly #fleet: Fleet;
  readonly #now: number;
  /** By row of a node: what is promised of it, of now and later. */
  readonly #byRow = new Map<number, Booking[]>();
  /** Those that have begun. */
  readonly #open: readonly Booking[];
  /** Searches that found nothing, by request, owner and run time: capacity only shrinks in a round. */
  readonly #vain = new Map<NodeRequest, Set<string>>();
  /** Promised nodes that let a job in, by owner and run time. */
  readonly #letting = new Map<string, readonly number[]>();

  constructor(fleet: Fleet, bookings: readonly Booking[], now: number) {
    this.#fleet = fleet;
    this.#now = now;
    const live = bookings.filter(({ endsAt }) => !(endsAt <= now));
    this.#open = live.filter(({ startsAt }) => startsAt <= now);
    if (live.length === 0) return;
    const [all] = compileShape(wholeNode, fleet.snapshot);
    for (const booking of live) {
      for (const id of booking.nodes) {
        const row = fleet.rowOf(id);
        if (row < 0) continue;
        const known = this.#byRow.get(row);
        if (known !== undefined) known.push(booking);
        else {
          this.#byRow.set(row, [booking]);
          fleet.keep(row, all!);
        }
      }
    }
  }

  get isEmpty(): boolean {
    return this.#byRow.size === 0;
  }

  /** Nodes that are promised to a job's owner just now, one a rank; undefined when they have no room for all ranks. */
  own(owner: Owner, request: NodeRequest, capacity: () => Capacity, mostSeconds: number): number[] | undefined {
    const own = this.#open.filter((booking) => isFor(booking, owner));
    if (own.length === 0) return undefined;
    const isOwn = (row: number) => this.#byRow.get(row)?.some((booking) => own.includes(booking)) === true;
    const key = `own ${mostSeconds} ${owner.tenant} ${owner.project}`;
    const until = endBy(this.#now, mostSeconds);
    return this.#search(key, request, capacity, (row) => isOwn(row) && this.#lets(row, owner, until));
  }

  /** Nodes, some of them promised to others, that a job may have because it has ended before. @param mostSeconds Infinity: nobody knows */
  beside(owner: Owner, request: NodeRequest, capacity: () => Capacity, mostSeconds: number): number[] | undefined {
    if (this.isEmpty) return undefined;
    const until = endBy(this.#now, mostSeconds);
    const key = `${mostSeconds} ${owner.tenant} ${owner.project}`;
    return this.#search(key, request, capacity, (row) => {
      if (this.#byRow.has(row)) return this.#lets(row, owner, until);
      return this.#fleet.keptFor(row) === undefined;
    });
  }

  /** Promised nodes on which a job of this owner may stand, in their order, whether it fits them or not; none of those not promised. */
  openTo(owner: Owner, mostSeconds: number): readonly number[] {
    if (this.isEmpty) return [];
    const key = `${mostSeconds} ${owner.tenant} ${owner.project}`;
    let rows = this.#letting.get(key);
    if (rows === undefined) {
      const until = endBy(this.#now, mostSeconds);
      rows = [...this.#byRow.keys()].filter((row) => this.#lets(row, owner, until)).sort((a, b) => a - b);
      this.#letting.set(key, rows);
    }
    return rows;
  }

  /** Whether nothing but the calendar is in the way of a job: it would start now without. When it could stand there, if only for a while. */
  inTheWay(request: NodeRequest, { usable }: Capacity): { readonly from: number; readonly until: number } | undefined {
    if (this.isEmpty) return undefined;
    for (const rows of usable.values()) {
      const fitting = rows.filter(
        (row) => (this.#byRow.has(row) || this.#fleet.keptFor(row) === undefined) && this.#fits(request, row),
      );
      const promised = fitting.filter((row) => this.#byRow.has(row));
      if (fitting.length < request.ranks || promised.length === 0) continue;
      const first = promised.map((row) => this.#firstOf(row)).sort((a, b) => b.startsAt - a.startsAt)[0]!;
      return { from: first.startsAt, until: first.endsAt };
    }
    return undefined;
  }

  /** What stands on promised nodes though their time has come, and is not of those that they are promised to. */
  intruders(holders: () => readonly Holder[]): { readonly holder: Holder; readonly booking: Booking }[] {
    if (this.#open.length === 0) return [];
    const found: { holder: Holder; booking: Booking }[] = [];
    for (const holder of holders()) {
      if (holder.job.stopping !== null) continue;
      const of = holder.ranks.flatMap(({ row }) => this.#byRow.get(row) ?? []);
      const booking = of.find((one) => one.startsAt <= this.#now && !isFor(one, holder.job));
      if (booking !== undefined) found.push({ holder, booking });
    }
    return found;
  }

  /** Ids of the bookings of these rows that are promised to a job's owner. */
  idsFor(owner: Owner, rows: readonly number[]): string[] {
    const own = rows.flatMap((row) => this.#byRow.get(row) ?? []).filter((booking) => isFor(booking, owner));
    return [...new Set(own.map(({ id }) => id))];
  }

  #firstOf(row: number): Booking {
    return this.#byRow.get(row)!.reduce((first, one) => (one.startsAt < first.startsAt ? one : first));
  }

  /** Whether all that is promised of a node is the owner's, or begins when the job has ended. Numbers that are none let nobody. */
  #lets(row: number, owner: Owner, until: number): boolean {
    return this.#byRow.get(row)!.every((booking) => isFor(booking, owner) || until <= booking.startsAt);
  }

  #fits(request: NodeRequest, row: number): boolean {
    return fitsFree(this.#fleet.snapshot, this.#fleet, request, row);
  }

  #search(
    key: string,
    request: NodeRequest,
    capacity: () => Capacity,
    may: (row: number) => boolean,
  ): number[] | undefined {
    const vain = this.#vain.get(request) ?? new Set<string>();
    if (vain.has(key)) return undefined;
    for (const [, rows] of [...capacity().usable].sort((a, b) => a[0] - b[0])) {
      if (rows.length < request.ranks) continue;
      // A single rank has been refused by every node that is not promised.
      const candidates = request.ranks === 1 ? rows.filter((row) => this.#byRow.has(row)) : rows;
      const chosen: number[] = [];
      for (const row of candidates) {
        if (!may(row) || !this.#fits(request, row)) continue;
        chosen.push(row);
        if (chosen.length === request.ranks) return chosen;
      }
    }
    this.#vain.set(request, vain.add(key));
    return undefined;
  }
}
