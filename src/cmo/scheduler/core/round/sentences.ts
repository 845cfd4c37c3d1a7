/** Parts of what a waiting job is told. They name jobs of its own tenant only. */
import type { Holder } from '../running.ts';
import type { Verdict } from '../verdict.ts';
import { countOf, durationOf } from '../words.ts';
import type { Place } from './line-pool.ts';
import type { Outlook } from './reservations.ts';

/** Jobs of that tenant by id, others by number. */
export function endedOf(victims: readonly Holder[], tenant: string): string {
  const own = victims.filter(({ job }) => job.tenant === tenant).map(({ job }) => job.id);
  const others = victims.length - own.length;
  return [...own, ...(others === 0 ? [] : [`${countOf(others, 'job')} of other tenants`])].join(', ');
}

/**
 * When one may expect to start that stands behind others in its line.
 * @param now epoch milliseconds
 * @param soonest when it would fit if they were not there, epoch milliseconds; left out: nobody knows
 */
export function behindOthers(
  { ahead, isLast, likelySeconds, carefulSeconds }: Place,
  now: number,
  soonest = now,
): Outlook {
  const before = `${isLast ? 'More than ' : ''}${countOf(ahead, 'job')} for the same ${ahead === 1 ? 'goes' : 'go'} before it`;
  if (likelySeconds === null) return { message: `${before}; when it starts is not foreseen.` };
  const at = Math.max(now + 1000 * likelySeconds, soonest);
  const likely = durationOf((at - now) / 1000);
  if (isLast) return { message: `${before}; it hardly starts before in about ${likely}.` };
  const careful = durationOf(carefulSeconds ?? 0);
  const isLater = carefulSeconds !== null && now + 1000 * carefulSeconds > at && careful !== likely;
  return { message: `${before}; expected in about ${likely}${isLater ? `, ${careful} if they run long` : ''}.`, at };
}

/** Adds a sentence, if there is one. */
export function withSentence(detail: Verdict['detail'], sentence: string | undefined): Verdict['detail'] {
  return sentence === undefined ? detail : { ...detail, message: `${detail.message} ${sentence}` };
}

/** Adds when it is expected to start, if anybody can say. */
export function withOutlook(detail: Verdict['detail'], outlook: Outlook | undefined): Verdict['detail'] {
  const more = withSentence(detail, outlook?.message);
  return outlook?.at === undefined ? more : { ...more, expectedAt: new Date(outlook.at).toISOString() };
}

/** Adds its place in the line, if that is known and not only that it is further behind. */
export function withPlace(detail: Verdict['detail'], place: Place | undefined): Verdict['detail'] {
  return place === undefined || place.isLast ? detail : { ...detail, ahead: place.ahead };
}

/** An instant for people; beyond what a date can hold it is never. */
export const instantOf = (at: number): string => (Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : 'never');
