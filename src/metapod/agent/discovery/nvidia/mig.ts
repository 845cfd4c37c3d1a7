/**
 * MIG: the slices of a GPU as devices of their own.
 *
 * `nvidia-smi -L` gives uuid and profile of each slice; its memory and its GPU- and compute-instance ids stand only
 * in the "MIG devices" table of the plain `nvidia-smi`, joined by GPU and device number. Access to a slice needs
 * the nvidia-caps nodes of its instances, whose minors are in /proc/driver/nvidia/capabilities.
 */
import type { DiscoveredDevice } from '../device.ts';
import type { Outside } from '../outside.ts';
import { DEVICE_MEMORY_BYTES, GIB, integerIn, MIB, numberIn, SMALL_INDEX } from '../reading.ts';

export type MigListing = { parentUuid: string; profile: string; slot: number; uuid: string };
export type MigInstance = {
  gpu: number;
  slot: number;
  gpuInstance: number;
  computeInstance: number;
  memoryBytes: number;
};

const GPU_LINE = /^GPU (\d{1,4}): .* \(UUID: (GPU-[0-9a-fA-F-]{8,64})\)\s*$/;
const MIG_LINE = /^\s+MIG ([\w.+-]{3,32})\s+Device\s+(\d{1,3}): \(UUID: (MIG-[0-9a-zA-Z/-]{8,96})\)\s*$/;
const TABLE_LINE = /^\|\s+(\d{1,4})\s+(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})\s+\|\s+\d+MiB\s*\/\s*(\d{1,8})MiB\s*\|/;

/** Slices that `nvidia-smi -L` lists. Lines that are neither GPU nor slice are skipped. */
export function migListingsOf(text: string): MigListing[] {
  const slices: MigListing[] = [];
  let parentUuid: string | null = null;
  for (const line of text.split('\n').slice(0, 4096)) {
    const gpu = GPU_LINE.exec(line);
    if (gpu !== null) parentUuid = gpu[2] ?? null;
    const mig = MIG_LINE.exec(line);
    if (mig === null || parentUuid === null) continue;
    slices.push({ parentUuid, profile: mig[1] ?? '', slot: Number(mig[2]), uuid: mig[3] ?? '' });
  }
  return slices;
}

/** Rows of the "MIG devices" table of the plain `nvidia-smi`. */
export function migInstancesOf(text: string): MigInstance[] {
  const instances: MigInstance[] = [];
  for (const line of text.split('\n').slice(0, 4096)) {
    const cells = TABLE_LINE.exec(line)?.slice(1).map(Number);
    const memoryBytes = numberIn((cells?.[4] ?? 0) * MIB, DEVICE_MEMORY_BYTES);
    if (cells === undefined || memoryBytes === null) continue;
    const [gpu = 0, gpuInstance = 0, computeInstance = 0, slot = 0] = cells;
    instances.push({ gpu, slot, gpuInstance, computeInstance, memoryBytes });
  }
  return instances;
}

/** Slices of one GPU as devices; `listings` and `instances` may be of all GPUs. */
export async function migDevicesOf(
  outside: Outside,
  parent: DiscoveredDevice,
  minor: number,
  listings: readonly MigListing[],
  instances: readonly MigInstance[],
): Promise<DiscoveredDevice[]> {
  const devices: DiscoveredDevice[] = [];
  for (const slice of listings.filter((listing) => listing.parentUuid === parent.uuid)) {
    const instance = instances.find((row) => row.gpu === parent.index && row.slot === slice.slot);
    devices.push({
      ...parent,
      uuid: slice.uuid,
      index: slice.slot,
      parentUuid: parent.uuid,
      profile: slice.profile,
      memoryBytes: instance?.memoryBytes ?? profileBytes(slice.profile),
      deviceNodes: [...parent.deviceNodes, ...(instance ? await capabilityNodes(outside, minor, instance) : [])],
      mig: null,
      peers: [],
      // A slice has no cap or design power of its own; its energy is a share of the parent's.
      powerCapWatts: null,
      tdpWatts: null,
    });
  }
  return devices;
}

/**
 * Memory by profile name, `3g.40gb`. The name rounds up (that slice has 39.5 GiB), so 5 % is taken off:
 * promising memory that is not there kills jobs, the reverse wastes a little.
 */
function profileBytes(profile: string): number | null {
  const gigabytes = integerIn(/\.(\d{1,4})gb/.exec(profile)?.[1], [1, 4096]);
  return gigabytes === null ? null : Math.floor(gigabytes * GIB * 0.95);
}

async function capabilityNodes(outside: Outside, minor: number, instance: MigInstance): Promise<string[]> {
  const folder = `/proc/driver/nvidia/capabilities/gpu${minor}/mig/gi${instance.gpuInstance}`;
  const nodes: string[] = [];
  for (const file of [`${folder}/access`, `${folder}/ci${instance.computeInstance}/access`]) {
    const text = (await outside.readText(file)) ?? '';
    const cap = integerIn(/^DeviceFileMinor:\s*(\d{1,5})\s*$/m.exec(text)?.[1], [0, 65535]);
    if (cap !== null && integerIn(instance.gpu, SMALL_INDEX) !== null) nodes.push(`/dev/nvidia-caps/nvidia-cap${cap}`);
  }
  return nodes;
}
