/** Instants and durations: relative words, the exact instant on hover, in the zone that the person chose. */
import { useZone } from '../app/time-zone.tsx';
import { useClock } from './clock.ts';
import { formatDuration, formatInstant, formatRelative } from './format.ts';

/** `3 min ago`; the instant is in the tooltip. With `exact` the other way round. */
export function Time({ at, exact = false }: { readonly at: string; readonly exact?: boolean }) {
  const instant = Date.parse(at);
  const { zone } = useZone();
  const full = formatInstant(instant, zone);
  const relative = useClock((now) => formatRelative(instant, now));
  return (
    <time dateTime={at} title={exact ? relative : full}>
      {exact ? full : relative}
    </time>
  );
}

/** A span as `1 h 04 m`. Without an end it runs on. */
export function Duration({ from, to }: { readonly from: string; readonly to?: string | null | undefined }) {
  return to ? <Seconds value={(Date.parse(to) - Date.parse(from)) / 1000} /> : <Running from={from} />;
}

function Running({ from }: { readonly from: string }) {
  const began = Date.parse(from);
  return <Seconds value={useClock((now) => Math.max(0, Math.floor((now - began) / 1000)))} />;
}

/** Seconds as a duration; the exact number is in the tooltip. */
export function Seconds({ value }: { readonly value: number }) {
  return (
    <span className="tabular" title={`${value} s`}>
      {formatDuration(value)}
    </span>
  );
}
