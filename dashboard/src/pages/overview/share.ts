/** A part of a whole in percent, whole numbers; null where there is no whole. Some is never shown as none, nor as all. */
export function share(part: number, whole: number): number | null {
  if (whole <= 0) return null;
  const percent = Math.round((100 * part) / whole);
  if (percent === 0 && part > 0) return 1;
  if (percent === 100 && part < whole) return 99;
  return Math.min(100, percent);
}
