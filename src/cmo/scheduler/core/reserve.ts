/**
 * Keeps nodes for a job that fits the fleet but not what is free of it, so that small jobs cannot starve it.
 *
 * Strict order would idle the fleet behind every large job; skipping what does not fit would let small jobs eat each gap before a gang
 * sees it. EASY backfill needs run times, which this policy does not predict. So jobs go past a blocked job until it has waited
 * `reserveAfterSeconds`; then the nodes on which least is missing are kept for it: later jobs may take there only what it does not need.
 *
 * Bound. Let m be what is missing on the nodes kept for the first such job. Nobody later may raise it there, and the choice takes the
 * least (m, rows) over all nodes, statelessly: so from round to round (m, rows) never grows, and every change of nodes lowers it. If
 * work on the kept nodes ends within T, the job starts at most T after the last change; without a change at most reserveAfterSeconds + T
 * after it was submitted. Jobs before it in the order (higher priority, or older) may still go first. Two schedulers that see the same
 * fleet keep the same nodes, since nothing but the fleet decides.
 */
import { BestRows } from './best-rows.ts';
import type { Capacity } from './capacity.ts';
import { countMissing } from './devices.ts';
import { freeDevices } from './fit.ts';
import type { Fleet } from './fleet.ts';
import type { NodeRequest } from './request.ts';

const gibibyte = 2 ** 30;
/** One missing device outweighs any missing core or GiB. */
const deviceWeight = 1e6;

/** What is missing on a node for a rank, in whole devices, cores and GiB. */
export interface Missing {
  readonly devices: number;
  readonly cores: number;
  readonly memoryGib: number;
  readonly diskGib: number;
}

/** Says what running work must give back before a rank fits a node. All zero when it fits now. */
export function missingOn(fleet: Fleet, request: NodeRequest, row: number): Missing {
  const lack = (wanted: number, free: number, unit: number) => Math.max(0, Math.ceil((wanted - free) / unit));
  return {
    devices: request.devices.length === 0 ? 0 : countMissing(fleet.snapshot, row, request.devices, freeDevices(fleet)),
    cores: lack(request.cpuMilli, fleet.cpuMilli[row]!, 1000),
    memoryGib: lack(request.memoryBytes, fleet.memoryBytes[row]!, gibibyte),
    diskGib: lack(request.diskBytes, fleet.diskBytes[row]!, gibibyte),
  };
}

/** Missing things as one number that only ends of work can lower. */
export function weightOf(missing: Missing): number {
  return missing.devices * deviceWeight + missing.cores + missing.memoryGib + missing.diskGib;
}

/**
 * The nodes to keep: at one site, as many as there are ranks, least missing in sum. Nodes that are kept already are not kept twice.
 * @returns undefined when no site has enough of them
 */
export function nodesToKeep(fleet: Fleet, request: NodeRequest, capacity: Capacity): number[] | undefined {
  let chosen: { readonly rows: readonly number[]; readonly sum: number } | undefined;
  for (const rows of [...capacity.usable].sort((a, b) => a[0] - b[0]).map(([, rows]) => rows)) {
    const weigh = (row: number) => weightOf(missingOn(fleet, request, row));
    const some = rows.filter((row) => fleet.keptFor(row) === undefined);
    const best = some.length < request.ranks ? undefined : leastOf(some, weigh, request.ranks, capacity);
    if (best !== undefined && (chosen === undefined || best.sum < chosen.sum)) chosen = best;
  }
  return chosen && [...chosen.rows];
}

function leastOf(rows: readonly number[], weigh: (row: number) => number, ranks: number, { pick }: Capacity) {
  if (pick !== undefined) {
    const picked = pick(rows, weigh);
    return picked && { rows: picked, sum: picked.reduce((sum, row) => sum + weigh(row), 0) };
  }
  const best = new BestRows(ranks);
  for (const row of rows) {
    const weight = weigh(row);
    if (weight < best.threshold) best.offer(weight, row);
  }
  return { rows: best.rows(), sum: best.sum };
}
