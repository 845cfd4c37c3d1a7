/** What an expected workload says about nodes, as tables: made once per workload, so that looking at a node does not loop over classes. */
import type { JobClass } from './job-class.ts';
import { leftoverTable } from './leftover-table.ts';
import { StrandingCurve } from './stranding-curve.ts';
import { WholeDevices } from './whole-devices.ts';

export class WorkloadTables {
  /** Expected leftover of a piece, thousandths, at `type * 1001 + free`. */
  readonly leftover: Float64Array;
  readonly whole: WholeDevices;
  readonly cpu: StrandingCurve;
  readonly memory: StrandingCurve;

  /** @param typeCount number of device types, ≥ 0. Classes with numbers that make no sense are left out. */
  constructor(classes: readonly JobClass[], typeCount: number) {
    const sound = classes.filter(isSound);
    this.leftover = leftoverTable(sound, typeCount);
    this.whole = new WholeDevices(sound, typeCount);
    this.cpu = new StrandingCurve(sound, (job) => job.cpuMilli);
    this.memory = new StrandingCurve(sound, (job) => job.memoryBytes);
  }
}

function isSound(job: JobClass): boolean {
  const amounts = [job.weight, job.cpuMilli, job.memoryBytes, job.deviceCount];
  if (!amounts.every((value) => Number.isFinite(value) && value >= 0) || job.weight === 0) return false;
  return (
    job.deviceCount === 0 || (Number.isInteger(job.deviceMilli) && job.deviceMilli >= 1 && job.deviceMilli <= 1000)
  );
}
