/**
 * Nodes that are kept for a job from a foreseen moment on, and who may still use them (conservative backfill).
 *
 * Until that moment a kept node would idle. So another job may stand there if it is believed to have ended by then, or if what will be free
 * then holds both. The first is as good as its prediction; a time limit makes it certain.
 */
import { countMissing } from '../devices.ts';
import type { Fleet } from '../fleet.ts';
import { devicesToTake } from '../fragmentation.ts';
import type { NodeRequest } from '../request.ts';
import type { HeldRank } from '../running.ts';
import type { Scoreboard } from '../scoreboard.ts';
import type { EarliestFit } from './earliest-fit.ts';
import type { End } from './ends.ts';
import { fitsFree } from './future.ts';

interface Hold {
  readonly request: NodeRequest;
  /** Epoch milliseconds. */
  readonly at: number;
  /** What stands there now and has ended by then. */
  readonly released: HeldRank[];
}

/** Of the request's board: what could hold a rank of an idle fleet, and whether all would fit if nothing were kept. */
type Board = Pick<Scoreboard, 'capacity' | 'fitsWithoutReservations'>;

export class Holds {
  readonly #fleet: Fleet;
  readonly #now: number;
  readonly #byRow = new Map<number, Hold>();
  /** How long a job had to run at least to find no place, and how many nodes were kept then: other groups of its shape need not look. */
  readonly #refused = new Map<NodeRequest, { readonly kept: number; readonly seconds: number }>();
  /** Free thousandths of one node's devices at a moment; the rest is stale. */
  #milli: Int32Array | undefined;

  constructor(fleet: Fleet, now: number) {
    this.#fleet = fleet;
    this.#now = now;
  }

  /** When the first job for which nodes are kept is expected to start, epoch milliseconds; undefined without any. */
  firstAt(): number | undefined {
    let first: number | undefined;
    for (const { at } of this.#byRow.values()) if (first === undefined || at < first) first = at;
    return first;
  }

  /** Keeps nodes for a job from the moment on at which it is expected to fit them. */
  keep(request: NodeRequest, { at, rows }: EarliestFit, ends: readonly End[]): void {
    const holds = new Map(rows.map((row) => [row, { request, at, released: [] as HeldRank[] }]));
    for (const end of ends) {
      if (end.at > at) break;
      for (const rank of end.holder.ranks) holds.get(rank.row)?.released.push(rank);
    }
    for (const [row, hold] of holds) {
      this.#byRow.set(row, hold);
      this.#fleet.keep(row, request);
    }
  }

  /**
   * Nodes for all ranks of a job that did not fit otherwise, some of them kept for others.
   * @param board whose capacity tells which nodes could hold a rank if they were idle
   * @param mostSeconds that it is believed to run at most; Infinity when nobody knows
   */
  choose(request: NodeRequest, board: Board, mostSeconds: number): number[] | undefined {
    if (this.#byRow.size === 0) return undefined;
    const refused = this.#refused.get(request);
    if (refused?.kept === this.#byRow.size && mostSeconds >= refused.seconds) return undefined;
    const rows = board.fitsWithoutReservations() ? this.#search(request, board, mostSeconds) : undefined;
    if (rows === undefined) this.#refused.set(request, { kept: this.#byRow.size, seconds: mostSeconds });
    return rows;
  }

  #search(request: NodeRequest, board: Board, mostSeconds: number): number[] | undefined {
    for (const [, rows] of [...board.capacity().usable].sort((a, b) => a[0] - b[0])) {
      if (rows.length < request.ranks) continue;
      const chosen: number[] = [];
      // A single rank has been refused by every node that is not kept.
      const candidates = request.ranks === 1 ? rows.filter((row) => this.#byRow.has(row)) : rows;
      for (const row of candidates) {
        if (!this.#mayStand(request, row, mostSeconds)) continue;
        chosen.push(row);
        if (chosen.length === request.ranks) return chosen;
      }
    }
    return undefined;
  }

  #mayStand(request: NodeRequest, row: number, mostSeconds: number): boolean {
    const hold = this.#byRow.get(row);
    if (hold === undefined && this.#fleet.keptFor(row) !== undefined) return false;
    if (!fitsFree(this.#fleet.snapshot, this.#fleet, request, row)) return false;
    return hold === undefined || this.#endsBefore(hold, mostSeconds) || this.#fitsBeside(hold, request, row);
  }

  #endsBefore({ at }: Hold, mostSeconds: number): boolean {
    return this.#now + 1000 * mostSeconds <= at;
  }

  /** Whether the node will hold both at the moment that it is kept for. */
  #fitsBeside({ request: kept, released }: Hold, request: NodeRequest, row: number): boolean {
    const { snapshot } = this.#fleet;
    const sum = (of: (rank: HeldRank) => number) => released.reduce((total, rank) => total + of(rank), 0);
    if (!(this.#fleet.cpuMilli[row]! + sum((rank) => rank.cpuMilli) - request.cpuMilli >= kept.cpuMilli)) return false;
    const memory = this.#fleet.memoryBytes[row]! + sum((rank) => rank.memoryBytes);
    if (!(memory - request.memoryBytes >= kept.memoryBytes)) return false;
    const disk = this.#fleet.diskBytes[row]! + sum((rank) => rank.diskBytes);
    if (!(disk - request.diskBytes >= kept.diskBytes)) return false;
    if (kept.devices.length === 0) return true;
    this.#milli ??= new Int32Array(this.#fleet.milli.length);
    const milli = this.#milli;
    const start = snapshot.nodes.deviceStart[row]!;
    const end = start + snapshot.nodes.deviceCount[row]!;
    for (let device = start; device < end; device += 1) milli[device] = this.#fleet.milli[device]!;
    const taken = devicesToTake(this.#fleet, request, row);
    for (const [i, device] of taken.rows.entries()) milli[device]! -= taken.milli[i]!;
    for (const { devices, milli: amounts } of released) {
      for (const [i, device] of devices.entries()) milli[device]! += amounts[i]!;
    }
    return countMissing(snapshot, row, kept.devices, { milli, unhealthyToo: false }) === 0;
  }

  /** A rank was placed on a node: what ends before the moment for which it is kept comes back by then. */
  placed(rank: HeldRank, mostSeconds: number): void {
    const hold = this.#byRow.get(rank.row);
    if (hold !== undefined && this.#endsBefore(hold, mostSeconds)) hold.released.push(rank);
  }
}
