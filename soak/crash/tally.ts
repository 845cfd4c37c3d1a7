/** Counts of a run, flat, for the last line. */
import type { Killer } from './killer.ts';
import type { Load } from './load.ts';
import type { Observed } from './observed.ts';

export function tally(killer: Killer, load: Load, seen: Observed): Record<string, number> {
  const counts: Record<string, number> = {};
  const add = (name: string, by = 1) => {
    counts[name] = (counts[name] ?? 0) + by;
  };
  add('kills', killer.records.length);
  const recoveries = killer.records.flatMap(({ recoveredMs }) => recoveredMs ?? []);
  counts.recoveryP50Ms = quantile(recoveries, 0.5);
  counts.recoveryP99Ms = quantile(recoveries, 0.99);
  for (const target of new Set(killer.records.map((record) => record.target))) {
    const own = killer.records.filter((record) => record.target === target);
    const times = own.flatMap(({ recoveredMs }) => recoveredMs ?? []);
    add(`kills.${target}`, own.length);
    if (times.length > 0) counts[`recoveryP99Ms.${target}`] = quantile(times, 0.99);
  }
  for (const { what } of killer.records) if (what !== 'moment') add(`failpoint.${what}`);
  add('failpointsNotReached', killer.unreached.length);
  add('submits', load.submissions.length);
  add('submits.acknowledged', load.submissions.filter(({ acknowledged }) => acknowledged !== null).length);
  add('submits.sentAgain', load.submissions.filter(({ sent }) => sent > 1).length);
  add('submits.givenUp', load.submissions.filter(({ givenUp }) => givenUp).length);
  for (const [code, count] of load.refusals) add(`submits.${code}`, count);
  add('visits', load.visits.begun);
  add('visits.undisturbed', load.visits.undisturbed);
  const boxed = new Set(load.submissions.flatMap(({ plan, index }) => (plan.boxed ? [String(index)] : [])));
  add('jobs', seen.jobs.length);
  add('jobs.boxed', seen.jobs.filter(({ label }) => boxed.has(label)).length);
  for (const { state } of seen.jobs) add(`jobs.${state}`);
  add('attempts', seen.attempts.length);
  for (const { outcome } of seen.attempts) add(`attempts.${outcome ?? 'live'}`);
  add('intervals', seen.intervals.length);
  add(
    'logLines',
    seen.logs.reduce((sum, { numbers }) => sum + numbers.length, 0),
  );
  return counts;
}

/** @param share 0..1 */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0);
}
