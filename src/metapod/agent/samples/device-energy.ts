/**
 * A device's energy from its readings: the device's own counter where it has one, else power integrated over time.
 *
 * Power is integrated by the trapezoid rule between readings at most `MAX_GAP_MS` apart. What lies in a longer gap is
 * unknown, so the total starts again from 0 in a new *epoch*, and whoever takes a difference across epochs gets
 * null and models that interval instead. The same holds for a counter that runs backwards (driver reload).
 */
import type { DeviceReading, DeviceSample } from './sample.ts';

/** Longest time between two readings that power is integrated over, milliseconds. */
export const MAX_GAP_MS = 10_000;

/** The sample that follows `before` when `reading` was taken at `monotonicMs`. Pure. */
export function nextDeviceSample(
  before: DeviceSample | undefined,
  { counterJoules, ...reading }: DeviceReading,
  monotonicMs: number,
): DeviceSample {
  const source = counterJoules !== null ? 'counter' : reading.powerWatts !== null ? 'power' : null;
  const energy = {
    energyJoulesTotal: counterJoules,
    energySource: source,
    energyEpoch: before?.energyEpoch ?? 0,
  } as const;
  const sample: DeviceSample = { ...reading, monotonicMs, ...energy };
  const total = before?.energySource === source ? before.energyJoulesTotal : null;
  if (before === undefined || total === null) {
    if (before !== undefined && before.energySource !== source) sample.energyEpoch++;
    sample.energyJoulesTotal ??= source === 'power' ? 0 : null;
    return sample;
  }
  if (source === 'counter') {
    if ((counterJoules ?? 0) < total) sample.energyEpoch++;
    return sample;
  }
  const elapsedMs = monotonicMs - before.monotonicMs;
  if (elapsedMs < 0 || elapsedMs > MAX_GAP_MS) {
    return { ...sample, energyJoulesTotal: 0, energyEpoch: sample.energyEpoch + 1 };
  }
  const watts = ((before.powerWatts ?? 0) + (reading.powerWatts ?? 0)) / 2;
  return { ...sample, energyJoulesTotal: total + (watts * elapsedMs) / 1000 };
}

/** Joules of a device between two of its samples; null when they do not tell (no energy, another epoch). */
export function deviceJoulesBetween(before: DeviceSample, after: DeviceSample): number | null {
  if (before.uuid !== after.uuid || before.energyEpoch !== after.energyEpoch) return null;
  if (before.energyJoulesTotal === null || after.energyJoulesTotal === null) return null;
  const joules = after.energyJoulesTotal - before.energyJoulesTotal;
  return joules >= 0 ? joules : null;
}
