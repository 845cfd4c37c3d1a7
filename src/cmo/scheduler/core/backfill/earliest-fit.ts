/**
 * When and where a blocked job is expected to fit: the earliest moment at which enough of what runs has ended, and the nodes that hold it then.
 *
 * Ends are played one after the other on a copy of the counters; after each only the nodes that it freed are looked at. Costs the nodes that
 * could hold the job, and the ranks that end before it fits.
 */
import type { Capacity } from '../capacity.ts';
import { domainOf } from '../domains.ts';
import type { Fleet } from '../fleet.ts';
import type { NodeRequest } from '../request.ts';
import type { End } from './ends.ts';
import { Future, fitsFree } from './future.ts';

export interface EarliestFit {
  /** Epoch milliseconds. */
  readonly at: number;
  /** Node rows at one site, one a rank. */
  readonly rows: readonly number[];
  /** What ends last before it fits. */
  readonly after: End;
}

/**
 * @param capacity what could hold it if the fleet were idle
 * @param ends what is expected to end, first to last
 * @returns undefined when it fits at no time that is foreseen, or now
 */
export function earliestFit(
  fleet: Fleet,
  request: NodeRequest,
  capacity: Capacity,
  ends: readonly End[],
): EarliestFit | undefined {
  const { snapshot } = fleet;
  const fitting = new Map<number, number[]>();
  const waiting = new Uint8Array(snapshot.nodes.length);
  for (const [part, usable] of capacity.usable) {
    // Of a part with too many kept nodes nothing will ever do, whatever ends there.
    const rows = usable.filter((row) => fleet.keptFor(row) === undefined);
    if (rows.length < request.ranks) continue;
    const now: number[] = [];
    for (const row of rows) {
      if (fitsFree(snapshot, fleet, request, row)) now.push(row);
      else waiting[row] = 1;
    }
    fitting.set(part, now);
  }
  if (fitting.size === 0) return undefined;
  const future = new Future(fleet);
  for (const end of ends) {
    future.release(end.holder);
    for (const { row } of end.holder.ranks) {
      if (row < 0 || waiting[row] === 0 || !fitsFree(snapshot, future, request, row)) continue;
      waiting[row] = 0;
      const rows = fitting.get(domainOf(snapshot, request.within, row))!;
      rows.push(row);
      if (rows.length < request.ranks) continue;
      // Those that fit last are of the moment; of those that fit now the first will do.
      const chosen =
        capacity.pick === undefined ? [...rows.slice(0, request.ranks - 1), row] : capacity.pick(rows, free);
      if (chosen !== undefined) return { at: end.at, rows: chosen, after: end };
    }
  }
  return undefined;
}

const free = () => 0;
