/**
 * What a node offers: one look at the whole machine.
 *
 * Vendors are asked side by side and independently; whatever one of them does (missing, hanging, lying), the others
 * and the host are reported. Discovery therefore never throws: an agent on a half-broken machine must still join
 * and say what is wrong with it.
 */
import { amdDevices } from './amd/amd.ts';
import type { DiscoveredDevice, DiscoveryWarning, Inventory } from './device.ts';
import { fpgaDevices } from './fpga.ts';
import { hostInventory } from './host.ts';
import { nvidiaDevices } from './nvidia/nvidia.ts';
import type { Outside } from './outside.ts';
import { pciDevices } from './pci.ts';
import { textOf } from './reading.ts';
import { tpuDevices } from './tpu.ts';

export type DiscoveryOptions = {
  outside: Outside;
  /** The agent's scratch folder; its free space is the disk on offer. */
  scratch: string;
};

const MAX_WARNINGS = 64;

/** Discovers the node. Takes as long as the slowest vendor's tools, each of which is killed after 10 s. Never throws. */
export async function discoverNode({ outside, scratch }: DiscoveryOptions): Promise<Inventory> {
  const warnings: DiscoveryWarning[] = [];
  const warn = (warning: DiscoveryWarning) => {
    const detail = textOf(warning.detail) ?? 'no details';
    if (warnings.length < MAX_WARNINGS) warnings.push({ ...warning, detail });
  };
  const pci = await pciDevices(outside);
  const [host, ...vendors] = await Promise.all([
    hostInventory(outside, scratch, warn),
    nvidiaDevices(outside, warn),
    amdDevices(outside, warn),
    tpuDevices(outside, pci),
    fpgaDevices(outside, pci, warn),
  ]);
  const byUuid = new Map<string, DiscoveredDevice>();
  for (const device of vendors.flat()) {
    if (!byUuid.has(device.uuid)) byUuid.set(device.uuid, device);
    else warn({ code: 'device-skipped', source: device.vendor, detail: `second device with uuid ${device.uuid}` });
  }
  return { ...host, devices: [...byUuid.values()], warnings };
}
