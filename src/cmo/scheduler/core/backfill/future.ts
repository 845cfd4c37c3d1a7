/** Counters of the fleet as they will be once some of what holds capacity has ended. */
import { countMissing } from '../devices.ts';
import type { Fleet } from '../fleet.ts';
import type { NodeRequest } from '../request.ts';
import type { HeldRank, Holder } from '../running.ts';
import type { Snapshot } from '../snapshot.ts';

/** What is free, by row of node or device. */
export interface Counters {
  readonly cpuMilli: Float64Array;
  readonly memoryBytes: Float64Array;
  readonly diskBytes: Float64Array;
  readonly milli: Int32Array;
}

/** Whether a rank fits what is free of a node; nothing else of the node is looked at. */
export function fitsFree(snapshot: Snapshot, free: Counters, request: NodeRequest, row: number): boolean {
  return (
    free.cpuMilli[row]! >= request.cpuMilli &&
    free.memoryBytes[row]! >= request.memoryBytes &&
    free.diskBytes[row]! >= request.diskBytes &&
    countMissing(snapshot, row, request.devices, { milli: free.milli, unhealthyToo: false }) === 0
  );
}

export class Future implements Counters {
  readonly cpuMilli: Float64Array;
  readonly memoryBytes: Float64Array;
  readonly diskBytes: Float64Array;
  readonly milli: Int32Array;

  constructor(fleet: Fleet) {
    this.cpuMilli = fleet.cpuMilli.slice();
    this.memoryBytes = fleet.memoryBytes.slice();
    this.diskBytes = fleet.diskBytes.slice();
    this.milli = fleet.milli.slice();
  }

  /** `sign` 1: what it holds is given back; −1: it is taken again. */
  release({ ranks }: Pick<Holder, 'ranks'>, sign: 1 | -1 = 1): void {
    for (const rank of ranks) this.releaseRank(rank, sign);
  }

  releaseRank({ row, cpuMilli, memoryBytes, diskBytes, devices, milli }: HeldRank, sign: 1 | -1 = 1): void {
    if (row < 0) return;
    this.cpuMilli[row]! += sign * cpuMilli;
    this.memoryBytes[row]! += sign * memoryBytes;
    this.diskBytes[row]! += sign * diskBytes;
    for (let i = 0; i < devices.length; i += 1) this.milli[devices[i]!]! += sign * milli[i]!;
  }
}
