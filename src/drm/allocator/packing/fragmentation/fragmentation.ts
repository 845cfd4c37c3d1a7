/**
 * What placing a job on a node does to what can still be placed there: free thousandths of devices that it makes useless or useful again.
 *
 * FGD (Weng et al., ATC'23) places each job where the expected fragmentation grows least, against the workload that is typical. Three things
 * are expected to be lost on a node: pieces of shared devices that nobody fills (`leftover-table.ts`), devices that cpu or memory cannot
 * feed (`stranding-curve.ts`), and whole devices that are too few for those who want several (`whole-devices.ts`, at half weight since the
 * devices go to smaller jobs then). FGD counts the first and the third by one formula that takes any piece which somebody could
 * use for used; and it does not see the second until the cpu is gone.
 *
 * All three are look-ups in tables made once per workload, so a node costs a pass over its devices: nothing depends on the number of classes.
 */
import type { PowerCost } from '../power/power-cost.ts';
import type { WorkloadTables } from './workload-tables.ts';

const wholeWeight = 0.5;
/** Differences below this, in thousandths, are noise of the estimate: such nodes count as equal and the first one is filled first. */
export const stepMilli = 40;

/** Dense columns of a fleet; free amounts may change between calls. */
export interface PackingColumns {
  /** By node row. */
  readonly cpuMilliFree: Float64Array;
  readonly memoryBytesFree: Float64Array;
  /** First row and number of rows of the node's devices. */
  readonly deviceStart: Int32Array;
  readonly deviceCount: Int32Array;
  /** By device row: type 0..typeCount − 1, thousandths free, and 1 where the device may be given. */
  readonly deviceType: Int32Array;
  readonly deviceMilliFree: Int32Array;
  readonly deviceHealthy: Uint8Array;
}

/** What a rank takes of a node besides devices. */
interface Amounts {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
}

/** Equal shares of devices that a rank wants. */
export interface Want extends Amounts {
  /** Devices, each of another row, ≥ 1. */
  readonly count: number;
  /** Thousandths of each, 1..1000. */
  readonly milli: number;
  /** Whether a device, by its row, is what is asked for, whatever is free of it. */
  accepts(device: number): boolean;
}

export class Fragmentation {
  readonly #tables: WorkloadTables;
  readonly #columns: PackingColumns;
  readonly #leftover: Float64Array;
  readonly #power: PowerCost | undefined;
  /** By node row: what is lost of it now; NaN where it must be worked out again. */
  readonly #lost: Float64Array;

  /**
   * @param tables of the expected workload; every device type in the columns is below their number of types
   * @param power decides with fragmentation which devices are chosen; what is lost does not depend on it
   */
  constructor(tables: WorkloadTables, columns: PackingColumns, power?: PowerCost) {
    this.#tables = tables;
    this.#columns = columns;
    this.#leftover = tables.leftover;
    this.#power = power;
    this.#lost = new Float64Array(columns.deviceCount.length).fill(Number.NaN);
  }

  /** To be called when something was taken of a node or given back. */
  changed(row: number): void {
    this.#lost[row] = Number.NaN;
  }

  /** Thousandths of a node's free devices that the workload is not expected to use, ≥ 0. */
  lost(row: number): number {
    const known = this.#lost[row]!;
    if (!Number.isNaN(known)) return known;
    const { cpuMilliFree, memoryBytesFree } = this.#columns;
    const lost = this.#lostWith(row, cpuMilliFree[row]!, memoryBytesFree[row]!);
    this.#lost[row] = lost;
    return lost;
  }

  /**
   * Thousandths that become useless when a rank takes these devices of a node, less those that become useful; may be negative.
   * @param devices rows, each another one; `milli[i]` thousandths are taken of `devices[i]`
   */
  added(row: number, rank: Amounts, devices: readonly number[], milli: readonly number[]): number {
    const { cpuMilliFree, memoryBytesFree, deviceMilliFree } = this.#columns;
    const before = this.lost(row);
    for (let i = 0; i < devices.length; i += 1) deviceMilliFree[devices[i]!]! -= milli[i]!;
    const after = this.#lostWith(row, cpuMilliFree[row]! - rank.cpuMilli, memoryBytesFree[row]! - rank.memoryBytes);
    for (let i = 0; i < devices.length; i += 1) deviceMilliFree[devices[i]!]! += milli[i]!;
    return after - before;
  }

