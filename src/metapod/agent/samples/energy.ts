/**
 * Energy of one attempt over one interval: measured where the node can, else modelled, and marked which.
 *
 * Intervals are short (sample to sample) and summed with `sumEnergy`: shares of a counter are only right while the
 * mix of work stays the same, and a long interval with one gap would otherwise be all model. All energy is joules.
 *
 * - CPU, measured: package energy × attempt's CPU seconds ÷ node's busy CPU seconds (idle power is split by use).
 * - CPU, modelled: idle + (max − idle) × utilisation per core — Fan, Weber, Barroso, ISCA'07, linear power model.
 * - Device, measured: the device's joules × the attempt's share.
 * - Device, modelled: (idle + (max − idle) × utilisation) × seconds × share, max being the lower of cap and TDP.
 */
import { type DiscoveredDevice, modelPowerOf } from '../discovery/index.ts';

export type EnergyMethod = 'measured' | 'modelled';

/** Joules ≥ 0 and how they are known. A sum is `measured` only if every part of it is. */
export type Energy = { joules: number; method: EnergyMethod };

export type AttemptEnergy = Energy & { cpuJoules: number; deviceJoules: number };

export type CpuWatts = {
  /** Watts of one reserved logical CPU doing nothing, ≥ 0. */
  idleWattsPerCore: number;
  /** Watts of one logical CPU fully busy, ≥ idle. */
  maxWattsPerCore: number;
};

/** Watts per virtual CPU, average server fleet: Cloud Carbon Footprint methodology (SPECpower), AWS min 0.74, max 3.5. */
export const DEFAULT_CPU_WATTS: CpuWatts = { idleWattsPerCore: 0.74, maxWattsPerCore: 3.5 };

/** Design power that is assumed for a device of no known model and without a power cap, watts. */
export const DEFAULT_DEVICE_WATTS = 300;

export type CpuUse = {
  /** Logical CPUs that the attempt reserved (its cpu milli ÷ 1000), ≥ 0. */
  cores: number;
  /** CPU time that the attempt spent in the interval, seconds, ≥ 0. */
  cpuSeconds: number;
  /** The whole node over the same interval, where RAPL can be read. */
  node: { joules: number; busyCpuSeconds: number } | null;
  watts?: CpuWatts;
};

export type DeviceUse = {
  /** Share of the device, thousandths, 0..1000. */
  milli: number;
  /** The device's joules over the interval (`deviceJoulesBetween`), or null. */
  joules: number | null;
  /** Busy share, 0..1; unknown counts as 1, so that the model never flatters. */
  utilizationRatio: number | null;
  power: DevicePower;
};

export type DevicePower = { idleWatts: number; maxWatts: number };

/** Idle and highest power of a device: the table by model, under the power cap in force. */
export function devicePowerOf(device: { fullName: string; powerCapWatts: number | null }): DevicePower {
  const known = modelPowerOf(device.fullName);
  const tdp = known?.tdpWatts ?? device.powerCapWatts ?? DEFAULT_DEVICE_WATTS;
  const maxWatts = Math.min(tdp, device.powerCapWatts ?? tdp);
  return { maxWatts, idleWatts: Math.min(maxWatts, known?.idleWatts ?? tdp * 0.1) };
}

/** Compute slices of a GPU in MIG mode: 7 (NVIDIA MIG user guide), 4 on A30. */
const MIG_SLICES = 7;
const MIG_SLICES_A30 = 4;

/**
 * Which device's samples carry an attempt's energy, and with what share.
 * A MIG slice is not metered: its energy is that part of its parent which its profile names (`2g.20gb` → 2/7).
 *
 * @param milli thousandths of `device` that the attempt holds
 */
export function meteredAs(
  device: Pick<DiscoveredDevice, 'uuid' | 'parentUuid' | 'profile' | 'model'>,
  milli: number,
): { uuid: string; milli: number } {
  if (device.parentUuid === null) return { uuid: device.uuid, milli };
  const slices = device.model === 'A30' ? MIG_SLICES_A30 : MIG_SLICES;
  // `1c.2g.20gb` is one compute slice of a 2g instance; the instance is what it is charged for.
  const part = Number(/(?:^|\.)(\d)g\./.exec(device.profile ?? '')?.[1] ?? 1);
  return { uuid: device.parentUuid, milli: Math.round(milli * Math.min(1, part / slices)) };
}

/** CPU energy of an attempt. `seconds` ≥ 0 is the length of the interval. */
export function cpuEnergy(seconds: number, use: CpuUse): Energy {
  const spent = positive(use.cpuSeconds);
  if (use.node !== null && use.node.joules >= 0 && use.node.busyCpuSeconds >= 0) {
    // Process times and /proc/stat tick differently: an attempt never gets more than the whole package.
    const busy = Math.max(use.node.busyCpuSeconds, spent);
    return { joules: busy === 0 ? 0 : positive(use.node.joules) * (spent / busy), method: 'measured' };
  }
  const { idleWattsPerCore, maxWattsPerCore } = use.watts ?? DEFAULT_CPU_WATTS;
  const idle = idleWattsPerCore * positive(use.cores) * positive(seconds);
  return { joules: idle + positive(maxWattsPerCore - idleWattsPerCore) * spent, method: 'modelled' };
}

/** Energy of an attempt's share of one device. */
export function deviceEnergy(seconds: number, use: DeviceUse): Energy {
  const share = Math.min(1, positive(use.milli) / 1000);
  if (use.joules !== null && use.joules >= 0) return { joules: positive(use.joules) * share, method: 'measured' };
  const { idleWatts, maxWatts } = use.power;
  const ratio = use.utilizationRatio === null ? 1 : Math.min(1, positive(use.utilizationRatio));
  const watts = positive(idleWatts) + positive(maxWatts - idleWatts) * ratio;
  return { joules: watts * positive(seconds) * share, method: 'modelled' };
}

/** Energy of an attempt over an interval of `seconds` ≥ 0. Pure; never negative, never NaN. */
export function attemptEnergy(seconds: number, cpu: CpuUse, devices: readonly DeviceUse[]): AttemptEnergy {
  const cpuPart = cpuEnergy(seconds, cpu);
  const deviceParts = devices.map((device) => deviceEnergy(seconds, device));
  const deviceJoules = deviceParts.reduce((sum, part) => sum + part.joules, 0);
  return {
    joules: cpuPart.joules + deviceJoules,
    method: [cpuPart, ...deviceParts].every((part) => part.method === 'measured') ? 'measured' : 'modelled',
    cpuJoules: cpuPart.joules,
    deviceJoules,
  };
}

/** Energy of consecutive intervals together; of none: 0 J, measured. */
export function sumEnergy(parts: readonly AttemptEnergy[]): AttemptEnergy {
  const add = (key: 'joules' | 'cpuJoules' | 'deviceJoules') => parts.reduce((sum, part) => sum + part[key], 0);
  const method = parts.every((part) => part.method === 'measured') ? 'measured' : 'modelled';
  return { joules: add('joules'), cpuJoules: add('cpuJoules'), deviceJoules: add('deviceJoules'), method };
}

/** A finite number ≥ 0; anything else is 0. */
function positive(value: number): number {
  return Number.isFinite(value) && value > 0 ? value : 0;
}
