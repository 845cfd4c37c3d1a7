/**
 * What must hold after any number of kills. Each function returns what it found broken, in words with ids.
 *
 * Tolerances. Jobs take the time by the wall clock of the same machine, when their program comes to it; the product when the
 * supervisor sees the job begin and end, in a container or not. On busy cores these lie up to two seconds apart. A job whose supervisor was
 * killed wrote its last line at most a step before it died, and its end is billed by the supervisor's last account (every two
 * seconds): what cannot be proved is not billed.
 */
import { stepMs } from './jobs.ts';
import type { Submission } from './load.ts';
import type { AttemptRecord, IntervalRecord, JobRecord, Observed, RankLog, ToldJob } from './observed.ts';

/** Between what a job says of its own time and what is billed, ms. */
const toleranceMs = 2_000;
/** The same for an end that no supervisor recorded, ms. */
const unprovedToleranceMs = toleranceMs + 2_000 + stepMs;

/** Why each rank ended, by attempt and rank. */
type Reasons = ReadonlyMap<string, string | null>;

/** Outcomes of an attempt whose job came to the end of its own program. */
const ranToEnd = new Set(['succeeded', 'failed']);
const finals = new Set(['succeeded', 'failed', 'cancelled']);

/** @param orphaned attempts whose supervisor and guardian the soak killed: what their job did afterwards nobody heard */
export function findBroken(
  submissions: readonly Submission[],
  seen: Observed,
  orphaned: ReadonlySet<string> = new Set(),
): string[] {
  const attemptsOf = groupBy(seen.attempts, ({ job_id }) => job_id);
  const intervalsOf = groupBy(seen.intervals, ({ job_id }) => job_id);
  const logsOf = groupBy(seen.logs, ({ attemptId }) => attemptId);
  const reasons: Reasons = new Map(seen.ranks.map((rank) => [`${rank.attempt_id} ${rank.rank}`, rank.reason]));
  const planOf = new Map(submissions.map((submission) => [String(submission.index), submission]));
  return [
    ...submits(submissions, seen.jobs),
    ...seen.held.map((words) => `still held: ${words}`),
    ...seen.jobs.flatMap((job) => {
      const attempts = attemptsOf.get(job.id) ?? [];
      const submission = planOf.get(job.label);
      if (submission === undefined) return [`job ${job.id} was never submitted (label ${job.label})`];
      const name = `job ${job.id} (${submission.plan.kind})`;
      const logs = attempts.flatMap(({ id }) => logsOf.get(id) ?? []);
      return [
        ...ends(job, attempts, submission),
        ...usage(attempts, intervalsOf.get(job.id) ?? [], logs, reasons),
        ...tells(job, intervalsOf.get(job.id) ?? [], seen.told.get(job.id)),
        ...oneAtATime(attempts, logs),
        ...logs.flatMap((log) =>
          logLines(log, attempts.find(({ id }) => id === log.attemptId)!, reasons.get(`${log.attemptId} ${log.rank}`)),
        ),
        ...checkpoints(attempts, logs, orphaned),
      ].map((words) => `${name}: ${words}`);
    }),
  ];
}

/** Acknowledged or repeated: exactly once. Given up without an answer: at most once. */
function submits(submissions: readonly Submission[], jobs: readonly JobRecord[]): string[] {
  const byLabel = groupBy(jobs, ({ label }) => label);
  return submissions.flatMap(({ index, plan, acknowledged, givenUp, sent }) => {
    const made = byLabel.get(String(index)) ?? [];
    const isRight = made.length === plan.count || (givenUp && made.length === 0);
    const words: string[] = [];
    if (!isRight) words.push(`submit ${index} (sent ${sent} times) made ${made.length} jobs instead of ${plan.count}`);
    if (acknowledged !== null && !made.some(({ id }) => id === acknowledged))
      words.push(`the acknowledged job ${acknowledged} of submit ${index} does not exist`);
    return words;
  });
}

