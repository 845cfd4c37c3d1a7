/** The calendar in sentences for people. Whose a reservation is, is nobody else's business. */
import { durationOf } from '../words.ts';

/**
 * Why free nodes are not for a job, and what would let it onto them.
 * @param way from when to when the nodes are reserved, epoch milliseconds  @param mostSeconds that it runs; Infinity when nobody knows
 */
export function reservedMessage(way: { from: number; until: number }, now: number, mostSeconds: number): string {
  const until = instantOf(way.until);
  if (way.from <= now) return `Free nodes would hold it, but they are reserved for others until ${until}.`;
  const room = (way.from - now) / 1000;
  const why =
    mostSeconds === Number.POSITIVE_INFINITY
      ? 'nobody knows how long it runs'
      : `it may run for ${durationOf(mostSeconds)}`;
  // Run times are told apart in steps of √2.
  const below = durationOf(room / Math.SQRT2);
  const cure = room >= 120 ? ` With a time limit (\`timeouts.run\`) below ${below} it could start now.` : '';
  return `Free nodes would hold it, but they are reserved for others from ${instantOf(way.from)} until ${until}, and ${why}.${cure}`;
}

/** Beyond what a date can hold it is never. */
const instantOf = (at: number) => (Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : 'never');
