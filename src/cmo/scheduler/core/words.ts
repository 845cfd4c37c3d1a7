/** Amounts in words people use, for the messages of verdicts: "8 × H100", "0.5 of a GPU", "1.5 cores", "12 GiB". */
import type { DeviceRequest } from '../../../common/contract/job-spec.ts';
import { formatBytes } from '../../../common/units.ts';
import type { Missing } from './reserve.ts';

const rounded = (value: number) => String(Math.round(value * 1000) / 1000);

/** "1 node", "3 nodes". */
export const countOf = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** "40 min": a duration to reckon with. @param seconds ≥ 0 */
export function durationOf(seconds: number): string {
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 120) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`;
}

export const coresOf = (cpuMilli: number) => countOf(Number(rounded(cpuMilli / 1000)), 'core');

/** Micro-dollars as "$2.49"; up to six places. */
export function dollarsOf(microUsd: number): string {
  const places = microUsd % 10_000 === 0 ? 2 : 6;
  return `$${(microUsd / 1e6).toFixed(places)}`;
}

/** What a request for devices names: "H100", "A100 or H100", "GPU". */
export function deviceNameOf(request: DeviceRequest): string {
  return request.models.length > 0 ? request.models.join(' or ') : request.kind.toUpperCase();
}

/** "8 × H100 with at least 40 GiB". */
export function deviceOf(request: DeviceRequest): string {
  const amount = request.milli < 1000 ? `${request.milli / 1000} of a ` : `${request.count} × `;
  const memory = request.minMemoryBytes > 0 ? ` with at least ${formatBytes(request.minMemoryBytes)}` : '';
  const driver = request.minDriver === null ? '' : ` and driver ${request.minDriver} or newer`;
  return `${amount}${deviceNameOf(request)}${memory}${driver}`;
}

export const devicesOf = (list: readonly DeviceRequest[]) => list.map(deviceOf).join(' and ');

/** "2 more H100 and 4 more cores". */
export function missingOf(missing: Missing, list: readonly DeviceRequest[]): string {
  const names = [...new Set(list.map(deviceNameOf))].join(' or ');
  const parts = [
    missing.devices > 0 ? `${missing.devices} more ${names}${list.length > 1 || missing.devices === 1 ? '' : 's'}` : '',
    missing.cores > 0 ? `${missing.cores} more ${missing.cores === 1 ? 'core' : 'cores'}` : '',
    missing.memoryGib > 0 ? `${missing.memoryGib} GiB more memory` : '',
    missing.diskGib > 0 ? `${missing.diskGib} GiB more disk` : '',
  ].filter((part) => part !== '');
  return parts.join(' and ');
}
