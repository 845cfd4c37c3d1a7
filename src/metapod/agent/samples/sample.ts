/**
 * What a node measures: one sample of CPU, memory and devices. Null means "not told", never "zero".
 */
import type { ThrottleReason } from '../discovery/index.ts';

export type DeviceSample = {
  uuid: string;
  /** When it was read, milliseconds of the sampler's monotonic clock. */
  monotonicMs: number;
  /** Share of time with work on the device, 0..1. Busy is not the same as loaded; unknown for a GPU in MIG mode. */
  utilizationRatio: number | null;
  memoryUsedBytes: number | null;
  /** Power drawn, watts, 0..5000. */
  powerWatts: number | null;
  temperatureCelsius: number | null;
  /** Energy since the counter began, joules; differences count only within one `energyEpoch`. */
  energyJoulesTotal: number | null;
  /** `counter`: the device counts; `power`: the sampler integrates `powerWatts` over time; null: neither. */
  energySource: 'counter' | 'power' | null;
  /** Grows whenever `energyJoulesTotal` lost its past (reset, gap in the samples). */
  energyEpoch: number;
  throttleReasons: ThrottleReason[];
};

export type NodeSample = {
  /** Wall-clock instant, milliseconds since 1970. */
  wallMs: number;
  /** The sampler's monotonic clock, milliseconds. */
  monotonicMs: number;
  /** Share of all logical CPUs that was busy since the sample before, 0..1; null for the first sample. */
  cpuUtilizationRatio: number | null;
  /** CPU time spent by the whole node since boot, seconds. */
  cpuBusySecondsTotal: number | null;
  memoryUsedBytes: number | null;
  /** Energy of CPU packages and memory (RAPL) since sampling began, joules; null where it may not be read. */
  cpuEnergyJoulesTotal: number | null;
  /** The newest reading of each device that is not older than `STALE_MS`. */
  devices: DeviceSample[];
};

/** A device reading older than this is no longer shown, milliseconds. */
export const STALE_MS = 5000;

/** What a tool says of a device, before energy is worked out. */
export type DeviceReading = Omit<DeviceSample, 'monotonicMs' | 'energyJoulesTotal' | 'energySource' | 'energyEpoch'> & {
  /** The device's own counter, joules; null where it has none. */
  counterJoules: number | null;
};
