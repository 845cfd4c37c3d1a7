/** Numbers as people read them: at most four significant digits. */

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export function number(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString('en-US');
  const digits = Math.max(0, 3 - Math.floor(Math.log10(Math.max(1e-3, Math.abs(value)))));
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.min(3, digits) });
}

/** Seconds as "40 s", "12 min", "3 h 05 m", "4 d 02 h". */
export function duration(seconds: number): string {
  const sign = seconds < 0 ? '−' : '';
  const all = Math.round(Math.abs(seconds));
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  if (all < 120) return `${sign}${all} s`;
  if (all < 3600) return `${sign}${Math.round(all / 60)} min`;
  if (all < 86_400) return `${sign}${Math.floor(all / 3600)} h ${two((all % 3600) / 60)} m`;
  return `${sign}${Math.floor(all / 86_400).toLocaleString('en-US')} d ${two((all % 86_400) / 3600)} h`;
}
