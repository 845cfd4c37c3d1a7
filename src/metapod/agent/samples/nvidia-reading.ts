/**
 * One line of the long-running `nvidia-smi --query-gpu … -lms 1000` as a reading.
 *
 * nvidia-smi has no energy counter among its query fields, so NVIDIA energy comes from integrating `power.draw`.
 */
import { throttleReasonsOf } from '../discovery/nvidia/health.ts';
import { queryArguments, rowOf } from '../discovery/nvidia/query.ts';
import { CELSIUS, DEVICE_MEMORY_BYTES, DEVICE_WATTS, MIB, numberIn, PERCENT } from '../discovery/reading.ts';
import type { DeviceReading } from './sample.ts';

/** Fields asked for, uuid first: it tells a reading from a message. */
export const SAMPLE_FIELDS: readonly string[] = [
  'uuid',
  'utilization.gpu',
  'memory.used',
  'power.draw',
  'temperature.gpu',
  'clocks_event_reasons.active',
];

/** Arguments of the child that prints one line per GPU and second. */
export function streamArguments(fields: readonly string[]): string[] {
  return [...queryArguments(fields), '-lms', '1000'];
}

/** The reading of one line, or null for anything that is not one (messages, half lines, garbage). */
export function nvidiaReadingOf(fields: readonly string[], line: string): DeviceReading | null {
  const row = rowOf(fields, line);
  const uuid = /^GPU-[0-9a-fA-F-]{8,64}$/.exec(row?.get('uuid') ?? '')?.[0];
  if (row === null || uuid === undefined) return null;
  const cell = (field: string) => row.get(field) ?? '';
  const percent = numberIn(cell('utilization.gpu'), PERCENT);
  const mib = numberIn(cell('memory.used'), [0, DEVICE_MEMORY_BYTES[1] / MIB]);
  return {
    uuid,
    utilizationRatio: percent === null ? null : percent / 100,
    memoryUsedBytes: mib === null ? null : Math.round(mib * MIB),
    powerWatts: numberIn(cell('power.draw'), DEVICE_WATTS),
    temperatureCelsius: numberIn(cell('temperature.gpu'), CELSIUS),
    counterJoules: null,
    throttleReasons: throttleReasonsOf(cell('clocks_event_reasons.active')),
  };
}
