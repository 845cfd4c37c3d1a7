/**
 * What is free during a round: copies of the snapshot's counters, from which placements take, and what is kept for jobs
 * that wait (`reserve.ts`). The snapshot itself stays as it was, so a round can be repeated on it.
 *
 * Free is never trusted beyond capacity, and comparisons are written so that NaN means "does not fit".
 */
import { type Fragmentation, PowerCost } from '../../../drm/allocator/packing/index.ts';
import { fragmentationOf } from './fragmentation.ts';
import { NodeStates } from './node-states.ts';
import type { NodeRequest } from './request.ts';
import type { ExpectedShape, Snapshot } from './snapshot.ts';

export class Fleet {
  readonly snapshot: Snapshot;
  readonly cpuMilli: Float64Array;
  readonly memoryBytes: Float64Array;
  readonly diskBytes: Float64Array;
  /** By device row. */
  readonly milli: Int32Array;
  /** By node row: thousandths free on all its healthy devices, and in all. */
  readonly nodeMilliFree: Float64Array;
  readonly nodeMilli: Float64Array;
  /** What placements do to what can still be placed; undefined when the policy does not ask. */
  readonly fragmentation: Fragmentation | undefined;
  readonly states: NodeStates;
  /** What placements cost in power at the load that the round starts with; undefined when the snapshot has no figures. */
  readonly power: PowerCost | undefined;
  /** Rows of nodes in the order in which they changed, and by node row where it stands there last; −1 when it did not change. */
  readonly changes: number[] = [];
  readonly lastChange: Int32Array;
  /** By node row: for whom the node is kept; undefined when for nobody. */
  readonly #kept = new Map<number, NodeRequest>();

  /** @param workload what is expected to come; undefined: fragmentation is not looked at */
  constructor(snapshot: Snapshot, workload?: readonly ExpectedShape[]) {
    const { nodes, devices } = snapshot;
    this.snapshot = snapshot;
    this.cpuMilli = withinCapacity(nodes.cpuMilliFree, nodes.cpuMilli, nodes.length);
    this.memoryBytes = withinCapacity(nodes.memoryBytesFree, nodes.memoryBytes, nodes.length);
    this.diskBytes = withinCapacity(nodes.diskBytesFree, nodes.diskBytes, nodes.length);
    this.milli = new Int32Array(devices.length);
    for (let i = 0; i < devices.length; i += 1) {
      this.milli[i] = Math.max(0, Math.min(devices.milliFree[i]!, devices.milli[i]!));
    }
    this.lastChange = new Int32Array(nodes.length).fill(-1);
    this.nodeMilliFree = new Float64Array(nodes.length);
    this.nodeMilli = new Float64Array(nodes.length);
    for (let row = 0; row < nodes.length; row += 1) {
      const end = nodes.deviceStart[row]! + nodes.deviceCount[row]!;
      for (let device = nodes.deviceStart[row]!; device < end; device += 1) {
        if (devices.healthy[device] !== 1) continue;
        this.nodeMilliFree[row]! += this.milli[device]!;
        this.nodeMilli[row]! += devices.milli[device]!;
      }
    }
    this.states = new NodeStates(snapshot, this);
    this.power = snapshot.power === undefined ? undefined : new PowerCost(snapshot.power, this.#load());
    this.fragmentation = workload === undefined ? undefined : fragmentationOf(snapshot, workload, this);
  }

  /** Share of the devices that is held, 0..1; 1 without devices. */
  #load(): number {
    let free = 0;
    let all = 0;
    for (let row = 0; row < this.nodeMilli.length; row += 1) {
      free += this.nodeMilliFree[row]!;
      all += this.nodeMilli[row]!;
    }
    return all > 0 ? 1 - free / all : 1;
  }

  /** Takes one rank's share of a node. `chosen` and `milli`: device rows and thousandths of each. */
  take(row: number, request: NodeRequest, chosen: readonly number[], milli: readonly number[]): void {
    this.cpuMilli[row]! -= request.cpuMilli;
    this.memoryBytes[row]! -= request.memoryBytes;
    this.diskBytes[row]! -= request.diskBytes;
    for (let i = 0; i < chosen.length; i += 1) {
      this.milli[chosen[i]!]! -= milli[i]!;
      this.nodeMilliFree[row]! -= milli[i]!;
    }
    this.fragmentation?.changed(row);
    this.states.changed(row);
    this.#changed(row);
  }

  /** Keeps a node for a waiting job: others get of it only what that job does not need (see `reserve.ts`). */
  keep(row: number, request: NodeRequest): void {
    this.#kept.set(row, request);
    this.#changed(row);
  }

  #changed(row: number): void {
    this.lastChange[row] = this.changes.length;
    this.changes.push(row);
  }

  keptFor(row: number): NodeRequest | undefined {
    return this.#kept.size === 0 ? undefined : this.#kept.get(row);
  }
}

function withinCapacity(free: Float64Array, capacity: Float64Array, length: number): Float64Array {
  const result = new Float64Array(length);
  for (let i = 0; i < length; i += 1) result[i] = Math.min(free[i]!, capacity[i]!);
  return result;
}
