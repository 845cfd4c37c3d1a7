/**
 * Takes one attempt as far as it goes: asks `nextStep` and obeys until it says wait, is to be handed to its backend, or has ended. Pure;
 * what it comes to is written together with others' (`attempt-stepper.ts`).
 */
import type { IntervalEnd, IntervalStart } from '../../billing/index.ts';
import {
  type AttemptDraft,
  type AttemptEnd,
  type Decision,
  endAttempt,
  markRunning,
  markStarting,
  markStopping,
  markUnknown,
  recoverFromUnknown,
} from '../jobs/index.ts';
import { absorb } from './absorb.ts';
import type { RankObservation } from './backends/backend.ts';
import { type AttemptView, type NodeContact, nextStep, type Step } from './reconcile.ts';

/** Steps that one attempt may take in a row; more means that a rule goes in circles. */
const mostSteps = 8;

/** What lies outside of the database and is said after the commit. */
export type Word =
  | { readonly kind: 'submit' }
  | { readonly kind: 'cancel'; readonly why: string | null }
  | { readonly kind: 'none' };

export interface Course extends Decision {
  readonly word: Word;
  readonly began: readonly IntervalStart[];
  readonly ended: readonly IntervalEnd[];
  readonly steps: readonly Step['kind'][];
  /** Present when it ended because its nodes were silent for so long: looked at again before that is written. */
  readonly presumed: AttemptView | null;
}

/** What is known beside the rows. */
export interface Surroundings {
  /** What the backend says of the attempt's ranks. */
  readonly observed: readonly RankObservation[];
  readonly contact: ReadonlyMap<string, NodeContact>;
  readonly selfFencing: boolean;
  /** By the database's clock. */
  readonly now: Date;
  /** 0..1, for the jitter of retries. */
  readonly random: () => number;
}

/** @throws Error when it does not settle, or a step contradicts its state */
export function courseOf(before: AttemptDraft, surroundings: Surroundings): Course {
  const { observed, contact, selfFencing, now, random } = surroundings;
  const { ranks, began, ended } = absorb(before.attempt, before.ranks, observed, now);
  let draft: AttemptDraft = { ...before, ranks };
  const steps: Step['kind'][] = [];
  const come = (until: Date | null, word: Word): Course => ({
    ...{ before, after: draft, until, word, began, ended, steps, presumed: null },
  });
  while (steps.length < mostSteps) {
    const view: AttemptView = { ...draft, contact, selfFencing };
    const step = nextStep(view, now);
    steps.push(step.kind);
    switch (step.kind) {
      case 'wait':
        return come(step.until, { kind: 'none' });
      case 'submit':
        draft = markStarting(draft, now);
        return come(step.until, { kind: 'submit' });
      case 'stop':
        draft = markStopping(draft, step.why);
        return come(step.until, { kind: 'cancel', why: step.why });
      case 'running':
        draft = markRunning(draft, step.at);
        break;
      case 'unknown':
        draft = markUnknown(draft, now);
        break;
      case 'recover':
        draft = recoverFromUnknown(draft);
        break;
      case 'end': {
        const course = endOf({ ...come(null, { kind: 'none' }) }, step.end, now, random());
        return step.presumed ? { ...course, presumed: view } : course;
      }
    }
  }
  throw new Error(`attempt ${before.attempt.id} did not settle within ${mostSteps} steps`);
}

/** The course of an attempt whose backend refused it. */
export function refusedCourse(before: AttemptDraft, reason: string, now: Date, random: number): Course {
  const end: AttemptEnd = {
    outcome: 'start-failed',
    exitCode: null,
    signal: null,
    message: reason,
    at: now,
    startedAt: null,
    unproved: [],
  };
  const still: Course = {
    ...{ before, after: before, until: null, word: { kind: 'none' }, began: [], ended: [], steps: [], presumed: null },
  };
  return endOf(still, end, now, random);
}

/** Usage of a rank whose end nobody reported: nothing is known but when it was last seen. */
const nothingMeasured = { energyJoules: null, energySource: null, cpuSeconds: null, peakMemoryBytes: null };

function endOf(course: Course, end: AttemptEnd, now: Date, random: number): Course {
  const { attempt, ranks } = course.after;
  const closed = new Set(course.ended.map(({ rank }) => rank));
  const unmeasured = ranks
    .filter(({ rank }) => !closed.has(rank))
    .map(({ rank }) => {
      const endedAt = end.unproved.find((lost) => lost.rank === rank)?.at ?? end.at;
      return { attemptId: attempt.id, rank, endedAt, ...nothingMeasured };
    });
  return {
    ...course,
    after: endAttempt(course.after, end, now, random),
    ended: [...course.ended, ...unmeasured],
  };
}
