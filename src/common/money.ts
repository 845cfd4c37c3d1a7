/**
 * Money is a bigint of micro-dollars (1 USD = 1,000,000). Floats never hold money: they drift by dollars over a
 * month of seconds. On the wire it is a string of decimal dollars with six places (contracts §9).
 */
export type MicroUsd = bigint & { readonly __unit: 'microUsd' };

/** Brands an amount of micro-dollars. */
export const microUsd = (amount: bigint): MicroUsd => amount as MicroUsd;

const decimal = /^(-?)(\d{1,12})(?:\.(\d{1,6}))?$/;

/**
 * Parses decimal dollars ("2.49", "0.000001", "-1").
 * @returns micro-dollars, or undefined when the text is not an amount with at most six places
 */
export function parseUsd(text: string): MicroUsd | undefined {
  const match = decimal.exec(text.trim());
  if (!match) return undefined;
  const [, sign, whole, fraction = ''] = match;
  const micro = BigInt(whole!) * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
  return microUsd(sign === '-' ? -micro : micro);
}

/** Writes decimal dollars with exactly six places: `"1.250000"`. */
export function formatUsd(amount: bigint): string {
  const sign = amount < 0n ? '-' : '';
  const absolute = amount < 0n ? -amount : amount;
  return `${sign}${absolute / 1_000_000n}.${(absolute % 1_000_000n).toString().padStart(6, '0')}`;
}

/**
 * Divides exactly and rounds half up (away from zero for negatives), the one place where money is rounded.
 * @param denominator > 0
 */
export function divideHalfUp(numerator: bigint, denominator: bigint): bigint {
  if (denominator <= 0n) throw new RangeError('denominator must be positive');
  const absolute = numerator < 0n ? -numerator : numerator;
  const quotient = (2n * absolute + denominator) / (2n * denominator);
  return numerator < 0n ? -quotient : quotient;
}

const msPerHour = 3_600_000n;

/**
 * Cost of holding a share of a device or node: price × time × share, rounded once, half up.
 * @param pricePerHour micro-dollars per whole unit and hour, ≥ 0
 * @param durationMs milliseconds, ≥ 0
 * @param milli share in thousandths of a unit, ≥ 0
 */
export function costOf(pricePerHour: bigint, durationMs: bigint, milli: bigint): MicroUsd {
  return microUsd(divideHalfUp(pricePerHour * durationMs * milli, msPerHour * 1000n));
}
