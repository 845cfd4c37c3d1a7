/** A soak that cannot fail proves nothing: each invariant is broken once, on a record that is otherwise whole. */
import { describe, expect, it } from 'vitest';
import { findBroken } from '../../../../soak/crash/invariants.ts';
import { type JobKind, planJob } from '../../../../soak/crash/jobs.ts';
import type { Submission } from '../../../../soak/crash/load.ts';
import type { AttemptRecord, IntervalRecord, Observed, RankLog } from '../../../../soak/crash/observed.ts';
import { randomOf } from '../../../../soak/crash/random.ts';

const at = (ms: number) => new Date(1_000_000 + ms);

const submissionOf = (kind: JobKind, more: Partial<Submission> = {}): Submission => ({
  index: 0,
  plan: planJob(0, randomOf(1, 'test'), kind, null),
  acknowledged: 'job_a',
  sent: 1,
  givenUp: false,
  cancelled: false,
  ...more,
});

const attempt = (number: number, outcome: string, more: Partial<AttemptRecord> = {}): AttemptRecord => ({
  id: `att_${number}`,
  job_id: 'job_a',
  number,
  token: BigInt(number),
  state: 'ended',
  outcome,
  running_at: null,
  message: null,
  ...more,
});

const interval = (number: number, startMs: number, endMs: number | null): IntervalRecord => ({
  job_id: 'job_a',
  attempt_id: `att_${number}`,
  rank: 0,
  started_at: at(startMs),
  ended_at: endMs === null ? null : at(endMs),
});

/** A log whose lines say `words` ("start", "saved 3", …), a second apart from `startMs` on. */
function log(number: number, startMs: number, words: readonly string[], more: Partial<RankLog> = {}): RankLog {
  const said = words.map((text, index) => {
    const [word = '', detail = '0'] = text.split(' ');
    return { number: index, word, detail, atMs: at(startMs + index * 1000).getTime() };
  });
  const numbers = said.map(({ number: line }) => line);
  return { attemptId: `att_${number}`, rank: 0, said, numbers, complete: true, strange: [], ...more };
}

/** One job of one attempt that ran two seconds and succeeded. */
function whole(more: Partial<Observed> = {}): Observed {
  const attempts = more.attempts ?? [attempt(1, 'succeeded')];
  const intervals = more.intervals ?? [interval(1, 0, 2000)];
  const ms = intervals.reduce(
    (sum, { started_at, ended_at }) => sum + Number(ended_at ?? started_at) - Number(started_at),
    0,
  );
  const told = { state: 'succeeded', attempts: attempts.length, open: false, runSeconds: ms / 1000 };
  return {
    jobs: [
      {
        id: 'job_a',
        label: '0',
        state: 'succeeded',
        attempt_count: attempts.length,
        final_events: 1,
        ended_events: attempts.length,
        array_index: null,
      },
    ],
    attempts,
    ranks: attempts.map(({ id }) => ({ attempt_id: id, rank: 0, reason: 'exited' })),
    intervals,
    logs: [log(1, 0, ['start', 'step', 'end'])],
    held: [],
    told: new Map([
      ['job_a', told],
      ['job_b', told],
    ]),
    ...more,
  };
}

const job = whole().jobs[0]!;
const twice = [attempt(1, 'node-lost'), attempt(2, 'succeeded')];
const twiceRan = {
  attempts: twice,
  intervals: [interval(1, 0, 1000), interval(2, 3000, 5000)],
  logs: [log(1, 0, ['start', 'step']), log(2, 3000, ['start', 'step', 'end'])],
};

