/**
 * What a fleet could hold if it were idle: the question behind "will this job ever start, and what is in its way?".
 *
 * Asked once a round for each shape that does not fit now. A node counts by capacity instead of by what is free; whether it is
 * usable now and cheap enough is kept apart, because the remedies differ (wait, bring nodes back, raise the limit, ask for less).
 */
import { countMissing } from './devices.ts';
import { domainOf } from './domains.ts';
import { noNode, refusedFor, rejectionCodes } from './fit.ts';
import type { Fleet } from './fleet.ts';
import type { NodeRequest } from './request.ts';
import { nodeFlag } from './snapshot.ts';

/** Numbers of nodes that could hold a rank when idle; each the most in one part of the fleet in which all ranks must stand, usually a site. */
export interface Capacity {
  /** Rows of nodes that are usable now and cheap enough, by number of that part (`domains.ts`). */
  readonly usable: ReadonlyMap<number, readonly number[]>;
  readonly mostUsable: number;
  /** …usable now, at any price. */
  readonly mostAtAnyPrice: number;
  /** …cheap enough, also lost, cordoned, draining and unhealthy ones. */
  readonly mostUnavailable: number;
  /** …both. */
  readonly mostAtAll: number;
  /** Least price of the whole job at a site with enough usable nodes, micro-dollars an hour; undefined without such a site. */
  readonly leastPrice: number | undefined;
  /**
   * Chooses among rows of one part, of least cost in all, when not any `ranks` of them will do; undefined when there are not enough that
   * go together. Left out: any will do.
   */
  readonly pick?: (rows: readonly number[], costOf: (row: number) => number) => readonly number[] | undefined;
}

/** Whether all ranks would fit together if the fleet were idle. */
export function holdsAll({ usable, pick }: Capacity, ranks: number): boolean {
  for (const rows of usable.values()) {
    if (rows.length >= ranks && (pick === undefined || pick(rows, () => 0) !== undefined)) return true;
  }
  return false;
}

/** Counts the nodes that could hold a rank of the request. */
export function capacityFor(fleet: Fleet, request: NodeRequest): Capacity {
  const { nodes } = fleet.snapshot;
  const usable = new Map<number, number[]>();
  const atAnyPrice = new Map<number, number>();
  const unavailable = new Map<number, number>();
  const atAll = new Map<number, number>();
  const siteOf = new Map<number, number>();
  for (let row = 0; row < nodes.length; row += 1) {
    const refusal = refusedFor(fleet, request, row);
    if (refusal === noNode) continue;
    const why = rejectionCodes[refusal];
    if (why === 'isolation' || why === 'network' || why === 'labels' || !offers(fleet, request, row)) continue;
    if (!couldHold(fleet, request, row, true)) continue;
    const site = nodes.site[row]!;
    const part = domainOf(fleet.snapshot, request.within, row);
    if (part < 0) continue;
    siteOf.set(part, site);
    const allowed = request.siteAllowed[site] === 1;
    const available = (refusal < 0 || why === 'price') && couldHold(fleet, request, row, false);
    count(atAll, part);
    if (allowed) count(unavailable, part);
    if (available) count(atAnyPrice, part);
    if (!available || !allowed) continue;
    const rows = usable.get(part);
    if (rows === undefined) usable.set(part, [row]);
    else rows.push(row);
  }
  return {
    usable,
    mostUsable: most([...usable.values()].map((rows) => rows.length)),
    mostAtAnyPrice: most(atAnyPrice.values()),
    mostUnavailable: most(unavailable.values()),
    mostAtAll: most(atAll.values()),
    leastPrice: leastPrice(request, atAnyPrice, siteOf),
  };
}

/** Whether an idle fleet, as it is usable and priced now, could hold all ranks together. Stops looking as soon as it is sure. */
export function fitsIdleFleet(fleet: Fleet, request: NodeRequest): boolean {
  const { nodes } = fleet.snapshot;
  const usable = new Map<number, number>();
  for (let row = 0; row < nodes.length; row += 1) {
    if (refusedFor(fleet, request, row) >= 0 || !couldHold(fleet, request, row, false)) continue;
    const part = domainOf(fleet.snapshot, request.within, row);
    if (part < 0) continue;
    count(usable, part);
    if (usable.get(part)! >= request.ranks) return true;
  }
  return false;
}

/** A node that is away still says what it offers. */
function offers(fleet: Fleet, request: NodeRequest, row: number): boolean {
  const { nodes } = fleet.snapshot;
  return (
    (nodes.isolation[row]! & request.isolationMask) >= request.isolationBit &&
    (!request.hostNetwork || (nodes.flags[row]! & nodeFlag.hostNetwork) !== 0)
  );
}

/** Whether an idle node could hold a rank. `unhealthyToo`: unhealthy devices count as if they were well. */
export function couldHold(fleet: Fleet, request: NodeRequest, row: number, unhealthyToo: boolean): boolean {
  const group = fleet.classes.group[row]!;
  const known = request.idle.get(group, unhealthyToo);
  if (known !== undefined) return known;
  const holds = holdsIdle(fleet, request, row, unhealthyToo);
  request.idle.set(group, unhealthyToo, holds);
  return holds;
}

function holdsIdle(fleet: Fleet, request: NodeRequest, row: number, unhealthyToo: boolean): boolean {
  const { nodes, devices } = fleet.snapshot;
  if (!(nodes.cpuMilli[row]! >= request.cpuMilli)) return false;
  if (!(nodes.memoryBytes[row]! >= request.memoryBytes)) return false;
  if (!(nodes.diskBytes[row]! >= request.diskBytes)) return false;
  if (request.devices.length === 0) return true;
  if (nodes.deviceCount[row] === 0) return false;
  return countMissing(fleet.snapshot, row, request.devices, { milli: devices.milli, unhealthyToo }) === 0;
}

function count(counts: Map<number, number>, site: number): void {
  counts.set(site, (counts.get(site) ?? 0) + 1);
}

function most(counts: Iterable<number>): number {
  let result = 0;
  for (const value of counts) result = Math.max(result, value);
  return result;
}

function leastPrice(
  request: NodeRequest,
  counts: ReadonlyMap<number, number>,
  siteOf: ReadonlyMap<number, number>,
): number | undefined {
  let least: number | undefined;
  for (const [part, nodes] of counts) {
    const price = request.sitePrice[siteOf.get(part)!];
    if (nodes < request.ranks || price === undefined || Number.isNaN(price)) continue;
    if (least === undefined || price < least) least = price;
  }
  return least;
}
