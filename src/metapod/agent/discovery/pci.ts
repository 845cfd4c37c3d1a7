/**
 * PCI devices as the kernel lists them in /sys/bus/pci/devices: how TPUs and FPGAs are found without a
 * vendor's tool, and where NUMA nodes and render nodes of all devices come from.
 */
import { basename } from 'node:path';
import type { Outside } from './outside.ts';
import { integerIn, pciAddressOf, SMALL_INDEX } from './reading.ts';

const PCI_FOLDER = '/sys/bus/pci/devices';

export type PciDevice = {
  /** `0000:3b:00.0` */
  address: string;
  /** Four hexadecimal digits, lower case. */
  vendorId: string;
  deviceId: string;
  subsystemDeviceId: string;
  /** Class and subclass, four hexadecimal digits: `1200` is a processing accelerator. */
  classId: string;
};

/** All PCI devices of the node in address order; empty where there is no /sys. */
export async function pciDevices(outside: Outside): Promise<PciDevice[]> {
  const devices: PciDevice[] = [];
  for (const name of (await outside.list(PCI_FOLDER)).slice(0, 4096)) {
    const address = pciAddressOf(name);
    if (address === null) continue;
    const hex = async (file: string) =>
      /^0x([0-9a-f]{4,6})\s*$/i
        .exec((await outside.readText(`${PCI_FOLDER}/${name}/${file}`)) ?? '')?.[1]
        ?.toLowerCase() ?? '';
    const vendorId = await hex('vendor');
    if (vendorId === '') continue;
    devices.push({
      address,
      vendorId,
      deviceId: await hex('device'),
      subsystemDeviceId: await hex('subsystem_device'),
      classId: (await hex('class')).slice(0, 4),
    });
  }
  return devices;
}

/** NUMA node of a PCI device; null where the kernel says -1 (one node) or nothing. */
export async function numaNodeOf(outside: Outside, address: string): Promise<number | null> {
  return integerIn(await outside.readText(`${PCI_FOLDER}/${address}/numa_node`), SMALL_INDEX);
}

/** Render nodes (`/dev/dri/renderD128`) of a PCI device. */
export async function renderNodesOf(outside: Outside, address: string): Promise<string[]> {
  const names = await outside.list(`${PCI_FOLDER}/${address}/drm`);
  return names.filter((name) => /^renderD\d{1,4}$/.test(name)).map((name) => `/dev/dri/${name}`);
}

/** IOMMU group of a PCI device, the name below /dev/vfio; null when there is none. */
export async function iommuGroupOf(outside: Outside, address: string): Promise<string | null> {
  const target = await outside.readLink(`${PCI_FOLDER}/${address}/iommu_group`);
  const group = target === null ? '' : basename(target);
  return /^\d{1,6}$/.test(group) ? group : null;
}
