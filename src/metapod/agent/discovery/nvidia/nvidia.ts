/**
 * NVIDIA GPUs of a node, by nvidia-smi.
 *
 * The query is the backbone; uuid or PCI address must be known, everything else may be missing. Topology, CUDA
 * version, MIG table and XIDs are asked only when there is a GPU, and losing one of them loses just that.
 */
import { blankDevice, type DiscoveredDevice, healthOf } from '../device.ts';
import { modelOf, modelPowerOf } from '../models.ts';
import type { Outside } from '../outside.ts';
import { numaNodeOf } from '../pci.ts';
import {
  DEVICE_MEMORY_BYTES,
  DEVICE_WATTS,
  integerIn,
  MIB,
  numberIn,
  pciAddressOf,
  SMALL_INDEX,
  saysBroken,
  textOf,
} from '../reading.ts';
import { outputOf, type Warn } from '../tools.ts';
import { HEALTH_FIELDS, healthReasonsOf, lastXids } from './health.ts';
import { migDevicesOf, migInstancesOf, migListingsOf } from './mig.ts';
import { type FieldRow, queryGpus } from './query.ts';
import { topologyOf } from './topology.ts';

const IDENTITY_FIELDS = [
  'index',
  'uuid',
  'pci.bus_id',
  'driver_version',
  'memory.total',
  'compute_cap',
  'mig.mode.current',
];
const FIELDS = [...IDENTITY_FIELDS, 'power.limit', ...HEALTH_FIELDS, 'name'];

/** All NVIDIA GPUs and MIG slices of the node; empty when nvidia-smi is missing. Never throws. */
export async function nvidiaDevices(outside: Outside, warn: Warn): Promise<DiscoveredDevice[]> {
  const rows = await queryGpus(outside, warn, FIELDS);
  if (rows === null || rows.length === 0) return [];
  const plain = (await outputOf(outside, warn, 'nvidia-smi', [])) ?? '';
  const topology = topologyOf((await outputOf(outside, warn, 'nvidia-smi', ['topo', '-m'], true)) ?? '');
  // Reading the kernel log is root's right on most systems; without it there are just no XIDs.
  const xids = lastXids((await outputOf(outside, warn, 'dmesg', [], true)) ?? '');
  const listings = migListingsOf((await outputOf(outside, warn, 'nvidia-smi', ['-L'])) ?? '');
  const instances = migInstancesOf(plain);
  const nodes = new Set(await outside.list('/dev'));
  const cudaVersion = /CUDA (?:UMD )?Version\s*:\s*(\d{1,2}\.\d{1,2})\b/.exec(plain)?.[1] ?? null;

  const gpus: DiscoveredDevice[] = [];
  const slices: DiscoveredDevice[] = [];
  for (const row of rows) {
    const gpu = gpuOf(row, xids, warn);
    if (gpu === null) continue;
    const minor = (await minorOf(outside, gpu.pciAddress)) ?? gpu.index;
    gpu.cudaVersion = cudaVersion;
    gpu.deviceNodes = [`nvidia${minor}`, 'nvidiactl', 'nvidia-uvm'].filter((n) => nodes.has(n)).map((n) => `/dev/${n}`);
    const numa = gpu.pciAddress === null ? null : await numaNodeOf(outside, gpu.pciAddress);
    gpu.numaNode = numa ?? topology.numaNodes.get(gpu.index) ?? null;
    if (gpu.mig?.enabled) {
      const own = await migDevicesOf(outside, gpu, minor, listings, instances);
      gpu.mig.slices = own.length;
      if (own.length === 0) {
        const reasons = gpu.health.state === 'degraded' ? gpu.health.reasons : [];
        gpu.health = healthOf([...reasons, 'mig-without-slices']);
      }
      slices.push(...own);
    }
    gpus.push(gpu);
  }
  for (const gpu of gpus) {
    for (const { to, link, links } of topology.links.get(gpu.index) ?? []) {
      const peer = gpus.find((other) => other.index === to);
      if (peer !== undefined) gpu.peers.push({ uuid: peer.uuid, link, links });
    }
  }
  return [...gpus, ...slices];
}

/** One row as a device, or null with a warning when it cannot be told from others. */
function gpuOf(row: FieldRow, xids: ReadonlyMap<string, number>, warn: Warn): DiscoveredDevice | null {
  const cell = (field: string) => row.get(field) ?? '';
  const index = integerIn(cell('index'), SMALL_INDEX);
  const pciAddress = pciAddressOf(cell('pci.bus_id'));
  const vendorUuid = /^GPU-[0-9a-fA-F-]{8,64}$/.exec(cell('uuid'))?.[0] ?? null;
  const uuid = vendorUuid ?? (pciAddress === null ? null : `pci-${pciAddress}`);
  if (index === null || uuid === null) {
    const detail = 'a GPU without index, or without both uuid and PCI address';
    warn({ code: 'device-skipped', source: 'nvidia-smi --query-gpu', detail });
    return null;
  }
  const name = cell('name');
  const fullName = (saysBroken(name) ? null : textOf(name)) ?? 'NVIDIA GPU';
  const lastXid = (pciAddress === null ? undefined : xids.get(pciAddress)) ?? null;
  const memoryMib = numberIn(cell('memory.total'), [1, DEVICE_MEMORY_BYTES[1] / MIB]);
  const mode = cell('mig.mode.current');
  const device = blankDevice({ kind: 'gpu', vendor: 'nvidia', model: modelOf(fullName), fullName, index, uuid });
  return {
    ...device,
    memoryBytes: memoryMib === null ? null : Math.round(memoryMib * MIB),
    driverVersion: /^\d{2,4}(\.\d{1,4}){1,3}$/.exec(cell('driver_version'))?.[0] ?? null,
    computeCapability: /^\d{1,2}\.\d$/.exec(cell('compute_cap'))?.[0] ?? null,
    pciAddress,
    mig: /^(enabled|disabled)$/i.test(mode) ? { enabled: /^enabled$/i.test(mode), slices: 0 } : null,
    health: healthOf(healthReasonsOf(row, lastXid)),
    lastXid,
    powerCapWatts: numberIn(cell('power.limit'), DEVICE_WATTS),
    tdpWatts: modelPowerOf(fullName)?.tdpWatts ?? null,
  };
}

/** The number in /dev/nvidiaN, which need not be nvidia-smi's index. */
async function minorOf(outside: Outside, pciAddress: string | null): Promise<number | null> {
  if (pciAddress === null) return null;
  const text = (await outside.readText(`/proc/driver/nvidia/gpus/${pciAddress}/information`)) ?? '';
  return integerIn(/^Device Minor:\s*(\d{1,4})\s*$/m.exec(text)?.[1], SMALL_INDEX);
}
