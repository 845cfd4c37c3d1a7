/**
 * What running work is expected to spend until it ends: its rest at the list prices of where it stands, as far as its end is foreseen.
 *
 * Looked at only in rounds in which somebody has a budget. Of energy and carbon nothing is foreseen.
 */
import { endOf } from '../backfill/ends.ts';
import type { Holder } from '../running.ts';
import type { Snapshot } from '../snapshot.ts';
import { type Budget, spend } from './budget.ts';

const gibibyte = 2 ** 30;
const hourMs = 3_600_000;

/** Counts it for all accounts that have a budget, theirs or above. @param now epoch milliseconds */
export function countRunning(snapshot: Snapshot, holders: Iterable<Holder>, now: number): void {
  for (const holder of holders) {
    const until = longestPeriod(holder);
    if (until === undefined) continue;
    const ms = Math.min(endOf(holder, now), until) - now;
    // Of what never ends as far as anybody knows, nothing is promised to be spent.
    if (!(ms > 0) || holder.job.endsAt === null) continue;
    const microUsd = (hourly(snapshot, holder) * ms) / hourMs;
    if (microUsd > 0) spend(holder.account, { microUsd });
  }
}

/** Until when the latest of the periods lasts that its budgets are for; undefined without a budget. */
function longestPeriod({ account }: Holder): number | undefined {
  let latest: number | undefined;
  for (let at: Holder['account'] | null = account; at !== null; at = at.parent) {
    for (const { until } of at.row?.limits?.budgets ?? ([] as readonly Budget[]))
      latest = Math.max(latest ?? until, until);
  }
  return latest;
}

/** Micro-dollars an hour by the list prices of its sites; what stands on a node that is gone costs nothing more. */
function hourly({ nodes, sites }: Snapshot, { ranks }: Holder): number {
  let sum = 0;
  for (const { row, cpuMilli, memoryBytes, milli } of ranks) {
    const site = row < 0 ? -1 : nodes.site[row]!;
    if (site < 0) continue;
    const devices = milli.reduce((all, one) => all + one, 0) / 1000;
    const price =
      sites.deviceUsdPerHour[site]! * devices +
      (sites.cpuUsdPerHour[site]! * cpuMilli) / 1000 +
      (sites.memoryUsdPerHour[site]! * memoryBytes) / gibibyte;
    if (price > 0) sum += price;
  }
  return sum;
}
