/**
 * How much of the workload that wants whole devices a node can still serve: FGD's fragmentation (Weng et al., ATC'23), for those classes.
 *
 * For a class that wants k whole devices, a node with k of them free and enough cpu offers all its whole free devices, any other node
 * none. The share of the weight that is served depends on the device type, the number of free devices and the cpu, so it is a step
 * function of cpu for each number of devices: a few thresholds, found by binary search.
 */
import { acceptsType, type JobClass } from './job-class.ts';

/** More devices of one type on a node than this count as so many. */
const mostCounted = 16;

interface Steps {
  /** Cpu from which a class is served, ascending, and the weight served from there on. */
  readonly cpuMilli: Float64Array;
  readonly served: Float64Array;
}

export class WholeDevices {
  /** Share of all weight that wants whole devices of some type, 0..1. */
  readonly share: number;
  /** At `type * (mostCounted + 1) + devices`. */
  readonly #steps: Steps[] = [];

  constructor(classes: readonly JobClass[], typeCount: number) {
    const total = classes.reduce((sum, job) => sum + job.weight, 0);
    const whole = classes.filter((job) => job.deviceCount > 0 && job.deviceMilli === 1000);
    this.share = total > 0 ? whole.reduce((sum, job) => sum + job.weight, 0) / total : 0;
    for (let type = 0; type < typeCount; type += 1) {
      const accepting = whole.filter((job) => acceptsType(job, type)).sort((a, b) => a.cpuMilli - b.cpuMilli);
      for (let devices = 0; devices <= mostCounted; devices += 1) {
        this.#steps.push(
          stepsOf(
            accepting.filter((job) => Math.min(job.deviceCount, mostCounted) <= devices),
            total,
          ),
        );
      }
    }
  }

  /** Share of all weight that wants whole devices and would be served by so many free ones of a type, 0..`share`. */
  served(type: number, devices: number, cpuMilli: number): number {
    const steps = this.#steps[type * (mostCounted + 1) + Math.min(devices, mostCounted)]!;
    const thresholds = steps.cpuMilli;
    let from = 0;
    let to = thresholds.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (thresholds[middle]! > cpuMilli) to = middle;
      else from = middle + 1;
    }
    return from === 0 ? 0 : steps.served[from - 1]!;
  }
}

function stepsOf(jobs: readonly JobClass[], total: number): Steps {
  const served = new Float64Array(jobs.length);
  let sum = 0;
  for (const [i, job] of jobs.entries()) {
    sum += job.weight / total;
    served[i] = sum;
  }
  return { cpuMilli: Float64Array.from(jobs, (job) => job.cpuMilli), served };
}
