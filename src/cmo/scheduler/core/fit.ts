/**
 * Whether a node can take a rank now, and how well: the inner loop of a round (nodes × distinct shapes).
 *
 * Score by least fragmentation: see `fragmentation.ts`. Score by best fit, lower is better: 4 × price premium of the site (0..1) + share of the node's devices left free + leftover of a shared
 * device + ¼ × share of cpu left + ¼ × share of memory left. That is best fit, which keeps whole devices and whole nodes for those
 * who need them and sends work without devices to nodes without; a site twice as dear is taken only when nothing cheaper fits.
 */
import type { RejectionCode } from '../../../common/contract/plan.ts';
import { type Availability, chooseDevices, mismatch } from './devices.ts';
import type { Fleet } from './fleet.ts';
import { fragmentationScore } from './fragmentation.ts';
import type { CompiledDevice, NodeRequest } from './request.ts';
import { nodeFlag } from './snapshot.ts';

/** In the order in which they are tested: a node counts under the first that applies. Index = code in typed arrays. */
export const rejectionCodes = [
  'presence',
  'cordoned',
  'unhealthy',
  'isolation',
  'network',
  'labels',
  'price',
  'device_kind',
  'device_model',
  'device_memory',
  'device_driver',
  'device_count',
  'cpu',
  'memory',
  'disk',
  'reserved',
] as const satisfies readonly RejectionCode[];

const index = Object.fromEntries(rejectionCodes.map((code, at) => [code, at])) as Record<RejectionCode, number>;
/** A row without a node: neither feasible nor counted. */
export const noNode = rejectionCodes.length;

const premiumWeight = 4;
const smallWeight = 0.25;
/** A label that is preferred and missed: by best fit, and in thousandths of a device. A quarter of a site twice as dear. */
const missedWeight = 1;
const missedMilli = 2000;

/** A verdict as one number, to keep the inner loop free of objects: score ≥ 0, or −1 − index of the rejection. */
export function fitNode(fleet: Fleet, request: NodeRequest, row: number): number {
  const refusal = refusedAlways(fleet, request, row);
  if (refusal >= 0) return -1 - refusal;
  const kept = fleet.keptFor(row);
  const score = scoreUnkept(fleet, request, row);
  return kept !== undefined && score >= 0 && takesFromKept(fleet, request, row, kept) ? -1 - index.reserved : score;
}

/** Score of a node for a request that may have what is kept of it, as if nothing were; below 0 when it does not fit what is free. */
export const scoreUnkept = (fleet: Fleet, request: NodeRequest, row: number): number =>
  withPreferences(fleet, request, row, fitFree(fleet, request, row));

/** As `refusedFor`, and also by what the node's devices are; looked up for nodes of a group that is known. */
function refusedAlways(fleet: Fleet, request: NodeRequest, row: number): number {
  const group = fleet.classes.group[row]!;
  const known = request.idle.refusal(group);
  if (known !== undefined) return known;
  let refusal = refusedFor(fleet, request, row);
  if (refusal < 0 && request.devices.length === 1) refusal = refusedByMake(fleet, request.devices[0]!, row);
  request.idle.setRefusal(group, refusal);
  return refusal;
}

/** What keeps all devices of a node from being what is asked for; −1 when one of them is, though it may be taken or unwell. */
function refusedByMake({ snapshot }: Fleet, request: CompiledDevice, row: number): number {
  const { nodes, devices } = snapshot;
  const start = nodes.deviceStart[row]!;
  let furthest = 1;
  for (let device = start; device < start + nodes.deviceCount[row]!; device += 1) {
    const reason = mismatch(devices, device, request);
    if (reason === 0) return -1;
    if (reason > furthest) furthest = reason;
  }
  return index.device_kind + furthest - 1;
}

/** What a preference costs that a node does not meet, in the unit of scores. */
export const missedCost = (fleet: Pick<Fleet, 'fragmentation'>): number =>
  fleet.fragmentation === undefined ? missedWeight : missedMilli;

/** Adds what the labels that a request prefers and the node lacks count; a refusal stays one. */
function withPreferences(fleet: Fleet, { labels }: NodeRequest, row: number, score: number): number {
  if (labels === undefined || !(score >= 0)) return score;
  return score + missedCost(fleet) * labels.missed(fleet.snapshot, row);
}