/** Final, once, and by attempts that lead there. */
function ends(job: JobRecord, attempts: readonly AttemptRecord[], { plan, cancelled }: Submission): string[] {
  const words: string[] = [];
  if (!finals.has(job.state)) words.push(`did not end, it is ${job.state}`);
  else if (job.final_events !== 1) words.push(`has ${job.final_events} final events`);
  if (finals.has(job.state) && !plan.finals.includes(job.state))
    words.push(`ended as ${job.state}: ${outcomes(attempts)}`);
  if (cancelled && job.state !== 'cancelled') words.push(`its cancel was acknowledged and it is ${job.state}`);
  if (job.attempt_count !== attempts.length || attempts.some(({ number }, at) => number !== at + 1))
    words.push(`counts ${job.attempt_count} attempts and has ${attempts.map(({ number }) => number).join()}`);
  if (attempts.some(({ token }, at) => at > 0 && token <= attempts[at - 1]!.token)) words.push('tokens do not grow');
  const live = attempts.filter(({ state }) => state !== 'ended');
  if (live.length > 0) words.push(`attempts ${live.map(({ id }) => id).join()} did not end`);
  if (job.ended_events !== attempts.length - live.length)
    words.push(`has ${job.ended_events} events of ended attempts`);
  const failed = attempts.filter(({ outcome }) => outcome === 'failed').length;
  const [least, most] = plan.failures;
  if (job.state !== 'cancelled' && (failed < least || failed > most))
    words.push(`failed ${failed} times: ${outcomes(attempts)}`);
  const good = attempts.filter(({ outcome }) => outcome === 'succeeded');
  if (job.state === 'succeeded' ? attempts.at(-1)?.outcome !== 'succeeded' || good.length !== 1 : good.length > 0)
    words.push(`is ${job.state} after ${outcomes(attempts)}`);
  return words;
}

/** The API says what is on record. */
function tells(job: JobRecord, intervals: readonly IntervalRecord[], told: ToldJob | undefined): string[] {
  if (told === undefined) return ['the API does not know it'];
  const seconds = intervals.reduce((sum, { started_at, ended_at }) => sum + lengthMs(started_at, ended_at), 0) / 1000;
  const isRight =
    told.state === job.state &&
    told.attempts === job.attempt_count &&
    !told.open &&
    Math.abs(told.runSeconds - seconds) < 0.001;
  return isRight ? [] : [`the API tells ${JSON.stringify(told)}, on record are ${job.state} and ${seconds} s`];
}

const lengthMs = (from: Date, to: Date | null): number => (to === null ? 0 : to.getTime() - from.getTime());

/** At most one interval per attempt and rank, closed, not overlapping an earlier attempt's, and as long as the job ran. */
function usage(
  attempts: readonly AttemptRecord[],
  intervals: readonly IntervalRecord[],
  logs: readonly RankLog[],
  reasons: Reasons,
): string[] {
  const words: string[] = [];
  for (const attempt of attempts) {
    for (const log of logs.filter(({ attemptId }) => attemptId === attempt.id)) {
      const place = `attempt ${attempt.number} rank ${log.rank}`;
      const own = intervals.filter(({ attempt_id, rank }) => attempt_id === attempt.id && rank === log.rank);
      if (own.length > 1) words.push(`${place} has ${own.length} usage intervals`);
      const span = spanOf(log);
      const [interval] = own;
      const proved = ranToEnd.has(attempt.outcome ?? '') && reasons.get(`${attempt.id} ${log.rank}`) === 'exited';
      if (interval === undefined) {
        if (span !== undefined && (proved || span.endMs - span.startMs > unprovedToleranceMs))
          words.push(`${place} ran ${span.endMs - span.startMs} ms and has no usage`);
        continue;
      }
      if (interval.ended_at === null) {
        words.push(`${place} has an open usage interval`);
        continue;
      }
      if (span === undefined) continue;
      // Nobody could prove that it ran, and nothing is billed: as good as no usage.
      const isUnbilled = interval.ended_at.getTime() === interval.started_at.getTime();
      if (isUnbilled && !proved && span.endMs - span.startMs <= unprovedToleranceMs) continue;
      const late = interval.started_at.getTime() - span.startMs;
      const over = interval.ended_at.getTime() - span.endMs;
      const most = proved ? toleranceMs : unprovedToleranceMs;
      if (Math.abs(late) > toleranceMs || Math.abs(over) > most)
        words.push(`${place} (${attempt.outcome}) is billed from ${late} ms to ${over} ms after its own word`);
    }
  }
  const byRank = groupBy(intervals, ({ rank }) => String(rank));
  for (const [rank, own] of byRank) {
    for (const [at, interval] of own.entries()) {
      const before = own[at - 1];
      if (before?.ended_at && interval.started_at < before.ended_at)
        words.push(`usage of rank ${rank} overlaps by ${before.ended_at.getTime() - interval.started_at.getTime()} ms`);
    }
  }
  return words;
}

