import { describe, expect, it } from 'vitest';
import { nextStep } from '../../../../src/cmo/orchestrator/reconcile.ts';
import { at, rankRow, view } from './support/model.ts';

const running = { state: 'running', started_at: at(5) } as const;
const done = (code = 0, ended = 50) =>
  ({ state: 'ended', started_at: at(5), ended_at: at(ended), reason: 'exited', exit_code: code }) as const;

describe('the next step of an attempt', () => {
  it.each([
    ['placed', 'submit', view()],
    ['placed, its job cancelled', 'end', view({ job: 'stopping', why: 'cancel' })],
    ['placed, its node lost', 'end', view({ contact: { 0: ['lost', 0] } })],
    ['starting, nothing heard for a moment', 'wait', view({ state: 'starting' }), 5],
    ['starting, nothing heard for long', 'submit', view({ state: 'starting' }), 12],
    ['starting, heard of', 'wait', view({ state: 'starting', ranks: [rankRow(0, { state: 'starting' })] }), 500],
    ['starting, all ranks run', 'running', view({ state: 'starting', ranks: [rankRow(0, running)] })],
    ['starting, its rank ran and ended meanwhile', 'running', view({ state: 'starting', ranks: [rankRow(0, done())] })],
    ['running', 'wait', view({ state: 'running', job: 'running', ranks: [rankRow(0, running)] })],
    [
      'running, its job cancelled',
      'stop',
      view({ state: 'running', job: 'stopping', why: 'cancel', ranks: [rankRow(0, running)] }),
    ],
    ['running, one rank failed', 'stop', view({ state: 'running', ranks: [rankRow(0, done(1)), rankRow(1, running)] })],
    [
      'running, one rank succeeded',
      'wait',
      view({ state: 'running', ranks: [rankRow(0, done()), rankRow(1, running)] }),
    ],
    [
      'stopping, not yet obeyed',
      'stop',
      view({ state: 'stopping', job: 'stopping', why: 'cancel', ranks: [rankRow(0, running)] }),
    ],
    [
      'running, its node lost',
      'unknown',
      view({ state: 'running', ranks: [rankRow(0, running)], contact: { 0: ['lost', 90] } }),
    ],
    [
      'unknown, its node still lost',
      'wait',
      view({ state: 'unknown', ranks: [rankRow(0, running)], contact: { 0: ['lost', 90] } }),
    ],
    ['unknown, its node back', 'recover', view({ state: 'unknown', ranks: [rankRow(0, running)] })],
    [
      'unknown, its node powered off',
      'end',
      view({ state: 'unknown', ranks: [rankRow(0, running)], contact: { 0: ['removed', 90] } }),
    ],
    [
      'unknown, all ranks reported their end',
      'end',
      view({ state: 'unknown', ranks: [rankRow(0, done())], contact: { 0: ['lost', 90] } }),
    ],
  ] as [string, string, ReturnType<typeof view>, number?][])('%s: %s', (_case, kind, seen, now = 100) => {
    expect(nextStep(seen, at(now)).kind).toBe(kind);
  });

  it('submits again in ever longer pauses, and not beyond five minutes', () => {
    const pause = (now: number) => {
      const step = nextStep(view({ state: 'starting' }), at(now));
      return step.kind === 'submit' ? (step.until.getTime() - at(now).getTime()) / 1000 : step.kind;
    };
    expect([11, 21, 101, 1001].map(pause)).toEqual([10, 20, 100, 300]);
  });

  it('asks for a stop again that had no effect', () => {
    const seen = view({ state: 'stopping', job: 'stopping', why: 'cancel', ranks: [rankRow(0, running)] });
    expect(nextStep(seen, at(100))).toEqual({ kind: 'stop', why: 'cancel', until: at(130) });
  });

  it('stops the reachable ranks of a gang although another is silent', () => {
    const seen = view({
      state: 'unknown',
      job: 'stopping',
      why: 'cancel',
      ranks: [rankRow(0, running), rankRow(1, running)],
      contact: { 1: ['lost', 50] },
    });
    expect(nextStep(seen, at(100))).toMatchObject({ kind: 'stop', why: 'cancel' });
  });
});

describe('contact that was lost', () => {
  const lost = (over: Parameters<typeof view>[0] = {}) =>
    view({ state: 'unknown', ranks: [rankRow(0, running)], contact: { 0: ['lost', 90] }, ...over });

  it('makes an attempt lost stopAfter + 30 s after the last acknowledged heartbeat, and not a millisecond before', () => {
    expect(nextStep(lost(), new Date(at(720).getTime() - 1))).toEqual({ kind: 'wait', until: at(720) });
    expect(nextStep(lost(), at(720))).toMatchObject({
      kind: 'end',
      presumed: true,
      end: { outcome: 'node-lost', at: at(90), unproved: [{ rank: 0, at: at(90) }] },
    });
  });

  it('counts from the start of the attempt when that came later', () => {
    for (const heard of [null, 0]) {
      expect(nextStep(lost({ contact: { 0: ['lost', heard] } }), at(100))).toEqual({ kind: 'wait', until: at(631) });
    }
  });

  it.each([
    ['the job says keep', { onDisconnect: 'keep' as const }],
    ['the backend cannot end work by itself', { selfFencing: false }],
  ])('never makes an attempt lost when %s, unless the node was powered off', (_case, over) => {
    expect(nextStep(lost(over), at(1e9))).toEqual({ kind: 'wait', until: null });
    expect(nextStep(lost({ ...over, contact: { 0: ['removed', 90] } }), at(100)).kind).toBe('end');
  });

  it('of a node that nobody knows is not proof of anything', () => {
    const seen = { ...lost(), contact: new Map() };
    expect(nextStep(seen, at(100)).kind).toBe('wait');
  });
});

describe('the outcome of a gang', () => {
  const outcome = (...ranks: Parameters<typeof rankRow>[1][]) => {
    const step = nextStep(view({ state: 'running', ranks: ranks.map((over, index) => rankRow(index, over)) }), at(100));
    return step.kind === 'end' ? step.end : step;
  };
  const stopped = { ...done(), reason: 'stopped', exit_code: null, ended_at: at(40) } as const;

  it('is success when every rank succeeded', () => {
    expect(outcome(done(), done())).toMatchObject({ outcome: 'succeeded', exitCode: 0, startedAt: at(5) });
  });

  it('is that of the rank that failed first by its own time, whatever its number', () => {
    expect(outcome({ ...done(2, 60) }, { ...done(3, 50), message: 'boom' })).toMatchObject({
      outcome: 'failed',
      exitCode: 3,
      message: 'rank 1: boom',
    });
  });

  it('is not that of a rank that was only stopped because of it', () => {
    expect(outcome(stopped, { ...done(), reason: 'out-of-memory', exit_code: null })).toMatchObject({
      outcome: 'out-of-memory',
    });
  });

  it('is a failed start that is not tried again when a node said that none will end otherwise', () => {
    const failed = { state: 'ended', ended_at: at(9), message: 'image_not_found: none' } as const;
    const end = outcome(done(0, 30), { ...failed, reason: 'cannot-start' });
    expect(end).toMatchObject({ outcome: 'start-failed', permanent: true, message: 'rank 1: image_not_found: none' });
    expect(outcome({ ...failed, reason: 'start-failed' })).toMatchObject({ outcome: 'start-failed', permanent: false });
  });

  it('is a failed start when nobody asked for the stop of a rank that never started', () => {
    expect(outcome({ state: 'ended', ended_at: at(9), reason: 'never-started' })).toMatchObject({
      outcome: 'start-failed',
      startedAt: null,
    });
  });
});
