/** What is lost of a node, written down as it is defined: loops over classes, no tables. Shares nothing with the code under test. */
import type { PackingColumns } from '../../../../../../../src/drm/allocator/packing/fragmentation/fragmentation.ts';
import type { JobClass } from '../../../../../../../src/drm/allocator/packing/fragmentation/job-class.ts';

const accepts = (job: JobClass, type: number) => job.accepts === null || job.accepts[type] === 1;
const asked = (job: JobClass) => job.deviceCount * job.deviceMilli;
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Expected leftover of a piece, by recursion. */
export function leftover(classes: readonly JobClass[], type: number, free: number): number {
  const sizes = classes
    .filter((job) => accepts(job, type) && job.deviceCount > 0 && (job.deviceMilli < 1000 || job.deviceCount === 1))
    .map((job) => ({ milli: job.deviceMilli, weight: job.weight * job.deviceCount }));
  const givenUp = 0.05 * sum(sizes.map(({ weight }) => weight));
  const known = new Map<number, number>();
  const at = (milli: number): number => {
    const before = known.get(milli);
    if (before !== undefined) return before;
    const fitting = sizes.filter((size) => size.milli <= milli);
    const stay = milli < 1000 ? givenUp : 0;
    const chance = stay + sum(fitting.map(({ weight }) => weight));
    const left = stay * milli + sum(fitting.map((size) => size.weight * at(milli - size.milli)));
    const result = chance > 0 ? left / chance : milli;
    known.set(milli, result);
    return result;
  };
  return at(free);
}

/** Thousandths that a supply cannot feed, averaged over the classes by what they ask for. */
export function stranded(
  classes: readonly JobClass[],
  free: number,
  supply: number,
  demandOf: (job: JobClass) => number,
): number {
  const total = sum(classes.map((job) => job.weight * asked(job)));
  if (total === 0) return 0;
  return sum(
    classes
      .filter((job) => asked(job) > 0)
      .map((job) => {
        const fed = demandOf(job) > 0 ? (supply / demandOf(job)) * asked(job) : free;
        return ((job.weight * asked(job)) / total) * Math.max(0, free - fed);
      }),
  );
}

/** Thousandths lost to those who want whole devices, for a node whose devices are all of one type. */
export function wholeLost(classes: readonly JobClass[], type: number, milli: readonly number[], cpu: number): number {
  const total = sum(classes.map((job) => job.weight));
  const free = sum(milli);
  const whole = milli.filter((value) => value === 1000).length;
  return sum(
    classes
      .filter((job) => job.deviceCount > 0 && job.deviceMilli === 1000)
      .map((job) => {
        const served = accepts(job, type) && whole >= job.deviceCount && cpu >= job.cpuMilli;
        return (job.weight / total) * (served ? free - whole * 1000 : free);
      }),
  );
}

/** What is lost of a node whose devices are all of one type. */
export function lost(classes: readonly JobClass[], columns: PackingColumns, row: number): number {
  const start = columns.deviceStart[row]!;
  const devices = Array.from({ length: columns.deviceCount[row]! }, (_, i) => start + i).filter(
    (device) => columns.deviceHealthy[device] === 1,
  );
  const milli = devices.map((device) => columns.deviceMilliFree[device]!);
  const type = columns.deviceType[start]!;
  const free = sum(milli);
  if (free === 0) return 0;
  const cpu = columns.cpuMilliFree[row]!;
  return (
    0.5 * wholeLost(classes, type, milli, cpu) +
    Math.max(
      stranded(classes, free, cpu, (job) => job.cpuMilli),
      stranded(classes, free, columns.memoryBytesFree[row]!, (job) => job.memoryBytes),
    ) +
    sum(milli.map((value) => leftover(classes, type, value)))
  );
}
