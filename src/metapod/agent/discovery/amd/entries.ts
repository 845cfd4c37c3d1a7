/**
 * JSON of amd-smi and rocm-smi, brought to one shape of entries.
 *
 * amd-smi prints an array, or (newer) `{gpu_data: [...]}`, at times behind a warning line; rocm-smi prints an object
 * of `card0`, `card1`, …, `system`. Both may be anything on a broken driver.
 */
import type { ThrottleReason } from '../device.ts';
import { dig, integerIn, jsonWithin, objectOf, SMALL_INDEX } from '../reading.ts';

export type Entry = { index: number; data: Record<string, unknown> };

/** Entries of `amd-smi … --json`, or null when the text is not that. */
export function amdEntries(text: string): Entry[] | null {
  const json = jsonWithin(text);
  const list = Array.isArray(json) ? json : dig(json, 'gpu_data');
  if (!Array.isArray(list)) return null;
  return list.slice(0, 1024).flatMap((value) => {
    const data = objectOf(value);
    const index = integerIn(data?.gpu, SMALL_INDEX);
    return data === null || index === null ? [] : [{ index, data }];
  });
}

/** Cards of `rocm-smi … --json`, or null when the text is not that. */
export function rocmEntries(text: string): { cards: Entry[]; system: Record<string, unknown> } | null {
  const json = objectOf(jsonWithin(text));
  if (json === null) return null;
  const cards = Object.entries(json).flatMap(([key, value]) => {
    const index = integerIn(/^card(\d{1,4})$/.exec(key)?.[1], SMALL_INDEX);
    const data = objectOf(value);
    return index === null || data === null ? [] : [{ index, data }];
  });
  return { cards, system: objectOf(json.system) ?? {} };
}

/** The first of several spellings that a card has; rocm-smi changed its labels (and their case) over releases. */
export function labelled(data: Record<string, unknown>, ...labels: string[]): unknown {
  for (const label of labels) {
    const key = Object.keys(data).find((name) => name.toLowerCase() === label.toLowerCase());
    if (key !== undefined) return data[key];
  }
  return undefined;
}

const VIOLATIONS: readonly (readonly [key: string, reason: ThrottleReason])[] = [
  ['ppt_violation_status', 'power-cap'],
  ['prochot_violation_status', 'hw-slowdown'],
  ['socket_thermal_violation_status', 'hw-thermal'],
  ['vr_thermal_violation_status', 'hw-thermal'],
  ['hbm_thermal_violation_status', 'hw-thermal'],
];

/** Throttling by the `throttle` section of `amd-smi metric` (MI300 and later). */
export function amdThrottleReasons(data: Record<string, unknown>): ThrottleReason[] {
  const active = VIOLATIONS.filter(([key]) => dig(data, 'throttle', key) === 'ACTIVE').map(([, reason]) => reason);
  return [...new Set(active)];
}