/** What refuses a node however free it is, as an index of `rejectionCodes` or `noNode`; −1 when nothing does. */
export function refusedFor(fleet: Fleet, request: NodeRequest, row: number): number {
  const { nodes } = fleet.snapshot;
  const flags = nodes.flags[row]!;
  if ((flags & nodeFlag.live) === 0) return noNode;
  if ((flags & nodeFlag.ready) === 0) return index.presence;
  if ((flags & nodeFlag.open) === 0) return index.cordoned;
  if ((flags & nodeFlag.healthy) === 0) return index.unhealthy;
  if ((nodes.isolation[row]! & request.isolationMask) < request.isolationBit) return index.isolation;
  if (request.hostNetwork && (flags & nodeFlag.hostNetwork) === 0) return index.network;
  if (request.labels !== undefined && !request.labels.allows(fleet.snapshot, row)) return index.labels;
  // Also refuses a node whose site is unknown.
  return request.siteAllowed[nodes.site[row]!] === 1 ? -1 : index.price;
}

/** A job after the one that a node is kept for may take only what that one does not need, so that nothing is missing more. */
function takesFromKept(fleet: Fleet, request: NodeRequest, row: number, kept: NodeRequest): boolean {
  if (kept.devices.length > 0 && request.devices.length > 0) return true;
  return !(
    (request.cpuMilli === 0 || fleet.cpuMilli[row]! - request.cpuMilli >= kept.cpuMilli) &&
    (request.memoryBytes === 0 || fleet.memoryBytes[row]! - request.memoryBytes >= kept.memoryBytes) &&
    (request.diskBytes === 0 || fleet.diskBytes[row]! - request.diskBytes >= kept.diskBytes)
  );
}

function fitFree(fleet: Fleet, request: NodeRequest, row: number): number {
  const { nodes } = fleet.snapshot;
  let takenMilli = 0;
  let fragment = 0;
  if (request.devices.length === 1) {
    const device = request.devices[0]!;
    const left = leastLeftover(fleet, row, device);
    if (left < 0) return left;
    takenMilli = device.count * device.milli;
    if (device.milli < 1000) fragment = left / 1000;
  } else if (request.devices.length > 1) {
    const refusal = refuseList(fleet, request, row);
    if (refusal !== undefined) return refusal;
    for (const device of request.devices) takenMilli += device.count * device.milli;
  }
  const cpuLeft = fleet.cpuMilli[row]! - request.cpuMilli;
  if (!(cpuLeft >= 0)) return -1 - index.cpu;
  const memoryLeft = fleet.memoryBytes[row]! - request.memoryBytes;
  if (!(memoryLeft >= 0)) return -1 - index.memory;
  if (!(fleet.diskBytes[row]! - request.diskBytes >= 0)) return -1 - index.disk;
  if (fleet.fragmentation !== undefined) return fragmentationScore(fleet, request, row);
  return (
    premiumWeight * request.sitePremium[nodes.site[row]!]! +
    share(fleet.nodeMilliFree[row]! - takenMilli, fleet.nodeMilli[row]!) +
    fragment +
    smallWeight * share(cpuLeft, nodes.cpuMilli[row]!) +
    smallWeight * share(memoryLeft, nodes.memoryBytes[row]!)
  );
}

/** Part of a whole as 0..1; 0 of nothing. */
function share(part: number, whole: number): number {
  return whole > 0 ? Math.max(0, Math.min(1, part / whole)) : 0;
}

/**
 * Least leftover, thousandths ≥ 0, among the devices that fit a single request; −1 − index of the rejection when there are too few.
 */
function leastLeftover(fleet: Fleet, row: number, request: CompiledDevice): number {
  const { nodes, devices } = fleet.snapshot;
  const start = nodes.deviceStart[row]!;
  const end = start + nodes.deviceCount[row]!;
  let found = 0;
  let least = 1000;
  let furthest = 1;
  for (let device = start; device < end; device += 1) {
    const reason = mismatch(devices, device, request);
    if (reason !== 0) {
      if (reason > furthest) furthest = reason;
      continue;
    }
    furthest = 5;
    const left = fleet.milli[device]! - request.milli;
    if (left < 0 || devices.healthy[device] !== 1) continue;
    found += 1;
    if (left < least) least = left;
  }
  return found >= request.count ? least : -1 - (index.device_kind + furthest - 1);
}

function refuseList(fleet: Fleet, request: NodeRequest, row: number): number | undefined {
  for (const device of request.devices) {
    const left = leastLeftover(fleet, row, device);
    if (left < 0) return left;
  }
  const { missing } = chooseDevices(fleet.snapshot, row, request.devices, freeDevices(fleet));
  return missing === 0 ? undefined : -1 - index.device_count;
}

/** What is free now, on healthy devices. */
export function freeDevices(fleet: Fleet): Availability {
  return { milli: fleet.milli, unhealthyToo: false };
}