describe('the invariants of the crash soak', () => {
  it('hold for a job that ran once, and for one that ran again after its node was lost', () => {
    expect(findBroken([submissionOf('sleep')], whole())).toEqual([]);
    expect(findBroken([submissionOf('sleep')], whole(twiceRan))).toEqual([]);
    expect(findBroken([submissionOf('boxed')], whole({ intervals: [interval(1, 0, 3_900)] }))).toEqual([]);
  });

  it.each<[string, Partial<Observed>, RegExp]>([
    ['a job that did not end', { jobs: [{ ...job, state: 'running', final_events: 0 }] }, /did not end/],
    ['a job that ended twice', { jobs: [{ ...job, final_events: 2 }] }, /2 final events/],
    ['a job that was lost', { jobs: [] }, /made 0 jobs instead of 1.*/],
    ['a job that was doubled', { jobs: [job, { ...job, id: 'job_b' }] }, /made 2 jobs/],
    ['an API that tells otherwise', { told: new Map() }, /the API does not know it/],
    ['capacity that is held', { held: ['node n: cpu 200'] }, /still held: node n/],
    ['an attempt that did not end', { attempts: [attempt(1, 'succeeded', { state: 'running' })] }, /did not end/],
    ['an attempt that was skipped', { attempts: [attempt(2, 'succeeded')] }, /counts 1 attempts and has 2/],
    ['two intervals', { intervals: [interval(1, 0, 2000), interval(1, 0, 2000)] }, /2 usage intervals/],
    ['an open interval', { intervals: [interval(1, 0, null)] }, /open usage interval/],
    ['a missing interval', { intervals: [] }, /has no usage/],
    ['a bill that is too long', { intervals: [interval(1, 0, 9000)] }, /billed from 0 ms to 7000 ms/],
    ['a bill for what came after the job', { intervals: [interval(1, 0, 4_100)] }, /billed from 0 ms to 2100 ms/],
    ['a bill that began too early', { intervals: [interval(1, -5000, 2000)] }, /billed from -5000 ms/],
    [
      'a lost line of the stream',
      { logs: [log(1, 0, ['start', 'step', 'end'], { numbers: [0, 2] })] },
      /line 2 where 1/,
    ],
    ['a log that breaks off', { logs: [log(1, 0, ['start', 'step', 'step'])] }, /breaks off/],
    [
      'a log that is not complete',
      { logs: [log(1, 0, ['start', 'step', 'end'], { complete: false })] },
      /never completed/,
    ],
    ['a line that no job wrote', { logs: [log(1, 0, ['start', 'step', 'end'], { strange: ['?'] })] }, /strange lines/],
    [
      'two attempts at once',
      {
        ...twiceRan,
        logs: [log(1, 0, ['start', 'step', 'step', 'step', 'step']), log(2, 3000, ['start', 'step', 'end'])],
      },
      /beside an earlier one/,
    ],
    [
      'usage that overlaps',
      { ...twiceRan, intervals: [interval(1, 0, 4000), interval(2, 3000, 5000)] },
      /overlaps by 1000 ms/,
    ],
    [
      'tokens that do not grow',
      { ...twiceRan, attempts: [twice[0]!, { ...twice[1]!, token: 1n }] },
      /tokens do not grow/,
    ],
    [
      'two attempts that succeeded',
      { ...twiceRan, attempts: [attempt(1, 'succeeded'), twice[1]!] },
      /is succeeded after/,
    ],
  ])('find %s', (_, more, words) => {
    expect(findBroken([submissionOf('sleep')], whole(more)).join('\n')).toMatch(words);
  });

  it('find a line that the job said twice', () => {
    const { said } = log(1, 0, ['start', 'step', 'end']);
    const doubled = { ...log(1, 0, []), said: [said[0]!, said[0]!, said[1]!, said[2]!], numbers: [0, 1, 2, 3] };
    expect(findBroken([submissionOf('sleep')], whole({ logs: [doubled] })).join()).toMatch(/line 0 where 1 should be/);
  });

  it('find a checkpoint that was lost', () => {
    const attempts = [attempt(1, 'failed'), attempt(2, 'succeeded')];
    const logs = [
      log(1, 0, ['start', 'resume 0', 'saved 1', 'saved 2', 'end']),
      log(2, 9000, ['start', 'resume 1', 'saved 2', 'end']),
    ];
    const intervals = [interval(1, 0, 4000), interval(2, 9000, 12_000)];
    const broken = findBroken([submissionOf('resumes')], whole({ attempts, logs, intervals }));
    expect(broken.join()).toMatch(/went on from 1; saved before were 2 to 2/);
  });

  it('find a checkpoint that no attempt had said, unless nobody could hear that attempt', () => {
    const attempts = [attempt(1, 'node-lost'), attempt(2, 'succeeded')];
    const logs = [log(1, 0, ['start', 'resume 0', 'saved 1']), log(2, 9000, ['start', 'resume 5', 'saved 6', 'end'])];
    const intervals = [interval(1, 0, 2000), interval(2, 9000, 12_000)];
    const seen = whole({ attempts, logs, intervals });
    expect(findBroken([submissionOf('resumes')], seen).join()).toMatch(/went on from 5; saved before were 0 to 1/);
    expect(findBroken([submissionOf('resumes')], seen, new Set(['att_2'])).join()).toMatch(/went on from 5/);
    expect(findBroken([submissionOf('resumes')], seen, new Set(['att_1']))).toEqual([]);
  });

  it('take an empty bill for none: right for what nobody could prove and was short, wrong for all else', () => {
    const attempts = [attempt(1, 'node-lost'), attempt(2, 'succeeded')];
    const second = log(2, 19_000, ['start', 'step', 'end']);
    const intervals = [interval(1, 3000, 3000), interval(2, 19_000, 21_000)];
    const broken = (...words: string[]) =>
      findBroken([submissionOf('sleep')], whole({ attempts, logs: [log(1, 0, words), second], intervals })).join();
    expect(broken('start', 'step')).toBe('');
    expect(broken('start', 'step', 'step', 'step', 'step', 'step')).toMatch(/attempt 1 rank 0 .*billed from 3000 ms/);
    const proved = whole({ intervals: [interval(1, 3000, 3000)] });
    expect(findBroken([submissionOf('sleep')], proved).join()).toMatch(/billed from 3000 ms/);
  });

  it('let a submit that was given up exist once or not at all', () => {
    const givenUp = submissionOf('sleep', { acknowledged: null, givenUp: true });
    expect(findBroken([givenUp], whole())).toEqual([]);
    const nothing = { jobs: [], attempts: [], ranks: [], intervals: [], logs: [] };
    expect(findBroken([givenUp], whole(nothing))).toEqual([]);
  });

  it('do not let an acknowledged cancel come to nothing', () => {
    expect(findBroken([submissionOf('cancelled', { cancelled: true })], whole()).join()).toMatch(
      /cancel was acknowledged/,
    );
  });
});
