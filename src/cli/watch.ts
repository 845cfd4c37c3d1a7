/**
 * Waits for jobs and shows what happens: states and why a job waits on stderr, its log on stdout.
 *
 * A control plane may be restarted meanwhile, so a server that is away is waited for, and said so, before it is an error.
 */
import { setTimeout as pause } from 'node:timers/promises';
import colors from 'picocolors';
import type { CallAnswer, Client } from '../common/contract/client.ts';
import { isFinalJob, type JobState } from '../common/contract/states/job.ts';
import { type Code, SolyxError } from '../common/errors/index.ts';
import { collect } from './connect.ts';
import { exitCodes } from './exit-codes.ts';
import { note, paintState, print, printable, printableLog, toJson } from './output.ts';

export type JobDetail = CallAnswer<'getJob'>;
export type JobSummary = CallAnswer<'listJobs'>['items'][number];

/** First and longest pause between two looks at a job, milliseconds. */
const looks = { first: 150, longest: 2_000 };
/** How long a server that does not answer is waited for, milliseconds. */
const awayPatienceMs = 120_000;
/** Reconnections of a log stream within that time: they come to lie 4 s apart. */
const logRetries = 35;

const awayCodes = new Set<Code>(['server_unreachable', 'database_unavailable', 'database_timeout', 'not_ready']);

/**
 * Looks again and again until `isDone`.
 * @param describe what a person should be told; `say` is called whenever it changes
 */
async function waitUntil<Seen>(
  look: () => Promise<Seen>,
  isDone: (seen: Seen) => boolean,
  describe: (seen: Seen) => string,
  say: (line: string) => void,
): Promise<Seen> {
  let shown = '';
  let ms = looks.first;
  let awaySince: number | undefined;
  for (;;) {
    try {
      const seen = await look();
      awaySince = undefined;
      const now = describe(seen);
      if (now !== shown) {
        shown = now;
        ms = looks.first;
        say(now);
      }
      if (isDone(seen)) return seen;
    } catch (error) {
      if (!(error instanceof SolyxError) || !awayCodes.has(error.code)) throw error;
      if (awaySince === undefined)
        say(`${colors.yellow('the server does not answer')}; the job goes on, waiting for it …`);
      awaySince ??= performance.now();
      if (performance.now() - awaySince > awayPatienceMs) throw error;
      shown = '';
    }
    await pause(ms);
    ms = Math.min(looks.longest, ms * 1.5);
  }
}

/** Waits until the job has ended. @param say called at each change of state or of the reason for waiting */
export function waitForJob(client: Client, id: string, say: (line: string) => void): Promise<JobDetail> {
  return waitUntil(
    () => client.getJob({ params: { id } }),
    (job) => isFinalJob(job.state),
    describeState,
    say,
  );
}

/** Waits until every task of the array has ended. @returns the tasks in their order */
export async function waitForArray(
  client: Client,
  arrayId: string,
  say: (line: string) => void,
): Promise<JobSummary[]> {
  const tasks = await waitUntil(
    () => collect((cursor) => client.listJobs({ query: { arrayId, limit: 500, cursor } }), Number.POSITIVE_INFINITY),
    (found) => found.every(({ state }) => isFinalJob(state)),
    (found) => countText(countStates(found)),
    say,
  );
  return tasks.sort((a, b) => (a.arrayIndex ?? 0) - (b.arrayIndex ?? 0));
}

/** How many jobs are in which state. */
export function countStates(jobs: readonly { state: JobState }[]): Partial<Record<JobState, number>> {
  const counts: Partial<Record<JobState, number>> = {};
  for (const { state } of jobs) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

const countText = (counts: Partial<Record<JobState, number>>): string =>
  Object.entries(counts)
    .map(([state, count]) => `${count} ${paintState(state)}`)
    .join(', ');

type Describable = Pick<JobDetail, 'state' | 'contactLostSince' | 'pending' | 'attemptCount' | 'stopReason' | 'reason'>;

/** One line about where a job stands. */
export function describeState(job: Describable): string {
  const state = paintState(job.state);
  if (job.contactLostSince) return `${state} ${colors.magenta(`no contact since ${job.contactLostSince}`)}`;
  if (job.pending) return `${state} (${job.pending.reason}) ${printable(job.pending.message ?? '')}`.trimEnd();
  if (job.state === 'stopping' && job.stopReason) return `${state} (${job.stopReason})`;
  if (job.state === 'starting' && job.attemptCount > 1) return `${state} attempt ${job.attemptCount}`;
  if (job.reason && job.state !== 'succeeded') return `${state} ${printable(job.reason)}`;
  return state;
}

export interface LogChoice {
  readonly attempt?: number | undefined;
  readonly rank?: number | undefined;
  /** Print each line as JSON. */
  readonly json?: boolean | undefined;
}

/** Prints the log as it comes until the job has ended and all of it was shown. */
export async function followLog(client: Client, id: string, { attempt, rank, json }: LogChoice = {}): Promise<void> {
  const frames = client.followJobLogs(id, {
    retries: logRetries,
    ...(attempt !== undefined && { attempt }),
    ...(rank !== undefined && { rank }),
  });
  for await (const frame of frames) {
    if ('fromLine' in frame) {
      if (frame.attempt > 1 && !json) note(colors.dim(`— attempt ${frame.attempt} —`));
    } else if ('line' in frame) printLogLine(frame, json);
  }
}

interface LogLine {
  readonly stream: string;
  readonly text: string;
  /** It goes on in the next line of its stream. */
  readonly partial: boolean;
}

/**
 * Prints one line where it belongs: the job's output to stdout, its errors and what Solyx says to stderr. One that goes on is not
 * ended, so that what arrives is what the job wrote.
 */
export function printLogLine(line: LogLine, json: boolean | undefined): void {
  if (json) print(toJson(line));
  else if (line.stream === 'solyx') note(colors.dim(`solyx: ${printable(line.text)}`));
  else {
    const stream = line.stream === 'stdout' ? process.stdout : process.stderr;
    stream.write(`${printableLog(line.text)}${line.partial ? '' : '\n'}`);
  }
}

/** Exit code that tells how jobs ended; a failure outweighs a cancellation. */
export function exitCodeOf(jobs: readonly { state: JobState }[]): number {
  const { failed, cancelled } = countStates(jobs);
  if (failed) return exitCodes.jobFailed.code;
  return cancelled ? exitCodes.jobCancelled.code : exitCodes.ok.code;
}

/** From here on Ctrl-C, or a reader that goes away, ends the command with a code of its own, and says that the job goes on. */
export function leaveJobOnInterrupt(id: string): void {
  process.exitCode = exitCodes.interrupted.code;
  process.once('SIGINT', () => {
    note(`\nThe job goes on. See it with: solyx job ${id}`);
    process.exit();
  });
}
