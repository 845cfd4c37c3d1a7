/**
 * AMD GPUs of a node: amd-smi, and rocm-smi where only the older tool is installed.
 *
 * `amd-smi static` has model, memory and limits, `amd-smi list` has uuid and PCI address (older releases do not
 * repeat them in `static`), `amd-smi metric` has ECC and throttling. They are joined by the tool's GPU number.
 */
import { blankDevice, type DiscoveredDevice, type HealthReason, healthOf } from '../device.ts';
import { modelOf, modelPowerOf } from '../models.ts';
import type { Outside } from '../outside.ts';
import { numaNodeOf, renderNodesOf } from '../pci.ts';
import {
  bytesOf,
  COUNT,
  DEVICE_MEMORY_BYTES,
  DEVICE_WATTS,
  dig,
  integerIn,
  numberIn,
  pciAddressOf,
  quantityOf,
  SMALL_INDEX,
  textOf,
} from '../reading.ts';
import { outputOf, type Warn } from '../tools.ts';
import { amdEntries, amdThrottleReasons, type Entry, labelled, rocmEntries } from './entries.ts';

const ROCM_ARGUMENTS = [
  '--showproductname',
  '--showuniqueid',
  '--showbus',
  '--showmeminfo',
  'vram',
  '--showdriverversion',
  '--showmaxpower',
  '--json',
];

/** All AMD GPUs of the node; empty when neither tool is there. Never throws. */
export async function amdDevices(outside: Outside, warn: Warn): Promise<DiscoveredDevice[]> {
  const json = await outputOf(outside, warn, 'amd-smi', ['static', '--json']);
  if (json === null) return rocmDevices(outside, warn);
  const entries = amdEntries(json);
  if (entries === null) {
    warn({ code: 'tool-garbage', source: 'amd-smi static --json', detail: json.trim().slice(0, 80) });
    return rocmDevices(outside, warn);
  }
  if (entries.length === 0) return [];
  const listed = amdEntries((await outputOf(outside, warn, 'amd-smi', ['list', '--json'], true)) ?? '') ?? [];
  const metrics = amdEntries((await outputOf(outside, warn, 'amd-smi', ['metric', '--json'], true)) ?? '') ?? [];
  const devices: DiscoveredDevice[] = [];
  for (const { index, data } of entries) {
    const list = listed.find((entry) => entry.index === index)?.data ?? {};
    const metric = metrics.find((entry) => entry.index === index)?.data ?? {};
    const pciAddress = pciAddressOf(dig(data, 'bus', 'bdf') ?? list.bdf);
    const uuid = idOf(textOf(list.uuid ?? data.uuid), textOf(dig(data, 'asic', 'asic_serial')), pciAddress);
    const fullName =
      textOf(dig(data, 'asic', 'market_name')) ?? textOf(dig(data, 'board', 'product_name')) ?? 'AMD GPU';
    const cap = dig(data, 'limit', 'socket_power') ?? dig(data, 'limit', 'ppt0', 'socket_power_limit');
    const device = await completed(outside, warn, 'amd-smi static --json', { index, uuid, fullName, pciAddress });
    if (device === null) continue;
    device.memoryBytes = bytesOf(dig(data, 'vram', 'size'), DEVICE_MEMORY_BYTES);
    device.driverVersion = textOf(dig(data, 'driver', 'version'));
    device.computeCapability = gfxOf(dig(data, 'asic', 'target_graphics_version'));
    device.numaNode ??= integerIn(dig(data, 'numa', 'node'), SMALL_INDEX);
    device.powerCapWatts = quantityOf(cap, DEVICE_WATTS) ?? quantityOf(dig(data, 'limit', 'max_power'), DEVICE_WATTS);
    device.health = healthOf(healthReasonsOf(metric));
    devices.push(device);
  }
  return devices;
}

async function rocmDevices(outside: Outside, warn: Warn): Promise<DiscoveredDevice[]> {
  const json = await outputOf(outside, warn, 'rocm-smi', ROCM_ARGUMENTS);
  if (json === null || json.trim() === '') return [];
  const parsed = rocmEntries(json);
  if (parsed === null) {
    warn({ code: 'tool-garbage', source: 'rocm-smi --json', detail: json.trim().slice(0, 80) });
    return [];
  }
  const devices: DiscoveredDevice[] = [];
  for (const { index, data } of parsed.cards) {
    const pciAddress = pciAddressOf(labelled(data, 'PCI Bus'));
    const uuid = idOf(null, textOf(labelled(data, 'Unique ID')), pciAddress);
    const fullName = textOf(labelled(data, 'Card Series', 'Card Model', 'Card SKU')) ?? 'AMD GPU';
    const device = await completed(outside, warn, 'rocm-smi --json', { index, uuid, fullName, pciAddress });
    if (device === null) continue;
    device.memoryBytes = numberIn(labelled(data, 'VRAM Total Memory (B)'), DEVICE_MEMORY_BYTES);
    device.driverVersion = textOf(labelled(parsed.system, 'Driver version'));
    device.computeCapability = gfxOf(labelled(data, 'GFX Version'));
    device.powerCapWatts = numberIn(labelled(data, 'Max Graphics Package Power (W)'), DEVICE_WATTS);
    devices.push(device);
  }
  return devices;
}

/** What both tools' devices share; null with a warning when nothing identifies the card. */
async function completed(
  outside: Outside,
  warn: Warn,
  source: string,
  card: { index: number; uuid: string | null; fullName: string; pciAddress: string | null },
): Promise<DiscoveredDevice | null> {
  const { index, uuid, fullName, pciAddress } = card;
  if (uuid === null) {
    warn({ code: 'device-skipped', source, detail: `GPU ${index} has no uuid, serial or PCI address` });
    return null;
  }
  const device = blankDevice({ kind: 'gpu', vendor: 'amd', model: modelOf(fullName), fullName, index, uuid });
  device.pciAddress = pciAddress;
  device.tdpWatts = modelPowerOf(fullName)?.tdpWatts ?? null;
  if (pciAddress !== null) {
    device.numaNode = await numaNodeOf(outside, pciAddress);
    device.deviceNodes = await renderNodesOf(outside, pciAddress);
  }
  if ((await outside.list('/dev')).includes('kfd')) device.deviceNodes.unshift('/dev/kfd');
  return device;
}

/** uuid, else serial, else PCI address; serials of all zeros are what firmware prints when it has none. */
function idOf(uuid: string | null, serial: string | null, pciAddress: string | null): string | null {
  if (uuid !== null && /^[0-9a-fA-F-]{16,64}$/.test(uuid)) return `GPU-${uuid.toLowerCase()}`;
  if (serial !== null && /^(0x)?(?!0+$)[0-9a-fA-F]{6,32}$/.test(serial)) return `amd-${serial.toLowerCase()}`;
  return pciAddress === null ? null : `pci-${pciAddress}`;
}

function gfxOf(value: unknown): string | null {
  return /^gfx[0-9a-f]{3,5}$/.exec(textOf(value) ?? '')?.[0] ?? null;
}

function healthReasonsOf(metric: Entry['data']): HealthReason[] {
  const reasons: HealthReason[] = [];
  if ((integerIn(dig(metric, 'ecc', 'total_uncorrectable_count'), COUNT) ?? 0) > 0) reasons.push('ecc-uncorrected');
  for (const reason of amdThrottleReasons(metric)) if (reason !== 'power-cap') reasons.push(`throttle-${reason}`);
  return reasons;
}