  /**
   * The devices of a node that a rank should take, into `chosen`: those by which least is lost, the first of equals.
   * @returns whether there are enough; `chosen` is of use only then
   */
  choose(row: number, want: Want, chosen: number[]): boolean {
    if (want.count === 1 && want.milli < 1000) return this.#chooseShare(row, want, chosen);
    const { deviceStart, deviceCount, deviceType, deviceMilliFree, deviceHealthy } = this.#columns;
    const end = deviceStart[row]! + deviceCount[row]!;
    chosen.length = 0;
    let alike = true;
    for (let device = deviceStart[row]!; device < end; device += 1) {
      if (deviceMilliFree[device]! < want.milli || deviceHealthy[device] !== 1 || !want.accepts(device)) continue;
      if (chosen.length > 0) {
        const first = chosen[0]!;
        alike &&= deviceType[device] === deviceType[first] && deviceMilliFree[device] === deviceMilliFree[first];
      }
      chosen.push(device);
    }
    if (chosen.length < want.count) return false;
    if (!alike) this.#sortByLoss(row, want, chosen);
    chosen.length = want.count;
    return true;
  }

  /** As `choose` for a share of one device, which is most common: in one pass and without garbage. */
  #chooseShare(row: number, want: Want, chosen: number[]): boolean {
    const { deviceStart, deviceCount, deviceType, deviceMilliFree, deviceHealthy, cpuMilliFree } = this.#columns;
    const end = deviceStart[row]! + deviceCount[row]!;
    let least = Number.POSITIVE_INFINITY;
    let best = -1;
    let seen = -1;
    for (let device = deviceStart[row]!; device < end; device += 1) {
      const free = deviceMilliFree[device]!;
      if (free < want.milli || deviceHealthy[device] !== 1 || !want.accepts(device)) continue;
      const at = deviceType[device]! * 1001 + free;
      if (at === seen) continue;
      seen = at;
      let loss = this.#leftover[at - want.milli]! - this.#leftover[at]!;
      if (free === 1000) loss += this.#openingLoss(row, deviceType[device]!, cpuMilliFree[row]! - want.cpuMilli);
      if (loss < least) {
        least = loss;
        best = device;
      }
    }
    chosen.length = 0;
    if (best >= 0) chosen.push(best);
    return best >= 0;
  }

  /** Sorts devices by what is lost when the share is taken of each alone. All else is equal for the devices of one node. */
  #sortByLoss(row: number, want: Want, devices: number[]): void {
    const cpuMilli = this.#columns.cpuMilliFree[row]! - want.cpuMilli;
    const { deviceType, deviceMilliFree } = this.#columns;
    const losses = new Map<number, number>();
    const lossOf = new Map<number, number>();
    for (const device of devices) {
      const free = deviceMilliFree[device]!;
      const at = deviceType[device]! * 1001 + free;
      let loss = losses.get(at);
      if (loss === undefined) {
        loss = this.#leftover[at - want.milli]! - this.#leftover[at]!;
        if (free === 1000) loss += this.#openingLoss(row, deviceType[device]!, cpuMilli);
        losses.set(at, loss);
      }
      lossOf.set(device, loss);
    }
    devices.sort((a, b) => lossOf.get(a)! - lossOf.get(b)! || a - b);
  }

  /** What one whole device of a type less costs those who want whole ones, and those who pay for power. */
  #openingLoss(row: number, type: number, cpuMilli: number): number {
    const { deviceStart, deviceCount, deviceType, deviceMilliFree, deviceHealthy } = this.#columns;
    const end = deviceStart[row]! + deviceCount[row]!;
    let whole = 0;
    for (let device = deviceStart[row]!; device < end; device += 1) {
      if (deviceType[device] === type && deviceMilliFree[device] === 1000 && deviceHealthy[device] === 1) whole += 1;
    }
    const served = (devices: number) => devices * this.#tables.whole.served(type, devices, cpuMilli);
    const power = this.#power === undefined ? 0 : this.#power.wakingWatts(type) * this.#power.milliPerWatt;
    return wholeWeight * 1000 * (served(whole) - served(whole - 1)) + power;
  }

  #lostWith(row: number, cpuMilli: number, memoryBytes: number): number {
    const { deviceStart, deviceCount, deviceType, deviceMilliFree, deviceHealthy } = this.#columns;
    const { whole, cpu, memory } = this.#tables;
    const end = deviceStart[row]! + deviceCount[row]!;
    let free = 0;
    let pieces = 0;
    let served = 0;
    let run = 0;
    let runType = -1;
    for (let device = deviceStart[row]!; device < end; device += 1) {
      const milli = deviceMilliFree[device]!;
      if (milli <= 0 || deviceHealthy[device] !== 1) continue;
      const type = deviceType[device]!;
      free += milli;
      pieces += this.#leftover[type * 1001 + milli]!;
      if (milli < 1000) continue;
      // Devices of one type stand together; where they do not, each run counts for itself.
      if (type !== runType && run > 0) {
        served += run * whole.served(runType, run, cpuMilli);
        run = 0;
      }
      runType = type;
      run += 1;
    }
    if (free === 0) return 0;
    if (run > 0) served += run * whole.served(runType, run, cpuMilli);
    const stranded = Math.max(cpu.at(free, cpuMilli), memory.at(free, memoryBytes));
    return wholeWeight * (whole.share * free - 1000 * served) + stranded + pieces;
  }
}
