/**
 * Least fragmentation: the allocator's packing (`drm/allocator/packing`) on the columns of a round.
 *
 * Score, lower is better, in thousandths of a device: 8000 × price premium of the site (0..1) + what the placement adds to what is lost of
 * the node's free devices, in steps of 40, since finer differences are noise of the expectation + what its power is worth, if figures are known. Of equal nodes the first is filled first. A
 * job without devices goes to a node that has none (best fit among them) unless that costs more than a step.
 *
 * A device's type is its model: which of its drivers and memory sizes a request accepts is looked at when it is placed, not when it is expected.
 */
import {
  Fragmentation,
  type JobClass,
  type PackingColumns,
  type PowerCost,
  stepMilli,
  WorkloadTables,
} from '../../../drm/allocator/packing/index.ts';
import type { DeviceTypes } from './device-types.ts';
import { chooseDevices, type DeviceChoice } from './devices.ts';
import { freeDevices } from './fit.ts';
import type { Fleet } from './fleet.ts';
import { compileDevices, type NodeRequest } from './request.ts';
import type { ExpectedShape, Shape, Snapshot } from './snapshot.ts';

/** A site twice as dear counts as much as a node of eight devices lost: it is taken when nothing cheaper fits. */
const premiumMilli = 8000;
const bestFitMilli = stepMilli / 4;

/** Readies the estimate of a workload for a fleet, whose counters may change; `changed` must be told. */
export function fragmentationOf(
  fleet: Pick<Fleet, 'snapshot' | 'cpuMilli' | 'memoryBytes' | 'milli' | 'deviceTypes'>,
  workload: readonly ExpectedShape[],
  power: PowerCost | undefined,
): Fragmentation {
  const { nodes, devices } = fleet.snapshot;
  const columns: PackingColumns = {
    cpuMilliFree: fleet.cpuMilli,
    memoryBytesFree: fleet.memoryBytes,
    deviceStart: nodes.deviceStart,
    deviceCount: nodes.deviceCount,
    deviceType: fleet.deviceTypes.of,
    deviceMilliFree: fleet.milli,
    deviceHealthy: devices.healthy,
  };
  return new Fragmentation(tablesOf(fleet.snapshot, fleet.deviceTypes, workload), columns, power);
}

/** Tables by the list of shapes that they were made of, with what else they depend on. */
const made = new WeakMap<readonly ExpectedShape[], { readonly types: string; readonly tables: WorkloadTables }>();

/** The tables of a workload; kept, since lists of shapes live longer than rounds. */
function tablesOf(snapshot: Snapshot, types: DeviceTypes, workload: readonly ExpectedShape[]): WorkloadTables {
  const known = made.get(workload);
  if (known?.types === types.key) return known.tables;
  const classes = workload.flatMap(({ kind, weight }) => classesOf(kind, weight, snapshot, types));
  const tables = new WorkloadTables(classes, types.kinds.length);
  made.set(workload, { types: types.key, tables });
  return tables;
}

/** What a shape asks of its nodes, by its first alternative; each request of a list counts as a job that needs all the cpu. */
function classesOf(shape: Shape, weight: number, snapshot: Snapshot, { kinds, memoryBytes }: DeviceTypes): JobClass[] {
  const { resources } = shape;
  const base = { cpuMilli: resources.cpuMilli, memoryBytes: resources.memoryBytes, weight: weight * resources.nodes };
  const requests = compileDevices(resources.deviceAlternatives[0] ?? [], snapshot);
  if (requests.length === 0) return [{ ...base, deviceCount: 0, deviceMilli: 0, accepts: null }];
  return requests.map((request) => ({
    ...base,
    deviceCount: request.count,
    deviceMilli: request.milli,
    accepts: kinds.map((kind, type) => {
      if (kind !== request.kind || !(memoryBytes[type]! >= request.minMemoryBytes)) return 0;
      return request.models === null ? 1 : (request.models[type - 1] ?? 0);
    }),
  }));
}

/** Scratch of the running call. */
const rows: number[] = [];
const shares: number[] = [];

