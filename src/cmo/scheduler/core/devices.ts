/**
 * Which devices of a node a rank gets. Every wanted device is another one (an allocation holds a device once).
 *
 * With one request any matching devices do, least leftover first. With several, taking greedily can fail where an
 * assignment exists (an "any GPU" takes the only H100), so they are matched by augmenting paths (Kuhn), which finds one if there is one.
 * Nodes have a handful of devices, so this costs microseconds and only for lists of several requests.
 */
import type { CompiledDevice } from './request.ts';
import type { DeviceColumns, Snapshot } from './snapshot.ts';

/** Whether a device is what was asked for, whatever is free of it: 0 yes, else how far it got, 1 (kind) … 4 (driver). */
export function mismatch(devices: DeviceColumns, device: number, request: CompiledDevice): number {
  if (devices.kind[device] !== request.kind) return 1;
  if (request.models !== null && request.models[devices.model[device]!] !== 1) return 2;
  if (!(devices.memoryBytes[device]! >= request.minMemoryBytes)) return 3;
  if (request.drivers !== null && request.drivers[devices.driver[device]!] !== 1) return 4;
  return 0;
}

/** What counts as available of a device: thousandths by device row, and whether unhealthy devices count too. */
export interface Availability {
  readonly milli: Int32Array;
  readonly unhealthyToo: boolean;
}

export interface DeviceChoice {
  /** How many of the wanted devices could not be given; 0 when all could. */
  readonly missing: number;
  /** Device rows and thousandths of each, in the order of the requests; only what could be given. */
  readonly rows: number[];
  readonly milli: number[];
}

/** Chooses devices of a node for all requests of a rank. */
export function chooseDevices(
  snapshot: Snapshot,
  row: number,
  requests: readonly CompiledDevice[],
  available: Availability,
): DeviceChoice {
  const start = snapshot.nodes.deviceStart[row]!;
  const count = snapshot.nodes.deviceCount[row]!;
  const wanted = requests.reduce((sum, request) => sum + request.count, 0);
  const slotOfDevice = new Map<number, number>();
  const slots: CompiledDevice[] = [];
  for (const request of requests) {
    const options = usable(snapshot.devices, start, count, request, available);
    // More wanted than the node has devices: the surplus is missing without a search.
    for (let i = 0; i < request.count && slots.length < count; i += 1) {
      optionsOfSlot[slots.length] = options;
      slots.push(request);
      augment(slots.length - 1, slotOfDevice, new Set());
    }
  }
  return { missing: wanted - slotOfDevice.size, ...givenOf(slots, slotOfDevice) };
}

/** How many of the wanted devices a node cannot give; 0 when all. For one request, which is common, without any allocation. */
export function countMissing(
  snapshot: Snapshot,
  row: number,
  requests: readonly CompiledDevice[],
  available: Availability,
): number {
  if (requests.length === 0) return 0;
  if (requests.length > 1) return chooseDevices(snapshot, row, requests, available).missing;
  return Math.max(0, requests[0]!.count - countFitting(snapshot, row, requests[0]!, available));
}

/** How many devices of a node fit one request. */
export function countFitting(
  { nodes, devices }: Snapshot,
  row: number,
  request: CompiledDevice,
  available: Availability,
): number {
  const start = nodes.deviceStart[row]!;
  const end = start + nodes.deviceCount[row]!;
  let found = 0;
  for (let device = start; device < end; device += 1) {
    if (devices.healthy[device] !== 1 && !available.unhealthyToo) continue;
    if (available.milli[device]! >= request.milli && mismatch(devices, device, request) === 0) found += 1;
  }
  return found;
}

/** Scratch of the running call: by slot, device rows that would do, best first. */
const optionsOfSlot: number[][] = [];

function augment(slot: number, slotOfDevice: Map<number, number>, seen: Set<number>): boolean {
  for (const device of optionsOfSlot[slot]!) {
    if (seen.has(device)) continue;
    seen.add(device);
    const holder = slotOfDevice.get(device);
    if (holder === undefined || augment(holder, slotOfDevice, seen)) {
      slotOfDevice.set(device, slot);
      return true;
    }
  }
  return false;
}

function givenOf(slots: readonly CompiledDevice[], slotOfDevice: ReadonlyMap<number, number>) {
  const given = [...slotOfDevice].sort((a, b) => a[1] - b[1]);
  return { rows: given.map(([device]) => device), milli: given.map(([, slot]) => slots[slot]!.milli) };
}

/** Devices that satisfy a request, least leftover first: of the share, then of the memory, then by row. */
function usable(
  devices: DeviceColumns,
  start: number,
  count: number,
  request: CompiledDevice,
  available: Availability,
): number[] {
  const found: number[] = [];
  for (let device = start; device < start + count; device += 1) {
    if (devices.healthy[device] !== 1 && !available.unhealthyToo) continue;
    if (available.milli[device]! >= request.milli && mismatch(devices, device, request) === 0) found.push(device);
  }
  return found.sort(
    (a, b) => available.milli[a]! - available.milli[b]! || devices.memoryBytes[a]! - devices.memoryBytes[b]! || a - b,
  );
}
