/**
 * Which placements still fit, in plan order: earlier ones win, and a gang fits with all its ranks or not at all.
 *
 * Works on counters that the caller has locked and counts what it accepts into them, so that later placements of the
 * same plan see it.
 */
import type { Placement, RefusalCode, RefusedPlacement } from '../../../common/contract/plan.ts';
import { type Amounts, amountNames, minus, nothing, plus } from './amounts.ts';
import type { DeviceCounters, LockedCounters, NodeCounters } from './counters.ts';

interface Refusal {
  readonly code: RefusalCode;
  readonly detail: string;
}

/** Parts placements into those that fit and those that do not; raises `used` in `locked` by what fits. */
export function takeFitting(
  placements: readonly Placement[],
  locked: LockedCounters,
): { accepted: Placement[]; refused: RefusedPlacement[] } {
  const accepted: Placement[] = [];
  const refused: RefusedPlacement[] = [];
  for (const placement of placements) {
    const refusal = take(placement, locked);
    if (refusal) refused.push({ jobId: placement.jobId, ...refusal });
    else accepted.push(placement);
  }
  return { accepted, refused };
}

function take(placement: Placement, locked: LockedCounters): Refusal | undefined {
  const wanted = new Map<string, Amounts>();
  for (const rank of placement.ranks) {
    const node = locked.nodes.get(rank.nodeId);
    if (!node) return { code: 'node_changed', detail: `node ${rank.nodeId} does not exist` };
    const refusal = refusalOfNode(node, placement.siteId) ?? refusalOfPromise(node, placement.calendar);
    if (refusal) return refusal;
    for (const share of rank.devices) {
      const device = locked.devices.get(share.deviceId);
      const refusal = refusalOfDevice(device, share, rank.nodeId);
      if (refusal) return refusal;
    }
    wanted.set(node.id, plus(wanted.get(node.id) ?? nothing, rank));
  }
  for (const [id, amounts] of wanted) {
    const refusal = shortage(locked.nodes.get(id)!, amounts);
    if (refusal) return refusal;
  }
  for (const [id, amounts] of wanted) {
    const node = locked.nodes.get(id)!;
    locked.nodes.set(id, { ...node, used: plus(node.used, amounts) });
  }
  for (const { deviceId, milli } of placement.ranks.flatMap((rank) => rank.devices)) {
    const device = locked.devices.get(deviceId)!;
    locked.devices.set(deviceId, { ...device, usedMilli: device.usedMilli + milli });
  }
  return undefined;
}

function refusalOfNode(node: NodeCounters, siteId: string): Refusal | undefined {
  if (node.siteId !== siteId) return { code: 'invalid', detail: `node ${node.id} is not at site ${siteId}` };
  if (node.presence !== 'ready') return { code: 'node_changed', detail: `node ${node.id} is ${node.presence}` };
  if (node.scheduling !== 'open') return { code: 'node_changed', detail: `node ${node.id} is ${node.scheduling}` };
  return undefined;
}

/** What is not said to end before a promise begins, and does not belong to it, has no place there: also of a plan that knew of none. */
function refusalOfPromise({ id, promises = [] }: NodeCounters, calendar: Placement['calendar']): Refusal | undefined {
  const broken = promises.find(
    ({ reservation, startsAt }) =>
      calendar === undefined || !(calendar.reservations.includes(reservation) || calendar.endsBy <= startsAt),
  );
  if (broken === undefined) return undefined;
  return { code: 'capacity_taken', detail: `node ${id} is reserved by ${broken.reservation}` };
}

function refusalOfDevice(
  device: DeviceCounters | undefined,
  share: { readonly deviceId: string; readonly milli: number },
  nodeId: string,
): Refusal | undefined {
  const name = `device ${share.deviceId}`;
  if (!device) return { code: 'node_changed', detail: `${name} does not exist` };
  if (device.nodeId !== nodeId) return { code: 'invalid', detail: `${name} is not of node ${nodeId}` };
  if (device.observedMilli === 0) return { code: 'node_changed', detail: `${name} is gone or cut into slices` };
  if (device.health !== 'ok') return { code: 'node_changed', detail: `${name} is ${device.health}` };
  const free = device.milli - device.usedMilli;
  if (share.milli > free) {
    return { code: 'capacity_taken', detail: `${name}: ${share.milli} thousandths wanted, ${free} free` };
  }
  return undefined;
}

function shortage(node: NodeCounters, wanted: Amounts): Refusal | undefined {
  const free = minus(node.capacity, node.used);
  const short = amountNames.find((name) => wanted[name] > free[name]);
  if (short === undefined) return undefined;
  return { code: 'capacity_taken', detail: `node ${node.id}: ${short} ${wanted[short]} wanted, ${free[short]} free` };
}
