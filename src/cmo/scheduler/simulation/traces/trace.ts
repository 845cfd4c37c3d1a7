/** Reads a trace in any of the known formats; which one it is follows from its content when nobody says. */
import type { TraceUnit } from '../workload.ts';
import { readItp } from './itp.ts';
import { readOpenb } from './openb.ts';
import { readPhilly } from './philly.ts';
import { readSwf } from './swf.ts';
import { TraceError } from './trace-error.ts';
import type { TraceJob } from './trace-job.ts';

export const traceFormats = ['swf', 'philly', 'itp', 'openb'] as const;
export type TraceFormat = (typeof traceFormats)[number];

export interface Trace {
  readonly format: TraceFormat;
  readonly unit: TraceUnit;
  readonly jobs: readonly TraceJob[];
  /** Jobs that the trace has but that never ran. */
  readonly neverRan: number;
  /** Broken lines that were left out because that was asked for. */
  readonly leftOut: readonly TraceError[];
}

export interface TraceOptions {
  /** Undefined: told by the content. */
  readonly format?: TraceFormat | undefined;
  /** Lines that make no sense are left out and named, instead of refusing the file; SWF only, whose archives have some. */
  readonly leaveOutBroken?: boolean | undefined;
  /** Sorts a trace whose lines stand in another order than that of time; Philly only, which lists one cluster after another. */
  readonly sort?: boolean | undefined;
}

/** @throws TraceError naming the line */
export function readTrace(text: string, { format, leaveOutBroken = false, sort = false }: TraceOptions = {}): Trace {
  const known = format ?? formatOf(text);
  const whole = { neverRan: 0, leftOut: [] };
  switch (known) {
    case 'swf': {
      const trace = readSwf(text, { broken: leaveOutBroken ? 'leave-out' : 'refuse' });
      return { format: known, unit: 'core', ...trace };
    }
    case 'philly':
      return { format: known, unit: 'device', jobs: readPhilly(text, { sort }), ...whole };
    case 'itp':
      return { format: known, unit: 'device', jobs: readItp(text), ...whole };
    case 'openb':
      return { format: known, unit: 'device', jobs: readOpenb(text), ...whole };
  }
}

function formatOf(text: string): TraceFormat {
  const first = text.slice(0, 1000).split('\n')[0]!.trim();
  if (first.startsWith(';') || /^-?\d+(\s+-?[\d.]+){17}/.test(first)) return 'swf';
  const columns = new Set(first.split(',').map((name) => name.trim()));
  if (columns.has('gpu_milli')) return 'openb';
  if (columns.has('submission_time')) return 'itp';
  if (columns.has('timestamp')) return 'philly';
  throw new TraceError(
    1,
    `this is no trace that is known: an SWF file begins with ";" or has 18 numbers a line, CSV names its columns (${first.slice(0, 80)})`,
  );
}
