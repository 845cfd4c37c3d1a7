/**
 * Least work first, which is the default, as a turn that hardly changes: how much later than it arrived a job takes its turn, by how
 * much it will hold and how long.
 *
 * Mean completion is shortest when the least expected work (devices × seconds) goes first (Smith's rule; Rothkopf 1966 for expected times, so by
 * the mean: of long-tailed run times the likely one says nothing of the tail that everybody behind waits for). A small job that waits long is what
 * people complain of, so a job's turn is ten times its expected work per device after its arrival: it is as if everybody were promised to
 * wait no longer than that, and the promise that is due first went first. More than ten and all work above some device-hours has the
 * same turn, that after thirty days, and goes by arrival. Of a job of which nobody knows how long it runs it is two days. A turn costs
 * nothing while a job waits, unlike a ranking of the queue in each round; it moves when something was learned of jobs like it
 * (`worker/queued-bursts.ts`).
 *
 * A promise is a turn. Nodes are kept for a job long before such a turn comes; who comes later and is short would go before it and take them.
 * So once nodes are kept for a job its turn has come (`keptSince`, marked after the round by `worker/round-engine.ts`), and nobody who comes
 * later goes before it: it starts when it was told to, if what runs there ends as foreseen. Kept in memory only: a scheduler that starts
 * anew promises anew.
 *
 * Bound. Nobody is passed over by who arrives after its turn, which is at most thirty days after its arrival, whatever is predicted; from then on
 * only the jobs before it can keep it waiting, of which there are no more than had come by then, and nodes are kept for the first of them
 * (`round/reservations.ts`). So no stream of short jobs starves a long one.
 */
import { likelySecondsOf, orderSecondsOf } from './backfill/run-class.ts';
import type { PendingJob, Policy, Shape } from './snapshot.ts';

/** Times its expected work that a job is patient. */
const patience = 10;
const unknownSeconds = 2 * 86_400;
/** Most, whatever is expected. */
export const longestPatienceSeconds = 30 * 86_400;

/** How long after its arrival the turn of a job is when least work goes first, seconds 0..`longestPatienceSeconds`. */
export function patienceOf({ shape, runTime, submittedAt, keptSince }: Patient): number {
  const seconds = orderSecondsOf(runTime);
  const wanted = seconds === undefined ? unknownSeconds : patience * seconds * sizeOf(shape);
  const promised = keptSince === undefined ? longestPatienceSeconds : Math.max(0, (keptSince - submittedAt) / 1000);
  return Math.min(longestPatienceSeconds, wanted, promised);
}

type Patient = Pick<PendingJob, 'shape' | 'runTime' | 'submittedAt' | 'keptSince'>;

/** Devices, or cores of a job without, in all; ≥ 1 where it makes sense at all. */
function sizeOf({ resources }: Shape): number {
  const { nodes, cpuMilli, deviceAlternatives } = resources;
  const milli = (deviceAlternatives[0] ?? []).reduce((sum, device) => sum + device.count * device.milli, 0);
  const size = (nodes * (milli > 0 ? milli : cpuMilli)) / 1000;
  return Number.isFinite(size) ? Math.max(1, size) : 1;
}

/** Nodes are kept for a job when it has waited as many times its expected run time, at most a day: until then its wait is short for what it is. */
const slack = patience;
const longestSlackSeconds = 86_400;
/** …and from all others when as many times. */
const firmness = 30;

/** After what wait nodes are kept for a blocked job, seconds ≥ `reserveAfterSeconds`. */
export function reserveAfterOf({ runTime }: Pick<PendingJob, 'runTime'>, { reserveAfterSeconds }: Policy): number {
  const wait = Math.min(longestSlackSeconds, slack * (likelySecondsOf(runTime) ?? 0));
  return Math.max(reserveAfterSeconds, wait);
}

/** …and after what wait from all others, seconds ≥ `firmAfterSeconds`; no more than that or `longestPatienceSeconds`. */
export function firmAfterOf({ runTime }: Pick<PendingJob, 'runTime'>, { firmAfterSeconds }: Policy): number {
  return Math.max(firmAfterSeconds, Math.min(longestPatienceSeconds, firmness * (likelySecondsOf(runTime) ?? 0)));
}
