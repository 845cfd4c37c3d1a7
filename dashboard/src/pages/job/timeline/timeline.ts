/**
 * The life of a job as phases with durations, and who or what caused each.
 *
 * Events are what happened, a person asks "how long did it wait, and why did it stop?". So states of the job become phases;
 * what happened to its attempts, to its metrics or to its people in between is listed under the phase it happened in.
 * Events come from the server in order; unknown kinds of later releases are shown by their own names, never dropped.
 */
import type { JobDetail, JobState } from '../../../api/contract.ts';

type Event = JobDetail['timeline'][number];

/** Who or what caused something. */
export type Cause =
  | { readonly kind: 'person'; readonly id: string }
  | { readonly kind: 'solyx'; readonly part: string }
  | { readonly kind: 'unknown' };

export interface TimelineNote {
  readonly id: string;
  readonly at: string;
  /** What happened: `Attempt 2 running`. */
  readonly title: string;
  /** More about it; null when there is none. */
  readonly detail: string | null;
  readonly cause: Cause;
}

export interface TimelinePhase extends TimelineNote {
  readonly state: JobState | string;
  /** Null while it lasts. */
  readonly endedAt: string | null;
  /** Number of the attempt that it belongs to; null for waiting and for ends without one. */
  readonly attempt: number | null;
  /** A state that nothing follows. */
  readonly final: boolean;
  readonly notes: readonly TimelineNote[];
}

export interface Timeline {
  readonly phases: readonly TimelinePhase[];
  /** The server sent only the newest events; what was before is not shown. */
  readonly cut: boolean;
}

const finalStates = new Set(['succeeded', 'failed', 'cancelled']);

/** Orders a job's events into phases. */
export function buildTimeline(job: Pick<JobDetail, 'submittedAt' | 'timeline'>): Timeline {
  const phases: (Omit<TimelinePhase, 'notes' | 'endedAt'> & { endedAt: string | null; notes: TimelineNote[] })[] = [];
  const early: TimelineNote[] = [];
  for (const event of job.timeline) {
    const state = stateOf(event);
    if (state === undefined) {
      const notes = phases.at(-1)?.notes ?? early;
      notes.push(noteOf(event));
      continue;
    }
    const last = phases.at(-1);
    if (last) last.endedAt = event.at;
    phases.push({
      ...noteOf(event),
      state,
      endedAt: null,
      attempt: numberOf(event.data.number),
      final: finalStates.has(state),
      notes: [],
    });
  }
  const first = job.timeline[0];
  const cut = first !== undefined && (first.kind !== 'job.queued' || first.data.from !== null);
  if (phases[0]) phases[0].notes.unshift(...early);
  return { phases, cut };
}

/** Seconds of a phase; to `now` while it lasts, and none of a final state. */
export function phaseSeconds(phase: TimelinePhase, now: number): number | null {
  if (phase.final) return null;
  const end = phase.endedAt === null ? now : Date.parse(phase.endedAt);
  return Math.max(0, (end - Date.parse(phase.at)) / 1000);
}

/** The state that an event puts the job into; undefined when it is about something else. */
function stateOf({ kind, data }: Event): string | undefined {
  const match = /^job\.([a-z-]+)$/.exec(kind);
  return match && data.to === match[1] ? match[1] : undefined;
}

function noteOf(event: Event): TimelineNote {
  return {
    id: event.id,
    at: event.at,
    title: titleOf(event),
    detail: detailOf(event.data, stateOf(event)),
    cause: causeOf(event.data.who),
  };
}

/** Kinds are codes, and only of them are words made; what a job, a node or a person said is shown as it was said. */
function titleOf({ kind, data }: Event): string {
  const [noun = '', ...rest] = kind.split('.');
  const words = rest.join(' ').replaceAll('-', ' ').replaceAll('_', ' ');
  if (noun === 'attempt') return `Attempt ${numberOf(data.number) ?? ''} ${words}`.replace('  ', ' ');
  if (noun === 'job') return sentence(words);
  return sentence(`${noun} ${words}`.trim());
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const whyWords: Readonly<Record<string, string>> = {
  cancel: 'cancellation was asked for',
  preempt: 'a job of higher priority needs the place',
  move: 'it moves to another place',
  suspend: 'it was suspended',
  shed: 'power was shed',
  'timeouts.queue': 'it waited longer than timeouts.queue',
};

const outcomeWords: Readonly<Record<string, string>> = {
  'out-of-memory': 'it used more memory than it was given',
  'timed-out': 'it ran longer than timeouts.run',
  'start-failed': 'the node could not start it',
  'node-lost': 'the node was lost',
  preempted: 'it made room for a job of higher priority',
};

/** @param state that the event is about; it need not be said again */
function detailOf(data: Event['data'], state: string | undefined): string | null {
  const outcome = data.outcome === state ? undefined : textOf(data.outcome);
  const why = textOf(data.why);
  const exit = numberOf(data.exitCode);
  const signal = textOf(data.signal);
  const retryIn = numberOf(data.retryInSeconds);
  const message = textOf(data.message);
  const parts = [
    why === undefined ? undefined : (whyWords[why] ?? why),
    outcome === undefined ? undefined : (outcomeWords[outcome] ?? outcome),
    exit === null || exit === 0 ? undefined : `exit code ${exit}`,
    signal === undefined ? undefined : `signal ${signal}`,
    message,
    numberOf(data.retry) === null ? undefined : `tried again${retryIn === null ? '' : ` in ${Math.round(retryIn)} s`}`,
  ].filter((part) => part !== undefined && part !== '');
  const text = [...new Set(parts)].join('; ');
  if (text === '') return null;
  // A message begins with a code, a path or a name; a capital letter would make another of it.
  return parts[0] === message ? text : sentence(text);
}

/** A key or a user is a person or a service of the tenant; a bare word is a part of Solyx. */
export function causeOf(who: unknown): Cause {
  if (typeof who !== 'string' || who === '') return { kind: 'unknown' };
  return /^[a-z]+_[0-9a-z-]{8,}$/.test(who) ? { kind: 'person', id: who } : { kind: 'solyx', part: who };
}

const numberOf = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;
const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
