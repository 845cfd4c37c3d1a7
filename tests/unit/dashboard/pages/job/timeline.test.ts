import { describe, expect, it } from 'vitest';
import { buildTimeline, causeOf, phaseSeconds } from '../../../../../dashboard/src/pages/job/timeline/timeline.ts';

let nextId = 0;
const event = (kind: string, second: number, data: Record<string, unknown>) => {
  nextId += 1;
  const at = new Date(Date.UTC(2026, 10, 22) + second * 1000).toISOString();
  return { id: String(nextId), at, kind, subject: 'job_1', revision: String(nextId), data };
};
const key = 'key_019a0000000000000000000000';
const life = [
  event('job.queued', 0, { from: null, to: 'queued', who: key }),
  event('job.starting', 2, { from: 'queued', to: 'starting', number: 1, who: 'scheduler' }),
  event('attempt.starting', 2.5, { from: 'placed', to: 'starting', number: 1, who: 'orchestrator' }),
  event('attempt.running', 3, { from: 'starting', to: 'running', number: 1, who: 'orchestrator' }),
  event('job.running', 3, { from: 'starting', to: 'running', number: 1, who: 'orchestrator' }),
  event('attempt.ended', 60, { to: 'ended', number: 1, who: 'orchestrator', outcome: 'out-of-memory', exitCode: 137 }),
  event('job.queued', 60, {
    from: 'running',
    to: 'queued',
    number: 1,
    who: 'orchestrator',
    outcome: 'out-of-memory',
    exitCode: 137,
    signal: 'SIGKILL',
    retry: 1,
    retryInSeconds: 4.2,
  }),
  event('job.cancelled', 61, { from: 'queued', to: 'cancelled', why: 'cancel', who: key }),
];
const job = (timeline: typeof life) => ({ submittedAt: life[0]!.at, timeline });

describe('the timeline of a job', () => {
  const { phases, cut } = buildTimeline(job(life));

  it('is its states in order, each until the next', () => {
    expect(phases.map(({ state, endedAt }) => [state, endedAt])).toEqual([
      ['queued', life[1]!.at],
      ['starting', life[4]!.at],
      ['running', life[6]!.at],
      ['queued', life[7]!.at],
      ['cancelled', null],
    ]);
    expect(phases.map((phase) => phaseSeconds(phase, 0))).toEqual([2, 1, 57, 1, null]);
    expect(cut).toBe(false);
  });

  it('says who or what caused each', () => {
    expect(phases.map(({ cause }) => cause)).toEqual([
      { kind: 'person', id: key },
      { kind: 'solyx', part: 'scheduler' },
      { kind: 'solyx', part: 'orchestrator' },
      { kind: 'solyx', part: 'orchestrator' },
      { kind: 'person', id: key },
    ]);
    expect(phases[4]!.detail).toBe('Cancellation was asked for');
  });

  it('says in words why an attempt was followed by another', () => {
    expect(phases[3]!.detail).toBe(
      'It used more memory than it was given; exit code 137; signal SIGKILL; tried again in 4 s',
    );
  });

  it('lists what happened to attempts under the phase in which it happened', () => {
    expect(phases[1]!.notes.map(({ title }) => title)).toEqual(['Attempt 1 starting', 'Attempt 1 running']);
    expect(phases[2]!.notes.map(({ title }) => title)).toEqual(['Attempt 1 ended']);
  });

  it('lets a phase without an end last until now', () => {
    const { phases: open } = buildTimeline(job(life.slice(0, 5)));
    expect(phaseSeconds(open.at(-1)!, Date.parse(life[4]!.at) + 9_000)).toBe(9);
  });

  it('says when the beginning is missing', () => {
    const rest = buildTimeline(job(life.slice(2)));
    expect(rest.cut).toBe(true);
    expect(rest.phases[0]!.notes[0]!.title).toBe('Attempt 1 starting');
    expect(buildTimeline(job([])).phases).toEqual([]);
  });

  it('shows what was said as it was said', () => {
    const said = (data: Record<string, unknown>) =>
      buildTimeline(job([event('job.failed', 1, { to: 'failed', ...data })]));
    const message = 'image_not_found: the image node-archive:/my-images/a_b.tar cannot be used';
    expect(said({ message }).phases[0]!.detail).toBe(message);
    expect(said({ message, outcome: 'start-failed' }).phases[0]!.detail).toBe(
      `The node could not start it; ${message}`,
    );
    expect(said({ message: 'my_job-2 was lost', exitCode: 1 }).phases[0]!.detail).toBe(
      'Exit code 1; my_job-2 was lost',
    );
  });

  it('shows events of later releases by their own names', () => {
    const strange = event('checkpoint.became_current', 10, { who: { deep: true }, message: 5 });
    const { phases: all } = buildTimeline(job([...life.slice(0, 5), strange]));
    expect(all.at(-1)!.notes.at(-1)).toMatchObject({
      title: 'Checkpoint became current',
      detail: null,
      cause: { kind: 'unknown' },
    });
  });
});

describe('a cause', () => {
  it('is a person for ids and a part of Solyx for words', () => {
    expect(causeOf('user_01hzzzzzzzzz')).toEqual({ kind: 'person', id: 'user_01hzzzzzzzzz' });
    expect(causeOf('scheduler')).toEqual({ kind: 'solyx', part: 'scheduler' });
    expect(causeOf(undefined)).toEqual({ kind: 'unknown' });
  });
});
