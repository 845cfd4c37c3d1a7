import { describe, expect, it } from 'vitest';
import { readItp } from '../../../../../src/cmo/scheduler/simulation/traces/itp.ts';
import { readPhilly } from '../../../../../src/cmo/scheduler/simulation/traces/philly.ts';
import { readSwf } from '../../../../../src/cmo/scheduler/simulation/traces/swf.ts';
import { TraceError } from '../../../../../src/cmo/scheduler/simulation/traces/trace-error.ts';

/** Job 7: submitted at 100, waited 5, ran 60 on 4 of 4 processors, asked for 90 s, user 3. */
const swfLine = (changes: Record<number, string | number> = {}) => {
  const fields: (string | number)[] = [7, 100, 5, 60, 4, -1, -1, 4, 90, -1, 1, 3, 1, -1, -1, 1, -1, -1];
  for (const [field, value] of Object.entries(changes)) fields[Number(field) - 1] = value;
  return fields.join(' ');
};

function refusal(read: () => unknown): { line: number; message: string } {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(TraceError);
    return error as TraceError;
  }
  throw new Error('it was not refused');
}

describe('the SWF reader', () => {
  it('reads jobs past comments and blank lines', () => {
    const { jobs, neverRan } = readSwf(`; Version: 2.2\n\n${swfLine()}\n`);
    expect(neverRan).toBe(0);
    expect(jobs).toEqual([
      { id: '7', submittedAt: 100, runSeconds: 60, size: 4, estimateSeconds: 90, user: '3', name: '' },
    ]);
  });

  it('takes what is not recorded for unknown, and requested processors where none were recorded', () => {
    const [job] = readSwf(swfLine({ 5: -1, 8: 16, 9: -1, 12: -1 })).jobs;
    expect(job).toMatchObject({ size: 16, estimateSeconds: null, user: '' });
  });

  it('names the kind of a job by executable, queue and properties, not by the nodes it ran on', () => {
    const line = (nodes: string) => `${swfLine({ 14: 5, 15: 2 })} {${nodes}} q_2h 1:ppn=4`;
    const [first, second] = [readSwf(line('1,2')).jobs[0], readSwf(line('8,9')).jobs[0]];
    expect(first!.name).toBe('5/2/q_2h/1:ppn=4');
    expect(second!.name).toBe(first!.name);
  });

  it('counts jobs that never ran', () => {
    const trace = readSwf([swfLine({ 4: -1 }), swfLine({ 5: 0 }), swfLine()].join('\n'));
    expect(trace).toMatchObject({ neverRan: 2, leftOut: [] });
    expect(trace.jobs).toHaveLength(1);
  });

  it.each([
    ['a missing field', '1 2 3', 'of 18 fields'],
    ['a negative run time', swfLine({ 4: -1359980917 }), 'run time'],
    ['negative processors', swfLine({ 5: -4 }), 'processors'],
    ['a negative estimate', swfLine({ 9: -90 }), 'requested time'],
    ['text for a number', swfLine({ 4: 'sixty' }), 'no number'],
    ['not a number', swfLine({ 4: 'NaN' }), 'no number'],
    ['an unknown submission', swfLine({ 2: -1 }), 'submit time'],
    ['a submission before the one above', swfLine({ 2: 99 }), 'before the job above'],
  ])('refuses %s with its line', (_, line, problem) => {
    const { line: at, message } = refusal(() => readSwf(`; comment\n${swfLine()}\n${line}`));
    expect(at).toBe(3);
    expect(message).toContain(problem);
  });

  it('leaves broken lines out and tells which, only when asked to', () => {
    const text = [swfLine(), swfLine({ 4: -5 }), swfLine({ 2: 50 }), swfLine({ 2: 120 })].join('\n');
    const trace = readSwf(text, { broken: 'leave-out' });
    expect(trace.jobs.map((job) => job.submittedAt)).toEqual([100, 120]);
    expect(trace.leftOut.map((error) => error.line)).toEqual([2, 3]);
  });
});

describe('the ITP reader', () => {
  const header = 'job_id,submission_time,duration,num_gpu';

  it('reads jobs by column name, in any order of columns and with either line ending', () => {
    expect(readItp('num_gpu,job_id,duration,submission_time\r\n8,a,30,5\r\n')).toEqual([
      { id: 'a', submittedAt: 5, runSeconds: 30, size: 8, estimateSeconds: null, user: '', name: '' },
    ]);
  });

  it('refuses a missing column, naming it and those there are', () => {
    const { line, message } = refusal(() => readItp('job_id,submission_time,num_gpu\na,1,1'));
    expect(line).toBe(1);
    expect(message).toMatch(/"duration" is missing.*num_gpu/);
  });

  it.each([
    ['a negative duration', 'b,6,-1,1', 'duration'],
    ['a missing value', 'b,6,,1', 'missing'],
    ['a missing field', 'b,6,1', '3 fields'],
    ['a fraction of a GPU', 'b,6,1,0.5', 'whole number'],
    ['no GPU', 'b,6,1,0', 'whole number'],
    ['an infinite duration', 'b,6,Infinity,1', 'no number'],
    ['a submission out of order', 'b,4,1,1', 'before the job above'],
  ])('refuses %s with its line', (_, row, problem) => {
    const { line, message } = refusal(() => readItp(`${header}\na,5,30,8\n${row}\n`));
    expect(line).toBe(3);
    expect(message).toContain(problem);
  });

  it('reads an empty trace as no jobs', () => {
    expect(readItp(`${header}\n`)).toEqual([]);
    expect(refusal(() => readItp('')).line).toBe(1);
  });
});

describe('the Philly reader', () => {
  const header = 'timestamp,duration,num_gpus,gpu_time,cluster';
  const early = '2017-10-09 06:13:03,2951.0,1,2951.0,a';
  const late = '2017-10-09 07:01:55,66.0,2,132.0,b';

  it('reads instants as UTC and the virtual cluster as the name', () => {
    const [first, second] = readPhilly([header, early, late].join('\n'));
    expect(first).toMatchObject({ submittedAt: Date.UTC(2017, 9, 9, 6, 13, 3) / 1000, runSeconds: 2951, name: 'a' });
    expect(second).toMatchObject({ size: 2, name: 'b' });
  });

  it('refuses unsorted lines, and sorts when asked to', () => {
    const text = [header, late, early].join('\n');
    expect(refusal(() => readPhilly(text)).line).toBe(3);
    expect(readPhilly(text, { sort: true }).map((job) => job.name)).toEqual(['a', 'b']);
  });

  it.each(['yesterday', '', '2017-13-40 00:00:00'])('refuses the timestamp %j', (timestamp) => {
    const { line, message } = refusal(() => readPhilly([header, late.replace(/^[^,]*/, timestamp)].join('\n')));
    expect(line).toBe(2);
    expect(message).toContain('timestamp');
  });
});
