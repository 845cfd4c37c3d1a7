/** Takes what allocations held out of the counters, and recomputes what may be given. */
import { type Amounts, larger, minus } from './amounts.ts';
import type { LockedCounters, NodeCounters } from './counters.ts';
import { isHeldButGone, withCapacity } from './device-capacity.ts';

/** What one rank holds. */
export interface Holding {
  readonly nodeId: string;
  readonly amounts: Amounts;
  readonly devices: readonly { readonly deviceId: string; readonly milli: number }[];
}

/** Changes `locked`, in which the nodes of the holdings and the whole families of their devices must be. */
export function giveBack(holdings: readonly Holding[], locked: LockedCounters): void {
  for (const { nodeId, amounts, devices } of holdings) {
    const node = locked.nodes.get(nodeId)!;
    const used = minus(node.used, amounts);
    locked.nodes.set(nodeId, { ...node, used, capacity: larger(used, node.observed) });
    for (const { deviceId, milli } of devices) {
      const device = locked.devices.get(deviceId)!;
      locked.devices.set(deviceId, { ...device, usedMilli: device.usedMilli - milli });
    }
  }
  for (const device of withCapacity([...locked.devices.values()])) locked.devices.set(device.id, device);
  for (const node of locked.nodes.values()) locked.nodes.set(node.id, withoutSettledReasons(node, locked));
}

/** A device that was held while gone is no reason any more when nobody holds it. */
function withoutSettledReasons(node: NodeCounters, locked: LockedCounters): NodeCounters {
  const healthReasons = node.healthReasons.filter(({ code, deviceId }) => {
    const device = code === 'device_held_but_gone' ? locked.devices.get(deviceId ?? '') : undefined;
    return device === undefined || isHeldButGone(device);
  });
  if (healthReasons.length === node.healthReasons.length) return node;
  return { ...node, healthReasons, health: healthReasons.length === 0 ? 'ok' : 'degraded' };
}
