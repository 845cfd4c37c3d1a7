/** Jobs that ask a node for the same, as one class of the expected workload. */
export interface JobClass {
  /** How often it comes; > 0, only the ratio to the others matters. */
  readonly weight: number;
  /** Thousandths of a core, and bytes, ≥ 0. */
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  /** Devices wanted of one node; 0 for jobs without devices. */
  readonly deviceCount: number;
  /** Thousandths wanted of each, 1..1000. */
  readonly deviceMilli: number;
  /** By device type: 1 where it will do; null: any. */
  readonly accepts: Uint8Array | null;
}

/** Thousandths of devices that a job of the class asks for. */
export const askedMilli = (job: JobClass) => job.deviceCount * job.deviceMilli;

export const acceptsType = (job: JobClass, type: number) => job.accepts === null || job.accepts[type] === 1;
