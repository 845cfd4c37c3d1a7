/**
 * What discovery says about a node: one `device` noun for GPU, TPU and FPGA, and the node's inventory.
 *
 * A MIG slice is a device of its own with `parentUuid` (contracts §4): the parent stays in the list, with
 * `mig.enabled`, so that the allocator can give it capacity 0 (a GPU in MIG mode runs nothing outside slices).
 * Null always means "the tool did not say", never "zero".
 */

export type DeviceKind = 'gpu' | 'tpu' | 'fpga';
export type DeviceVendor = 'nvidia' | 'amd' | 'google' | 'xilinx' | 'intel';

/** Why a device runs below its clocks, whatever the vendor calls it. */
export type ThrottleReason = 'power-cap' | 'hw-slowdown' | 'sw-thermal' | 'hw-thermal' | 'power-brake';

/** A coded reason for `degraded`: `ecc-uncorrected`, `xid-79`, `throttle-hw-thermal`, … */
export type HealthReason =
  | 'unreadable'
  | 'not-ready'
  /** In MIG mode but not cut: nothing can run on it until an operator makes slices. */
  | 'mig-without-slices'
  | 'ecc-uncorrected'
  | 'row-remap-pending'
  | 'row-remap-failure'
  | 'retired-pages-pending'
  | `recovery-${string}`
  | `xid-${number}`
  | `throttle-${ThrottleReason}`;

export type DeviceHealth = { state: 'ok' } | { state: 'degraded'; reasons: HealthReason[] };

/** How two devices of a node reach each other, nearest first. */
export type PeerLink = 'nvlink' | 'pix' | 'pxb' | 'phb' | 'node' | 'sys';

export type Peer = {
  uuid: string;
  link: PeerLink;
  /** Bonded NVLinks, 1..64; 0 for paths over PCIe. */
  links: number;
};

export type DiscoveredDevice = {
  kind: DeviceKind;
  vendor: DeviceVendor;
  /** Normalised model such as `H100`, `MI300X`, `TPU-v5e`, `U250`. */
  model: string;
  /** Name as the tool prints it. */
  fullName: string;
  /** The tool's own number, 0..4095; may change over reboots, so nothing durable may use it. */
  index: number;
  /** Stable id within the node: the vendor's UUID or serial, else derived from the PCI address. */
  uuid: string;
  /** Device memory, bytes; a MIG slice's own part. */
  memoryBytes: number | null;
  driverVersion: string | null;
  /** Highest CUDA version that the driver serves, `13.1`. */
  cudaVersion: string | null;
  /** CUDA compute capability `9.0`, or AMD's target `gfx942`. */
  computeCapability: string | null;
  /** `0000:3b:00.0` */
  pciAddress: string | null;
  numaNode: number | null;
  /** Paths below /dev that a job needs to use this device. */
  deviceNodes: string[];
  peers: Peer[];
  /** Null where the device knows no MIG. */
  mig: { enabled: boolean; slices: number } | null;
  /** MIG slices only: uuid of the GPU and profile such as `1g.10gb`. */
  parentUuid: string | null;
  profile: string | null;
  health: DeviceHealth;
  /** The last XID of the kernel log since boot (NVIDIA), any severity. */
  lastXid: number | null;
  /** Power cap in force, watts, 0..5000. */
  powerCapWatts: number | null;
  /** Design power of the model, watts (models.ts); null for models not in the table. */
  tdpWatts: number | null;
};

/** A hiccup of discovery that an operator should know: coded, with the tool or file it came from. */
export type DiscoveryWarning = {
  code: 'tool-failed' | 'tool-timeout' | 'tool-garbage' | 'device-skipped' | 'host-unreadable';
  source: string;
  detail: string;
};

export type Inventory = {
  /** CPU that this agent may offer, thousandths of a logical CPU; lowered by its own cgroup. */
  cpuMilli: number;
  /** Memory that this agent may offer, bytes; lowered by its own cgroup. */
  memoryBytes: number;
  /** Free on the agent's scratch file system, bytes. */
  diskBytes: number;
  os: string;
  arch: string;
  kernel: string;
  /** Changes with every boot; null where the system has none (not Linux). */
  bootId: string | null;
  devices: DiscoveredDevice[];
  warnings: DiscoveryWarning[];
};

/** Fields that no tool told, so that each vendor states only what it knows. */
export function blankDevice(
  known: Pick<DiscoveredDevice, 'kind' | 'vendor' | 'model' | 'fullName' | 'index' | 'uuid'>,
): DiscoveredDevice {
  return {
    ...known,
    memoryBytes: null,
    driverVersion: null,
    cudaVersion: null,
    computeCapability: null,
    pciAddress: null,
    numaNode: null,
    deviceNodes: [],
    peers: [],
    mig: null,
    parentUuid: null,
    profile: null,
    health: { state: 'ok' },
    lastXid: null,
    powerCapWatts: null,
    tdpWatts: null,
  };
}

/** `ok` without reasons, else `degraded` with each reason once. */
export function healthOf(reasons: readonly HealthReason[]): DeviceHealth {
  return reasons.length === 0 ? { state: 'ok' } : { state: 'degraded', reasons: [...new Set(reasons)] };
}