/** By the jobs' own clock: no attempt says anything before the one before it has fallen silent. */
function oneAtATime(attempts: readonly AttemptRecord[], logs: readonly RankLog[]): string[] {
  const words: string[] = [];
  let silentMs = 0;
  for (const attempt of attempts) {
    const spans = logs.filter(({ attemptId }) => attemptId === attempt.id).flatMap((log) => spanOf(log) ?? []);
    if (spans.length === 0) continue;
    const startMs = Math.min(...spans.map((span) => span.startMs));
    if (startMs < silentMs) words.push(`attempt ${attempt.number} ran ${silentMs - startMs} ms beside an earlier one`);
    silentMs = Math.max(silentMs, ...spans.map((span) => span.endMs));
  }
  return words;
}

/** Lines are numbered without gaps, by the stream and by the job; who came to its end has said all of it. */
function logLines(log: RankLog, attempt: AttemptRecord, reason: string | null | undefined): string[] {
  const place = `the log of attempt ${attempt.number} rank ${log.rank} (${attempt.outcome})`;
  const words: string[] = [];
  const gap = log.numbers.findIndex((number, at) => number !== at);
  if (gap >= 0) words.push(`${place} has line ${log.numbers[gap]} where ${gap} should be`);
  const slip = log.said.findIndex(({ number }, at) => number !== at);
  if (slip >= 0) words.push(`${place} has the job's line ${log.said[slip]!.number} where ${slip} should be`);
  const end = log.said.at(-1);
  if (ranToEnd.has(attempt.outcome ?? '') && reason === 'exited' && end?.word !== 'end')
    words.push(`${place} breaks off after line ${end?.number}`);
  // The last line of a killed job may be half a line.
  const torn = end?.word === 'end' ? 0 : 1;
  if (log.strange.length > torn) words.push(`${place} has strange lines: ${log.strange.slice(0, 3).join(' | ')}`);
  if (log.said.length > 0 && !log.complete) words.push(`${place} was never completed`);
  return words;
}

/**
 * An attempt begins with what an earlier one had saved; nothing less where that came to its own end, and nothing more than it said
 * unless nobody could hear it.
 */
function checkpoints(
  attempts: readonly AttemptRecord[],
  logs: readonly RankLog[],
  orphaned: ReadonlySet<string>,
): string[] {
  const words: string[] = [];
  let least = 0;
  let most = 0;
  for (const attempt of attempts) {
    const said = logs.find(({ attemptId }) => attemptId === attempt.id)?.said ?? [];
    const resumed = said.find(({ word }) => word === 'resume');
    if (resumed === undefined) continue;
    const from = Number(resumed.detail);
    // Saved, but killed before it could say so: one more than it said.
    if (from < least || from > most + 1)
      words.push(`attempt ${attempt.number} went on from ${from}; saved before were ${least} to ${most}`);
    const saved = said.filter(({ word }) => word === 'saved').map(({ detail }) => Number(detail));
    most = orphaned.has(attempt.id) ? Number.POSITIVE_INFINITY : Math.max(most, from, ...saved);
    if (attempt.outcome === 'failed') least = Math.max(least, ...saved);
  }
  return words;
}

/** First and last time in a log, ms; undefined when it says none. */
function spanOf(log: RankLog): { startMs: number; endMs: number } | undefined {
  const times = log.said.flatMap(({ atMs }) => (atMs > 0 ? [atMs] : []));
  return times.length === 0 ? undefined : { startMs: times[0]!, endMs: times.at(-1)! };
}

const outcomes = (attempts: readonly AttemptRecord[]) => attempts.map(({ outcome }) => outcome ?? 'live').join(', ');

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return groups;
}
