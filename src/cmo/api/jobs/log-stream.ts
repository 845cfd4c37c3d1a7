/**
 * A log as NDJSON while it grows: lines, heartbeats, and the end when the job is final and everything was sent.
 *
 * Pages are read only as the client takes them, so a slow client costs neither memory nor the database. New lines are
 * announced by a wake-up; looking every second makes that an acceleration and not a condition. An attempt that is followed by
 * another hands over to it, so one call shows a job with all its retries.
 */
import type { Clock } from '../../../common/clock.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import type { Wake } from '../../../common/events/index.ts';
import { logTopic } from '../../../metapod/gateway/index.ts';
import { type LogView, toWireLine } from './logs.ts';

/** Pause between looks without a wake-up, milliseconds. */
const lookMs = 1_000;
/** Silence after which a heartbeat is sent, milliseconds. */
const heartbeatMs = 5_000;
/** Lines a page. */
const pageLines = 500;

interface Place {
  readonly attempt: number | undefined;
  readonly rank: number;
  readonly fromLine: number;
}

export interface FollowedLog {
  readonly start: Place;
  readonly read: (place: Place & { readonly limit: number }) => Promise<LogView>;
  /** Asked before every look; throws when the key was revoked. */
  readonly mayGoOn: () => Promise<void>;
  readonly stopping: AbortSignal;
  readonly wake: Wake;
  readonly clock: Clock;
}

/** Yields frames as text, each ended by a newline. Ends without an `end` frame when the server stops. */
export async function* followLog(log: FollowedLog): AsyncGenerator<string> {
  let place = log.start;
  let announced: number | undefined;
  let sentAt = log.clock.monotonicMs();
  let topics = ['events'];
  while (!log.stopping.aborted) {
    const wakeUp = listen(log.wake, topics);
    try {
      const view = await look(log, place);
      if (view === 'later') {
        await wakeUp.wait(lookMs, log.stopping);
        continue;
      }
      const number = view.attempt?.number;
      topics = ['events', ...(view.attempt ? [logTopic(view.attempt.id)] : [])];
      let text = '';
      if (number !== undefined && number !== announced) {
        text = frame({ attempt: number, rank: place.rank, fromLine: place.fromLine });
        announced = number;
      }
      for (const line of view.lines) text += frame(toWireLine(line));
      place = { ...place, attempt: number, fromLine: view.nextLine };
      const next = nextStep(view);
      if (next === 'end')
        text += frame({ end: { state: view.job.state, attempt: number ?? null, nextLine: view.nextLine } });
      const now = log.clock.monotonicMs();
      if (text === '' && now - sentAt >= heartbeatMs) text = frame({ heartbeat: log.clock.now().toISOString() });
      if (text !== '') {
        yield text;
        sentAt = log.clock.monotonicMs();
      }
      if (next === 'end') return;
      if (next === 'following') place = { ...place, attempt: view.following, fromLine: 0 };
      if (next === 'wait') await wakeUp.wait(lookMs, log.stopping);
    } finally {
      wakeUp.close();
    }
  }
}

/** A database that is away for a moment does not end a stream; a revoked key does. */
async function look(log: FollowedLog, place: Place): Promise<LogView | 'later'> {
  try {
    await log.mayGoOn();
    return await log.read({ ...place, limit: pageLines });
  } catch (error) {
    if (error instanceof SolyxError && error.status === 503) return 'later';
    throw error;
  }
}

function nextStep(view: LogView): 'more' | 'following' | 'end' | 'wait' {
  if (view.lines.length === pageLines) return 'more';
  if (view.attempt === undefined) return view.final ? 'end' : 'wait';
  if (!view.complete) return 'wait';
  if (view.following !== undefined) return 'following';
  return view.final ? 'end' : 'wait';
}

const frame = (value: object): string => `${JSON.stringify(value)}\n`;

/** Listens from before a look, so that what comes between look and wait is not missed. */
function listen(wake: Wake, topics: readonly string[]) {
  let awake = false;
  let notify = () => {};
  const onWake = () => {
    awake = true;
    notify();
  };
  const stops = topics.map((topic) => wake.on(topic, onWake));
  return {
    /** Waits for a wake-up, `ms` at most. */
    async wait(ms: number, stopping: AbortSignal): Promise<void> {
      if (awake || stopping.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      notify = resolve;
      const timer = setTimeout(resolve, ms);
      stopping.addEventListener('abort', notify, { once: true });
      await promise;
      stopping.removeEventListener('abort', notify);
      clearTimeout(timer);
    },
    close() {
      for (const stop of stops) stop();
    },
  };
}
