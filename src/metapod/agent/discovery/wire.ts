/**
 * The inventory in the words of the agent protocol (common/contract/agent).
 *
 * The protocol has columns for what placement filters by and `facts` for the rest; there, what is unknown is left
 * out. Memory that no tool told is 0 on the wire: such a device fits only jobs that ask for no minimum.
 */
import type { WireDevice, WireInventory } from '../../../common/contract/agent/protocol.ts';
import type { DiscoveredDevice, Inventory } from './device.ts';

/** The discovered part of a node's inventory; name, labels and isolation levels are the agent's to add. */
export type DiscoveredInventory = Pick<WireInventory, 'cpuMilli' | 'memoryBytes' | 'diskBytes' | 'facts' | 'devices'>;

const MAX_DEVICES = 1024;
const MAX_REASONS = 32;

/** Inventory as the agent sends it, parents before their slices. */
export function wireInventoryOf(inventory: Inventory): DiscoveredInventory {
  const { cpuMilli, memoryBytes, diskBytes, os, arch, kernel, bootId, warnings } = inventory;
  return {
    cpuMilli,
    memoryBytes,
    diskBytes,
    facts: known({ os, arch, kernel, bootId, warnings: warnings.length > 0 ? warnings : null }),
    devices: inventory.devices.slice(0, MAX_DEVICES).map(wireDeviceOf),
  };
}

function wireDeviceOf(device: DiscoveredDevice): WireDevice {
  const { uuid, kind, vendor, model, index, parentUuid, health, mig } = device;
  const { fullName, cudaVersion, computeCapability, pciAddress, numaNode, deviceNodes, peers } = device;
  const { profile, lastXid, powerCapWatts, tdpWatts } = device;
  return {
    uuid,
    kind,
    vendor,
    model,
    index,
    memoryBytes: device.memoryBytes ?? 0,
    driver: device.driverVersion,
    health: health.state,
    healthReasons: health.state === 'degraded' ? health.reasons.slice(0, MAX_REASONS) : [],
    parentUuid,
    facts: known({
      fullName,
      cudaVersion,
      computeCapability,
      pciAddress,
      numaNode,
      deviceNodes: deviceNodes.length > 0 ? deviceNodes : null,
      peers: peers.length > 0 ? peers : null,
      migEnabled: mig?.enabled ?? null,
      profile,
      lastXid,
      powerCapWatts,
      tdpWatts,
    }),
  };
}

function known(facts: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== null));
}
