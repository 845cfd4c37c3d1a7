/**
 * Google TPUs: there is no tool on a bare VM, so the PCI bus is the source.
 *
 * Chip by PCI device id as in Google's tpu-info (AI-Hypercomputer/cloud-accelerator-diagnostics) and JAX' cloud TPU
 * detection; gVisor's pkg/abi/tpu names the same. Chips up to v4 appear as /dev/accelN in PCI order, later ones
 * are bound to vfio and appear as /dev/vfio/GROUP.
 */
import { blankDevice, type DiscoveredDevice } from './device.ts';
import { modelPowerOf } from './models.ts';
import type { Outside } from './outside.ts';
import { iommuGroupOf, numaNodeOf, type PciDevice } from './pci.ts';
import { GIB } from './reading.ts';

const GOOGLE = '1ae0';

type Chip = { version: string; memoryGib: number | null };

const CHIPS: Record<string, Chip> = {
  '0056': { version: 'v4i', memoryGib: 8 },
  '005e': { version: 'v4', memoryGib: 32 },
  '0062': { version: 'v5p', memoryGib: 95 },
  '0063': { version: 'v5e', memoryGib: 16 },
  '006f': { version: 'v6e', memoryGib: 32 },
  '0076': { version: 'v7', memoryGib: 192 },
};

/** v2 and v3 share a device id and differ in the subsystem's. */
const EARLY_CHIPS: Record<string, Chip> = {
  '004e': { version: 'v2', memoryGib: 16 },
  '004f': { version: 'v3', memoryGib: 32 },
};

function chipOf(device: PciDevice): Chip | undefined {
  if (device.vendorId !== GOOGLE) return undefined;
  return device.deviceId === '0027' ? EARLY_CHIPS[device.subsystemDeviceId] : CHIPS[device.deviceId];
}

/** All TPU chips of the node in PCI order. Other devices of the vendor (network, disks) are not chips. */
export async function tpuDevices(outside: Outside, pci: readonly PciDevice[]): Promise<DiscoveredDevice[]> {
  const chips = pci.flatMap((device) => {
    const chip = chipOf(device);
    return chip === undefined ? [] : [{ device, chip }];
  });
  if (chips.length === 0) return [];
  const accel = (await outside.list('/dev')).filter((name) => /^accel\d{1,3}$/.test(name)).sort(byNumber);
  const devices: DiscoveredDevice[] = [];
  for (const [index, { device, chip }] of chips.entries()) {
    const fullName = `TPU ${chip.version}`;
    const tpu = blankDevice({
      kind: 'tpu',
      vendor: 'google',
      model: `TPU-${chip.version}`,
      fullName,
      index,
      uuid: `pci-${device.address}`,
    });
    const group = accel.length > 0 ? null : await iommuGroupOf(outside, device.address);
    tpu.memoryBytes = chip.memoryGib === null ? null : chip.memoryGib * GIB;
    tpu.pciAddress = device.address;
    tpu.numaNode = await numaNodeOf(outside, device.address);
    tpu.tdpWatts = modelPowerOf(fullName)?.tdpWatts ?? null;
    if (accel[index] !== undefined) tpu.deviceNodes = [`/dev/${accel[index]}`];
    else if (group !== null) tpu.deviceNodes = [`/dev/vfio/${group}`, '/dev/vfio/vfio'];
    devices.push(tpu);
  }
  return devices;
}

function byNumber(a: string, b: string): number {
  return Number(a.slice('accel'.length)) - Number(b.slice('accel'.length));
}
