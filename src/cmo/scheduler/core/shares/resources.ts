/**
 * What shares are measured in: cores, memory and each kind of accelerator, as one short vector.
 *
 * By kind and not by model: a job that takes any GPU is put onto a model by the scheduler, and if the one old card of a fleet were a
 * resource of its own, whoever is given it would hold all of it and go last everywhere. Models matter to quotas (`core/quota`).
 */
import { type DeviceKind, deviceKinds } from '../../../../common/contract/job-spec.ts';
import { deviceKindCode, nodeFlag, type Snapshot } from '../snapshot.ts';

export const resourceNames = ['cpu', 'memory', ...deviceKinds] as const;
export type ResourceName = (typeof resourceNames)[number];

/** Amounts by index of `resourceNames`: thousandths of cores, bytes, thousandths of devices. Whole numbers below 2^53, so sums are exact. */
export type Amounts = Float64Array;
export const noAmounts = (): Amounts => new Float64Array(resourceNames.length);
export const indexOfKind = (kind: DeviceKind): number => resourceNames.indexOf(kind);

/** Index in `Amounts` by value of `DeviceColumns.kind`; 0 for none. */
const indexByCode: readonly number[] = Object.entries(deviceKindCode).reduce<number[]>((list, [kind, code]) => {
  list[code] = indexOfKind(kind as DeviceKind);
  return list;
}, []);
export const indexOfCode = (code: number): number => indexByCode[code] ?? -1;

export function addAmounts(to: Amounts, more: ArrayLike<number>, times = 1): void {
  for (let i = 0; i < to.length; i += 1) to[i]! += times * more[i]!;
}

/** What the fleet has in all: nodes that are there and ready, and their healthy devices. */
export function fleetAmounts({ nodes, devices }: Snapshot): Amounts {
  const total = noAmounts();
  for (let row = 0; row < nodes.length; row += 1) {
    const flags = nodes.flags[row]!;
    if ((flags & nodeFlag.live) === 0 || (flags & nodeFlag.ready) === 0) continue;
    if (nodes.cpuMilli[row]! > 0) total[0]! += nodes.cpuMilli[row]!;
    if (nodes.memoryBytes[row]! > 0) total[1]! += nodes.memoryBytes[row]!;
    const end = nodes.deviceStart[row]! + nodes.deviceCount[row]!;
    for (let device = nodes.deviceStart[row]!; device < end; device += 1) {
      const index = indexByCode[devices.kind[device]!];
      if (index !== undefined && devices.healthy[device] === 1) total[index]! += devices.milli[device]!;
    }
  }
  return total;
}

/**
 * The largest part that the amounts are of the total, ≥ 0 (Ghodsi et al., NSDI'11). What nobody has is not counted.
 * @param of only of what these amounts have some of; left out: of everything
 */
export function dominantShare(amounts: ArrayLike<number>, total: Amounts, of?: ArrayLike<number>): number {
  let share = 0;
  for (let i = 0; i < total.length; i += 1) {
    if (total[i]! > 0 && (of === undefined || of[i]! > 0)) share = Math.max(share, amounts[i]! / total[i]!);
  }
  return share;
}
