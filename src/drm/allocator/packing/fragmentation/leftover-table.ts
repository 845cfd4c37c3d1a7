/**
 * What will be left of a piece of a device in the end: by device type and thousandths free, expected over the workload.
 *
 * A piece of 530 is worth most of itself where jobs of 470 are common, and a piece of 190 nothing where nobody asks for so little.
 * Jobs that fit come one after another by their frequency, and before each the piece stays as it is for good with a small chance:
 * without that, a piece would count as filled by whatever could fill it, however rare. The recursion over thousandths is exact.
 */
import { acceptsType, type JobClass } from './job-class.ts';

/** Chance per arrival that a piece is never looked at again. Between 2 % and 10 % results differ by less than seeds do. */
const givenUp = 0.05;

/** Expected leftover, thousandths 0..free, at `type * 1001 + free`. */
export function leftoverTable(classes: readonly JobClass[], typeCount: number): Float64Array {
  const table = new Float64Array(typeCount * 1001);
  const known = new Map<string, Float64Array>();
  for (let type = 0; type < typeCount; type += 1) {
    const sizes = sizesOf(classes, type);
    const key = JSON.stringify([...sizes]);
    const column = known.get(key) ?? leftovers(sizes);
    known.set(key, column);
    table.set(column, type * 1001);
  }
  return table;
}

/** Weights by thousandths asked of one device of a type. */
function sizesOf(classes: readonly JobClass[], type: number): Map<number, number> {
  const sizes = new Map<number, number>();
  for (const job of classes) {
    if (!acceptsType(job, type)) continue;
    // A job that wants several shares takes each of another device.
    const pieces = job.deviceMilli < 1000 ? job.deviceCount : Number(job.deviceCount === 1);
    if (pieces > 0) sizes.set(job.deviceMilli, (sizes.get(job.deviceMilli) ?? 0) + job.weight * pieces);
  }
  return sizes;
}

function leftovers(sizes: ReadonlyMap<number, number>): Float64Array {
  const result = new Float64Array(1001);
  let total = 0;
  for (const weight of sizes.values()) total += weight;
  for (let free = 0; free <= 1000; free += 1) {
    // A whole device is no piece yet: somebody will always start it.
    const weightGivenUp = free < 1000 ? givenUp * total : 0;
    let chance = weightGivenUp;
    let left = weightGivenUp * free;
    for (const [milli, weight] of sizes) {
      if (milli > free) continue;
      chance += weight;
      left += weight * result[free - milli]!;
    }
    result[free] = chance > 0 ? left / chance : free;
  }
  return result;
}
