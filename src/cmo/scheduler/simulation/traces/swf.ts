/**
 * Reads the Standard Workload Format (Feitelson, parallel workloads archive): 18 numbers a line, `;` starts a comment.
 * Some traces append a queue and properties after field 18; with field 15 (queue) they name the kind of job.
 *
 * In the format −1 means "not recorded". Jobs without run time or processors never ran (cancelled in the queue) and are
 * left out, counted; any other negative number, or a submission out of order, is refused with its line. Archives do
 * contain single broken lines; a reader who wants the rest asks for them to be left out, and is told which.
 */
import { numberField, requireSorted, TraceError } from './trace-error.ts';
import type { TraceJob } from './trace-job.ts';

const FIELDS = 18;
const UNKNOWN = -1;

export interface Trace {
  readonly jobs: readonly TraceJob[];
  /** Jobs that the trace has but that never ran. */
  readonly neverRan: number;
  /** Broken lines that were left out, when that was asked for. */
  readonly leftOut: readonly TraceError[];
}

/** @throws TraceError for the first broken line, unless `broken` is `leave-out` */
export function readSwf(text: string, { broken = 'refuse' }: { broken?: 'refuse' | 'leave-out' } = {}): Trace {
  const jobs: TraceJob[] = [];
  const leftOut: TraceError[] = [];
  let neverRan = 0;
  let before = Number.NEGATIVE_INFINITY;
  const read = (line: number, fields: readonly string[]) => {
    if (fields.length < FIELDS) throw new TraceError(line, `${fields.length} of ${FIELDS} fields`);
    const known = (at: number, name: string): number | null => {
      const value = numberField(line, name, fields[at - 1]);
      if (value === UNKNOWN) return null;
      if (value < 0) throw new TraceError(line, `${name} (field ${at}) must not be negative, but is ${value}`);
      return value;
    };
    const submittedAt = known(2, 'submit time');
    if (submittedAt === null) throw new TraceError(line, 'submit time is not recorded');
    requireSorted(line, before, submittedAt);
    before = submittedAt;
    const runSeconds = known(4, 'run time');
    const size = known(5, 'processors') ?? known(8, 'requested processors');
    if (runSeconds === null || size === null || size === 0) {
      neverRan += 1;
      return;
    }
    const estimate = known(9, 'requested time');
    const user = known(12, 'user');
    const program = known(14, 'executable');
    const queue = known(15, 'queue');
    const recorded = [program, queue].map((value) => value ?? '');
    jobs.push({
      id: fields[0]!,
      submittedAt,
      runSeconds,
      size,
      estimateSeconds: estimate === null || estimate === 0 ? null : estimate,
      user: user === null ? '' : String(user),
      // Field 19 of extended traces lists the nodes it ran on, which nobody knows before.
      name: [...recorded, ...fields.slice(19)].join('/').replace(/^\/+$/, ''),
    });
  };
  text.split('\n').forEach((content, index) => {
    const trimmed = content.trim();
    if (trimmed === '' || trimmed.startsWith(';')) return;
    try {
      read(index + 1, trimmed.split(/\s+/));
    } catch (error) {
      if (broken === 'refuse' || !(error instanceof TraceError)) throw error;
      leftOut.push(error);
    }
  });
  return { jobs, neverRan, leftOut };
}
