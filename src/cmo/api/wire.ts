/** Values in their wire form (contracts §9). */

/** ISO 8601 in UTC; null stays null. */
export function iso(instant: Date): string;
export function iso(instant: Date | null): string | null;
export function iso(instant: Date | null): string | null {
  return instant === null ? null : instant.toISOString();
}
