/**
 * Turning what tools print into numbers that can be trusted.
 *
 * Every tool has its own way of saying "I do not know" (`[N/A]`, `[Not Supported]`, `ERR!`, an object
 * with value "N/A"), and a broken one prints anything. So each number is taken with the range in which
 * it makes sense, and everything else is null: an absent number is handled everywhere, an absurd one nowhere.
 */

/** The smallest and largest value that is believed, inclusive. */
export type Range = readonly [min: number, max: number];

export const MIB = 1024 * 1024;
export const GIB = 1024 * MIB;

/** Device memory, bytes: 1 MiB to 8 TiB. */
export const DEVICE_MEMORY_BYTES: Range = [MIB, 8192 * GIB];
/** Power of one device, watts. The largest board of 2026 is below 3 kW. */
export const DEVICE_WATTS: Range = [0, 5000];
/** Temperature of silicon, degrees Celsius. */
export const CELSIUS: Range = [-40, 150];
export const PERCENT: Range = [0, 100];
/** Anything counted: errors, rows, pages. */
export const COUNT: Range = [0, 1e15];
/** Index of a device or NUMA node within a node. */
export const SMALL_INDEX: Range = [0, 4095];

const PLAIN_NUMBER = /^[+-]?\d{1,20}(\.\d{1,12})?$/;

/**
 * A decimal number within a range, or null.
 * Accepts a number, or text that is a plain decimal number and at most a unit after it (`"71.20 W"`).
 */
export function numberIn(value: unknown, [min, max]: Range): number | null {
  let number = Number.NaN;
  if (typeof value === 'number') number = value;
  else if (typeof value === 'string') {
    const text = value.trim().replace(/\s*(%|[A-Za-z/°]{1,6})$/, '');
    if (PLAIN_NUMBER.test(text)) number = Number(text);
  }
  return Number.isFinite(number) && number >= min && number <= max ? number : null;
}

/** Like `numberIn`, for whole numbers only. */
export function integerIn(value: unknown, range: Range): number | null {
  const number = numberIn(value, range);
  return number !== null && Number.isInteger(number) ? number : null;
}

const UNKNOWN =
  /^(\[?\s*(n\/a|not supported|not available|unknown|unknown error|insufficient permissions)\s*\]?|none|)$/i;

/** Printable text without control characters, at most 128 characters; null for the many spellings of "unknown". */
export function textOf(value: unknown): string | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  const text = String(value)
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, 128)
    .trim();
  return UNKNOWN.test(text) ? null : text;
}

/** `[GPU is lost]`, `ERR!` and kin: the tool reached for the device and the device did not answer. */
export function saysBroken(value: string): boolean {
  return /ERR!|unknown error|gpu is lost|requires reset|fallen off/i.test(value);
}

/** A JSON object, or null: arrays and scalars are not objects. */
export function objectOf(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

/** The value at a path of keys of nested objects, or undefined. */
export function dig(value: unknown, ...path: string[]): unknown {
  let here: unknown = value;
  for (const key of path) {
    const object = objectOf(here);
    if (object === null || !Object.hasOwn(object, key)) return undefined;
    here = object[key];
  }
  return here;
}

const BYTES_OF_UNIT: Record<string, number> = { B: 1, KB: 1024, MB: MIB, GB: GIB, KIB: 1024, MIB, GIB };

/**
 * Bytes of an `{value, unit}` pair as amd-smi prints it (its MB is MiB: 65520 MB is a 64 GiB card), of a bare
 * number in MiB, or null.
 */
export function bytesOf(value: unknown, range: Range): number | null {
  const pair = objectOf(value);
  const number = numberIn(pair === null ? value : pair.value, [0, Number.MAX_SAFE_INTEGER]);
  const unit = pair === null ? 'MB' : String(pair.unit ?? 'MB').toUpperCase();
  const factor = BYTES_OF_UNIT[unit];
  return number === null || factor === undefined ? null : numberIn(Math.round(number * factor), range);
}

/** Number of an `{value, unit}` pair or of a bare number. */
export function quantityOf(value: unknown, range: Range): number | null {
  const pair = objectOf(value);
  return numberIn(pair === null ? value : pair.value, range);
}

/**
 * JSON out of a tool that also prints banners and warnings around it.
 * Tries each line that opens an object or array, up to the last bracket that could close it.
 */
export function jsonWithin(text: string): unknown {
  const trimmed = text.trim();
  const direct = parsed(trimmed);
  if (direct !== undefined) return direct;
  let tried = 0;
  for (const { index } of trimmed.matchAll(/^[ \t]*[[{]/gm)) {
    if (++tried > 16) break;
    const start = trimmed.slice(index).trimStart();
    const end = start.lastIndexOf(start.startsWith('{') ? '}' : ']');
    const value = end < 0 ? undefined : parsed(start.slice(0, end + 1));
    if (value !== undefined) return value;
  }
  return undefined;
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `00000000:3B:00.0` (nvidia-smi), `3b:00.0`, `0000:3b:00.0` → `0000:3b:00.0`; null when it is no PCI address. */
export function pciAddressOf(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const parts = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/i.exec(value.trim());
  if (parts === null) return null;
  const domain = Number.parseInt(parts[1] ?? '0', 16)
    .toString(16)
    .padStart(4, '0');
  return `${domain}:${parts[2]}:${parts[3]}.${parts[4]}`.toLowerCase();
}

/** Members of a kernel list such as `0-3,8,10-11`; null when it is none or longer than 8192. */
export function membersOf(list: string): number[] | null {
  const members = new Set<number>();
  for (const part of list.trim().split(',')) {
    const range = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim());
    if (range === null) return null;
    const first = Number(range[1]);
    const last = Number(range[2] ?? range[1]);
    if (last < first || last - first > 8192 || members.size > 8192) return null;
    for (let member = first; member <= last; member++) members.add(member);
  }
  return [...members];
}
