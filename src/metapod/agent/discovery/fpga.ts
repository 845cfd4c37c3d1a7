/**
 * FPGAs: Xilinx/AMD Alveo by `xbutil examine` (later `xrt-smi`), and by the PCI bus where XRT is not installed;
 * Intel PAC by the PCI bus.
 *
 * xbutil writes JSON only to a file, so it is told to write to its standard output (`--force`, for that "file" exists)
 * and the JSON is taken out of the report around it. A card has a management and a user function; jobs use the user
 * function, which is the one XRT lists. Intel's class 0x1200 also holds NPUs, so its FPGAs go by device id, those
 * of the kernel's drivers/fpga/dfl-pci.c (physical functions).
 */
import { blankDevice, type DiscoveredDevice, healthOf } from './device.ts';
import { modelOf, modelPowerOf } from './models.ts';
import type { Outside } from './outside.ts';
import { numaNodeOf, type PciDevice, renderNodesOf } from './pci.ts';
import { dig, GIB, jsonWithin, objectOf, pciAddressOf, textOf } from './reading.ts';
import { TOOL_TIMEOUT_MS, type Warn, warnOf } from './tools.ts';

const XILINX = '10ee';
const INTEL = '8086';
const PROCESSING_ACCELERATOR = '1200';
const INTEL_FPGAS: Record<string, string> = {
  '09c4': 'Intel PAC Arria 10 GX',
  '0b2b': 'Intel FPGA PAC D5005',
  '0b30': 'Intel FPGA PAC N3000',
  bcbd: 'Intel FPGA 5.0.3',
  bcc0: 'Intel FPGA 6.x',
  bcce: 'Intel FPGA OFS',
};
const EXAMINE = ['examine', '--format', 'JSON', '--output', '/dev/stdout', '--force'];

/** Memory on the card, GiB, by model (AMD Alveo product briefs; DDR or HBM, whichever the shell offers by default). */
const CARD_GIB: Record<string, number> = { U200: 64, U250: 64, U280: 40, U50: 8, U55C: 16 };

/** What XRT says of a card, before sysfs is asked. */
export type XrtCard = { address: string; platform: string; ready: boolean; xrtVersion: string | null };

/** Cards of an `xbutil examine --format JSON` report; null when the text holds no such report. */
export function xrtCardsOf(text: string): XrtCard[] | null {
  const host = objectOf(dig(jsonWithin(text), 'system', 'host'));
  if (host === null) return null;
  const devices = Array.isArray(host.devices) ? host.devices.slice(0, 256) : [];
  const xrtVersion = textOf(dig(host, 'xrt', 'version'));
  return devices.flatMap((device) => {
    const address = pciAddressOf(dig(device, 'bdf'));
    const platform = textOf(dig(device, 'vbnv'));
    if (address === null || platform === null) return [];
    return [{ address, platform, ready: String(dig(device, 'is_ready')) === 'true', xrtVersion }];
  });
}

/** All FPGAs of the node, XRT's cards first. Never throws. */
export async function fpgaDevices(
  outside: Outside,
  pci: readonly PciDevice[],
  warn: Warn,
): Promise<DiscoveredDevice[]> {
  const devices: DiscoveredDevice[] = [];
  for (const card of await xrtCards(outside, warn)) {
    const device = await fpgaOf(outside, devices.length, 'xilinx', card.platform, card.address);
    device.driverVersion = card.xrtVersion;
    if (!card.ready) device.health = healthOf(['not-ready']);
    devices.push(device);
  }
  const slots = new Set(devices.map((device) => slotOf(device.pciAddress ?? '')));
  // Higher functions first: the user function stands for the card.
  for (const { address, vendorId, deviceId, classId } of [...pci].sort((a, b) => (a.address < b.address ? 1 : -1))) {
    const intelName = vendorId === INTEL ? INTEL_FPGAS[deviceId] : undefined;
    const isFpga = classId === PROCESSING_ACCELERATOR && (vendorId === XILINX || intelName !== undefined);
    if (!isFpga || slots.has(slotOf(address))) continue;
    slots.add(slotOf(address));
    const name = intelName ?? `Xilinx ${deviceId}`;
    devices.push(await fpgaOf(outside, devices.length, intelName === undefined ? 'xilinx' : 'intel', name, address));
  }
  return devices;
}

async function xrtCards(outside: Outside, warn: Warn): Promise<XrtCard[]> {
  for (const tool of ['xbutil', 'xrt-smi']) {
    const result = await outside.run(tool, EXAMINE, TOOL_TIMEOUT_MS);
    if (result.kind === 'missing') continue;
    warnOf(result, `${tool} examine`, warn);
    if (result.kind !== 'ok') return [];
    const cards = xrtCardsOf(result.stdout);
    if (cards !== null) return cards;
    warn({ code: 'tool-garbage', source: `${tool} examine`, detail: result.stdout.trim().slice(0, 80) });
    return [];
  }
  return [];
}

async function fpgaOf(
  outside: Outside,
  index: number,
  vendor: 'xilinx' | 'intel',
  fullName: string,
  address: string,
): Promise<DiscoveredDevice> {
  const model = modelOf(fullName);
  const device = blankDevice({ kind: 'fpga', vendor, model, fullName, index, uuid: `pci-${address}` });
  const gib = CARD_GIB[model];
  device.pciAddress = address;
  device.memoryBytes = gib === undefined ? null : gib * GIB;
  device.numaNode = await numaNodeOf(outside, address);
  device.deviceNodes = await renderNodesOf(outside, address);
  device.tdpWatts = modelPowerOf(fullName)?.tdpWatts ?? null;
  return device;
}

function slotOf(address: string): string {
  return address.replace(/\.\d$/, '');
}
