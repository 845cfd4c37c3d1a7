/**
 * `amd-smi metric --json` and `rocm-smi --json` as readings.
 *
 * Both number GPUs, so a reading finds its device by the index that discovery saw. amd-smi counts energy in joules,
 * rocm-smi in microjoules.
 */
import { amdEntries, amdThrottleReasons, labelled, rocmEntries } from '../discovery/amd/entries.ts';
import type { DiscoveredDevice } from '../discovery/index.ts';
import {
  bytesOf,
  CELSIUS,
  DEVICE_MEMORY_BYTES,
  DEVICE_WATTS,
  dig,
  numberIn,
  PERCENT,
  quantityOf,
  type Range,
} from '../discovery/reading.ts';
import type { DeviceReading } from './sample.ts';

export const AMD_ARGUMENTS: readonly string[] = ['metric', '--json'];
export const ROCM_ARGUMENTS: readonly string[] = [
  '--showuse',
  '--showmeminfo',
  'vram',
  '--showpower',
  '--showtemp',
  '--showenergycounter',
  '--json',
];

/** Energy since the driver loaded, joules: 10 years at 5 kW. */
const ENERGY_JOULES: Range = [0, 2e12];
const USED_BYTES: Range = [0, DEVICE_MEMORY_BYTES[1]];

/** Readings of `amd-smi metric --json`; devices that discovery does not know are left out, null when it is not JSON. */
export function amdReadingsOf(text: string, devices: readonly DiscoveredDevice[]): DeviceReading[] | null {
  return (
    amdEntries(text)?.flatMap(({ index, data }) => {
      const uuid = uuidOf(devices, index);
      if (uuid === null) return [];
      const percent = quantityOf(dig(data, 'usage', 'gfx_activity'), PERCENT);
      const power = dig(data, 'power', 'socket_power') ?? dig(data, 'power', 'average_socket_power');
      return {
        uuid,
        utilizationRatio: percent === null ? null : percent / 100,
        memoryUsedBytes: bytesOf(dig(data, 'mem_usage', 'used_vram'), USED_BYTES),
        powerWatts: quantityOf(power, DEVICE_WATTS),
        temperatureCelsius:
          quantityOf(dig(data, 'temperature', 'hotspot'), CELSIUS) ??
          quantityOf(dig(data, 'temperature', 'edge'), CELSIUS),
        counterJoules: quantityOf(dig(data, 'energy', 'total_energy_consumption'), ENERGY_JOULES),
        throttleReasons: amdThrottleReasons(data),
      };
    }) ?? null
  );
}

/** Readings of `rocm-smi --json`, as above. */
export function rocmReadingsOf(text: string, devices: readonly DiscoveredDevice[]): DeviceReading[] | null {
  return (
    rocmEntries(text)?.cards.flatMap(({ index, data }) => {
      const uuid = uuidOf(devices, index);
      if (uuid === null) return [];
      const percent = numberIn(labelled(data, 'GPU use (%)'), PERCENT);
      const microjoules = numberIn(labelled(data, 'Accumulated Energy (uJ)'), [0, ENERGY_JOULES[1] * 1e6]);
      return {
        uuid,
        utilizationRatio: percent === null ? null : percent / 100,
        memoryUsedBytes: numberIn(labelled(data, 'VRAM Total Used Memory (B)'), USED_BYTES),
        powerWatts: numberIn(
          labelled(data, 'Current Socket Graphics Package Power (W)', 'Average Graphics Package Power (W)'),
          DEVICE_WATTS,
        ),
        temperatureCelsius: numberIn(
          labelled(data, 'Temperature (Sensor junction) (C)', 'Temperature (Sensor edge) (C)'),
          CELSIUS,
        ),
        counterJoules: microjoules === null ? null : microjoules / 1e6,
        throttleReasons: [],
      };
    }) ?? null
  );
}

function uuidOf(devices: readonly DiscoveredDevice[], index: number): string | null {
  return devices.find((device) => device.vendor === 'amd' && device.index === index)?.uuid ?? null;
}
