/**
 * Room that is being made: what comes back when work that is being ended has ended, less what it was promised to.
 *
 * A promise takes at once what is free on its nodes, so that nobody else gets it, and the rest from what comes back. So several jobs may be
 * promised room on one node, no more work is ended than they need, and what nobody was promised stays free for all.
 */
import { Future, fitsFree } from '../backfill/future.ts';
import type { Capacity } from '../capacity.ts';
import { chooseDevices } from '../devices.ts';
import type { Fleet } from '../fleet.ts';
import type { NodeRequest } from '../request.ts';
import type { HeldRank, Holder } from '../running.ts';

export class Claims {
  readonly #fleet: Fleet;
  readonly #leaving: Set<Holder>;
  /** What was promised of it. */
  readonly #promised: HeldRank[] = [];

  constructor(fleet: Fleet, leaving: Iterable<Holder>) {
    this.#fleet = fleet;
    this.#leaving = new Set(leaving);
  }

  get leaving(): ReadonlySet<Holder> {
    return this.#leaving;
  }

  add(holders: Iterable<Holder>): void {
    for (const holder of holders) this.#leaving.add(holder);
  }

  /** What will be free once all that is being ended has ended. */
  future(): Future {
    const future = new Future(this.#fleet);
    for (const holder of this.#leaving) future.release(holder);
    for (const rank of this.#promised) future.releaseRank(rank, -1);
    return future;
  }

  /** Nodes at one site, one a rank, that will have room; undefined when there are not enough. */
  rowsFor(request: NodeRequest, { usable, pick }: Capacity): number[] | undefined {
    // Which ranks go together is not looked at here: who asks for that waits for what ends by itself.
    if (pick !== undefined) return undefined;
    const touched = new Set([...this.#leaving].flatMap(({ ranks }) => ranks.map(({ row }) => row)));
    let future: Future | undefined;
    for (const [, rows] of [...usable].sort((a, b) => a[0] - b[0])) {
      // Where nothing ends there is no room for a single rank, or it would have been placed.
      const candidates = request.ranks === 1 ? rows.filter((row) => touched.has(row)) : rows;
      if (candidates.length < request.ranks) continue;
      future ??= this.future();
      const chosen: number[] = [];
      for (const row of candidates) {
        if (this.#fleet.keptFor(row) !== undefined || !fitsFree(this.#fleet.snapshot, future, request, row)) continue;
        chosen.push(row);
        if (chosen.length === request.ranks) return chosen;
      }
    }
    return undefined;
  }

  /** Promises room for a rank on each of the rows, which will have it. */
  promise(request: NodeRequest, rows: readonly number[]): void {
    const future = this.future();
    for (const row of rows) {
      const available = { milli: future.milli, unhealthyToo: false };
      const choice = chooseDevices(this.#fleet.snapshot, row, request.devices, available);
      this.#take(request, row, choice.rows, choice.milli);
    }
  }

  #take(request: NodeRequest, row: number, devices: readonly number[], milli: readonly number[]): void {
    const fleet = this.#fleet;
    const now = {
      cpuMilli: within(fleet.cpuMilli[row]!, request.cpuMilli),
      memoryBytes: within(fleet.memoryBytes[row]!, request.memoryBytes),
      diskBytes: within(fleet.diskBytes[row]!, request.diskBytes),
    };
    const milliNow = devices.map((device, i) => within(fleet.milli[device]!, milli[i]!));
    this.#promised.push({
      row,
      cpuMilli: request.cpuMilli - now.cpuMilli,
      memoryBytes: request.memoryBytes - now.memoryBytes,
      diskBytes: request.diskBytes - now.diskBytes,
      devices,
      milli: milli.map((amount, i) => amount - milliNow[i]!),
    });
    fleet.take(row, { ...request, ...now }, devices, milliNow);
  }
}

/** As much of what is wanted as is free. */
const within = (free: number, wanted: number): number => Math.max(0, Math.min(free, wanted));
