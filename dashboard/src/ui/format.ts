/**
 * Numbers and times as people read them (look.md): at most four significant digits, a thin space before the unit,
 * durations as `1 h 04 m`. Pure: the zone and the present are passed in.
 */

/** Between a number and its unit. */
const thinSpace = '\u2009';

/** A number with at most four significant digits, grouped by thin spaces from 10,000 on. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  // An exponent is for calculators; so small an amount matters only in that it is not none.
  if (size > 0 && size < 0.001) return value > 0 ? '< 0.001' : '> −0.001';
  if (size >= 1000)
    return Math.round(value)
      .toString()
      .replace(/\B(?=(\d{3})+(?!\d))/g, size >= 10_000 ? thinSpace : '');
  return Number(value.toPrecision(4)).toString();
}

const prefixes = ['', 'k', 'M', 'G', 'T', 'P'] as const;

/**
 * An amount in its unit, scaled by thousands: `12.4 kWh` from 12,400 Wh.
 * @param unit of the value as given, like `W` or `Wh`
 */
export function formatScaled(value: number, unit: string): string {
  let scaled = value;
  let step = 0;
  while (Math.abs(scaled) >= 1000 && step < prefixes.length - 1) {
    scaled /= 1000;
    step += 1;
  }
  return `${formatNumber(scaled)}${thinSpace}${prefixes[step]}${unit}`;
}

/** An amount whose unit stays: `0.25 kWh`, `80 %`. */
export const formatQuantity = (value: number, unit: string): string => `${formatNumber(value)}${thinSpace}${unit}`;

const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Energy: in Wh below 1 kWh, in MWh from 1,000 on. */
export function formatEnergy(kwh: number): string {
  const size = Math.abs(kwh);
  if (size < 1) return formatQuantity(kwh * 1000, 'Wh');
  return size < 1000 ? formatQuantity(kwh, 'kWh') : formatQuantity(kwh / 1000, 'MWh');
}

/** Bytes in binary units: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  let scaled = bytes;
  let step = 0;
  while (Math.abs(scaled) >= 1024 && step < binary.length - 1) {
    scaled /= 1024;
    step += 1;
  }
  return `${formatNumber(scaled)}${thinSpace}${binary[step]}`;
}

/**
 * Dollars from their wire form (`"1.250000"`). Cents as soon as there is a dollar, more places for less, so that nothing
 * that costs is shown as nothing.
 */
export function formatUsd(text: string): string {
  const value = Number(text);
  if (!Number.isFinite(value)) return '–';
  const sign = value < 0 ? '−' : '';
  const size = Math.abs(value);
  if (size === 0) return '$0.00';
  if (size >= 1) return `${sign}$${size.toFixed(2).replace(/\B(?=(\d{3})+(?!\d))/g, ',')}`;
  if (size < 0.000001) return `${sign}< $0.000001`;
  const places = Math.min(6, Math.max(2, 1 - Math.floor(Math.log10(size))));
  return `${sign}$${size.toFixed(places)}`;
}

const two = (value: number) => String(value).padStart(2, '0');

/** A duration as `1 h 04 m`, `2 m 05 s`, `850 ms`; days from 48 hours on. @param seconds ≥ 0 */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const size = Math.max(0, seconds);
  const s = thinSpace;
  if (size < 1) return `${Math.round(size * 1000)}${s}ms`;
  if (size < 10) return `${formatNumber(Math.round(size * 10) / 10)}${s}s`;
  const whole = Math.round(size);
  if (whole < 60) return `${whole}${s}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}${s}m ${two(whole % 60)}${s}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours}${s}h ${two(minutes % 60)}${s}m`;
  return `${Math.floor(hours / 24)}${s}d ${two(hours % 24)}${s}h`;
}

/** How long ago an instant is, or how far ahead: `just now`, `3 min ago`, `in 2 h`. */
export function formatRelative(at: number, now: number): string {
  const seconds = Math.round((now - at) / 1000);
  const size = Math.abs(seconds);
  if (size < 5) return 'just now';
  const words =
    size < 60
      ? `${size} s`
      : size < 3600
        ? `${Math.floor(size / 60)} min`
        : size < 48 * 3600
          ? `${Math.floor(size / 3600)} h`
          : `${Math.floor(size / 86_400)} d`;
  return seconds > 0 ? `${words} ago` : `in ${words}`;
}

/** `local` is the zone of the browser. */
export type Zone = 'local' | 'utc';

/** Making one costs a hundred times what using it does. */
const formatters = new Map<Zone, Intl.DateTimeFormat>();

function formatterOf(zone: Zone): Intl.DateTimeFormat {
  const known = formatters.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-GB', {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short',
    ...(zone === 'utc' && { timeZone: 'UTC' }),
  });
  formatters.set(zone, made);
  return made;
}

/** An instant in full, with its zone: `2026-11-22 14:03:07 CET`. */
export function formatInstant(at: number, zone: Zone): string {
  const parts = formatterOf(zone).formatToParts(at);
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find((one) => one.type === type)?.value ?? '';
  const day = `${part('year')}-${part('month')}-${part('day')}`;
  return `${day} ${part('hour')}:${part('minute')}:${part('second')} ${part('timeZoneName')}`;
}
