/**
 * A state as word, shape and colour together, so that none of them has to be told alone (look.md).
 *
 * The shapes differ in outline, not only in fill: they stay apart in grey and for the colour-blind.
 */
import type { ReactNode } from 'react';
import type { JobState } from '../api/contract.ts';
import classes from './state-mark.module.css';

/** What a state means to a person; each has a colour and a shape. */
export type Tone = 'running' | 'succeeded' | 'waiting' | 'stopping' | 'failed' | 'cancelled' | 'paused' | 'unknown';

const shapes: Readonly<Record<Tone, ReactNode>> = {
  running: <path d="M3 1.5v9l8-4.5z" fill="currentColor" />,
  succeeded: <path d="M1.5 6.5l3 3 6-7" fill="none" stroke="currentColor" strokeWidth="2" />,
  waiting: <circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" strokeWidth="2" />,
  stopping: <rect x="2" y="2" width="8" height="8" fill="currentColor" />,
  failed: <path d="M2 2l8 8M10 2l-8 8" fill="none" stroke="currentColor" strokeWidth="2" />,
  cancelled: (
    <>
      <circle cx="6" cy="6" r="4.5" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <path d="M3 9l6-6" stroke="currentColor" strokeWidth="1.5" />
    </>
  ),
  paused: <path d="M3.5 1.5v9M8.5 1.5v9" fill="none" stroke="currentColor" strokeWidth="2.5" />,
  unknown: (
    <>
      <path d="M6 .7L11.3 6 6 11.3.7 6z" fill="none" stroke="currentColor" strokeWidth="1.2" />
      <path d="M3 6l3-3M4.5 7.5l3-3M6 9l3-3" stroke="currentColor" strokeWidth="1" />
    </>
  ),
};

/** Tone of each state of a job. */
export const jobTones: Readonly<Record<JobState, Tone>> = {
  queued: 'waiting',
  starting: 'running',
  running: 'running',
  stopping: 'stopping',
  suspended: 'paused',
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'cancelled',
};

export function StateMark({ tone, children, title }: { tone: Tone; children: ReactNode; title?: string | undefined }) {
  return (
    <span className={classes.mark} title={title} data-tone={tone}>
      <svg className={classes.shape} viewBox="0 0 12 12" aria-hidden="true" style={{ color: `var(--state-${tone})` }}>
        {shapes[tone]}
      </svg>
      <span style={{ color: `var(--state-${tone}-text)` }}>{children}</span>
    </span>
  );
}

/** State of a job. A job whose node is silent keeps its state, and the mark says so. */
export function JobStateMark({ job }: { readonly job: { state: JobState; contactLostSince: string | null } }) {
  if (job.contactLostSince !== null) {
    return (
      <StateMark tone="unknown" title={`No contact since ${job.contactLostSince}; last known state: ${job.state}`}>
        {job.state}, no contact
      </StateMark>
    );
  }
  return <StateMark tone={jobTones[job.state]}>{job.state}</StateMark>;
}
