/**
 * Waits for a job and shows what happens: its states and why it waits on stderr, its log on stdout.
 */
import { setTimeout as pause } from 'node:timers/promises';
import colors from 'picocolors';
import type { CallAnswer, Client } from '../common/contract/client.ts';
import { isFinalJob } from '../common/contract/states/job.ts';
import { exitCodes } from './exit-codes.ts';
import { note, paintState, print, printable } from './output.ts';

export type JobDetail = CallAnswer<'getJob'>;

/** First and longest pause between two looks at a job, milliseconds. */
const looks = { first: 150, longest: 2_000 };

/**
 * Waits until the job has ended.
 * @param say called at each change of state or of the reason for waiting
 */
export async function waitForEnd(
  client: Client,
  id: string,
  say: (job: JobDetail) => void,
  signal?: AbortSignal,
): Promise<JobDetail> {
  let shown = '';
  let ms = looks.first;
  for (;;) {
    const job = await client.getJob({ params: { id } }, { signal });
    const now = [job.state, job.pending?.reason, job.pending?.message, job.contactLostSince, job.attemptCount].join(
      '|',
    );
    if (now !== shown) {
      shown = now;
      ms = looks.first;
      say(job);
    }
    if (isFinalJob(job.state)) return job;
    await pause(ms, undefined, signal ? { signal } : {});
    ms = Math.min(looks.longest, ms * 1.5);
  }
}

/** One line about where a job stands. */
export function describeState(job: JobDetail): string {
  const state = paintState(job.state);
  if (job.contactLostSince) return `${state} ${colors.magenta(`no contact since ${job.contactLostSince}`)}`;
  if (job.pending) return `${state} (${job.pending.reason}) ${printable(job.pending.message ?? '')}`.trimEnd();
  if (job.attemptCount > 1 && job.state === 'starting') return `${state} attempt ${job.attemptCount}`;
  if (job.reason && job.state !== 'succeeded') return `${state} ${printable(job.reason)}`;
  return state;
}

/** Prints the log as it comes until the job has ended and all of it was shown. */
export async function followLog(client: Client, id: string, signal?: AbortSignal): Promise<void> {
  for await (const frame of client.followJobLogs(id, signal ? { signal } : {})) {
    if ('fromLine' in frame) {
      if (frame.attempt > 1) note(colors.dim(`— attempt ${frame.attempt} —`));
    } else if ('line' in frame) {
      const text = printable(frame.text, true);
      if (frame.stream === 'stdout') print(text);
      else note(frame.stream === 'solyx' ? colors.dim(`solyx: ${text}`) : text);
    }
  }
}

/** Exit code that tells how the job ended. */
export function exitCodeOf(job: Pick<JobDetail, 'state'>): number {
  if (job.state === 'succeeded') return exitCodes.ok.code;
  return job.state === 'cancelled' ? exitCodes.jobCancelled.code : exitCodes.jobFailed.code;
}

/** A signal that aborts on Ctrl-C, and says that the job goes on. */
export function interruptible(id: string): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => {
    note(`\nThe job goes on. See it with: solyx job ${id}`);
    process.exit(exitCodes.interrupted.code);
  });
  return controller.signal;
}