/** Score of a node on which the request fits, ≥ 0. */
export function fragmentationScore(fleet: Fleet, request: NodeRequest, row: number): number {
  const { nodes } = fleet.snapshot;
  const premium = premiumOf(fleet, request, row);
  if (request.devices.length === 0 && nodes.deviceCount[row] === 0) {
    const left = share(fleet.cpuMilli[row]! - request.cpuMilli, nodes.cpuMilli[row]!);
    const memoryLeft = share(fleet.memoryBytes[row]! - request.memoryBytes, nodes.memoryBytes[row]!);
    const power = fleet.power === undefined ? 0 : fleet.power.milliPerWatt * powerAdded(fleet, request, row);
    return premium + offset(request) + power + (bestFitMilli * (left + memoryLeft)) / 2;
  }
  const noDevices = request.devices.length === 0 ? stepMilli / 2 : 0;
  return Math.max(0, premium + offset(request) + placementCost(fleet, request, row) + noDevices);
}

/** What a dearer site costs, and as much as can be saved in power by going there: nobody pays more so that less is drawn. */
function premiumOf({ power, snapshot }: Fleet, request: NodeRequest, row: number): number {
  const premium = request.sitePremium[snapshot.nodes.site[row]!]!;
  if (premium === 0 || power === undefined) return premiumMilli * premium;
  const devices = request.devices.reduce((sum, { count }) => sum + count, 0);
  return premiumMilli * premium + power.milliPerWatt * power.mostAdded(devices, request.cpuMilli);
}

/** What is added to fragmentation, in steps, and to power, in thousandths of a device. */
function placementCost(fleet: Fleet, request: NodeRequest, row: number): number {
  const cost = Math.round(fragmentationAdded(fleet, request, row) / stepMilli) * stepMilli;
  return fleet.power === undefined ? cost : cost + fleet.power.milliPerWatt * powerAdded(fleet, request, row);
}

/** Thousandths of devices that the placement makes useless, less those that it makes useful again. */
export function fragmentationAdded(fleet: Fleet, request: NodeRequest, row: number): number {
  const fragmentation = fleet.fragmentation!;
  rows.length = 0;
  shares.length = 0;
  if (request.want !== undefined) {
    fragmentation.choose(row, request.want, rows);
    for (let i = 0; i < rows.length; i += 1) shares.push(request.want.milli);
    return fragmentation.added(row, request, rows, shares);
  }
  if (request.devices.length === 0) return fragmentation.added(row, request, rows, shares);
  const choice = chooseDevices(fleet.snapshot, row, request.devices, freeDevices(fleet));
  return fragmentation.added(row, request, choice.rows, choice.milli);
}

/** Watts that the placement adds, ≥ 0; 0 without figures. */
export function powerAdded(fleet: Fleet, request: NodeRequest, row: number): number {
  const { power, snapshot } = fleet;
  if (power === undefined) return 0;
  let watts = power.processorWatts(snapshot.nodes.cpuMilli[row]!, fleet.cpuMilli[row]!, request.cpuMilli);
  if (request.devices.length === 0) return watts;
  for (const device of devicesToTake(fleet, request, row).rows) {
    if (fleet.milli[device] === 1000) watts += power.wakingWatts(snapshot.devices.model[device]! + 1);
  }
  return watts;
}

/** Which devices a rank takes of a node on which it fits: those that the node was scored with. */
export function devicesToTake(fleet: Fleet, request: NodeRequest, row: number): Omit<DeviceChoice, 'missing'> {
  const { want } = request;
  const chosen: number[] = [];
  if (fleet.fragmentation === undefined || want === undefined || !fleet.fragmentation.choose(row, want, chosen)) {
    return chooseDevices(fleet.snapshot, row, request.devices, freeDevices(fleet));
  }
  return { rows: chosen, milli: chosen.map(() => want.milli) };
}

/** Keeps scores above 0 though fragmentation can fall: by 1½ times what is taken, and by one whole device that becomes of use. */
const offset = (request: NodeRequest) => 1000 + 2 * request.deviceMilli;

/** Part of a whole as 0..1; 0 of nothing. */
const share = (part: number, whole: number) => (whole > 0 ? Math.max(0, Math.min(1, part / whole)) : 0);
