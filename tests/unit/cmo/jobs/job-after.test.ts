import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jobAfter, retryPause } from '../../../../src/cmo/jobs/index.ts';
import { attemptOutcomes } from '../../../../src/common/contract/states/attempt.ts';
import { canJobBecome, stopReasons } from '../../../../src/common/contract/states/job.ts';

const retries = { failed: 1, 'out-of-memory': 0, 'timed-out': 0, 'start-failed': 3, 'node-lost': 5 };
const job = (over: Partial<Parameters<typeof jobAfter>[0]> = {}) => ({
  state: 'running' as const,
  stop_reason: null,
  retries_used: {},
  spec: { retries },
  ...over,
});

describe('the pause before a retry', () => {
  it('doubles from a second up to five minutes', () => {
    expect([0, 1, 2, 3, 8, 9, 20, 100].map((used) => retryPause(used, 0.5))).toEqual([1, 2, 4, 8, 256, 300, 300, 300]);
  });

  it('varies by a quarter either way, and is never zero', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.double({ min: 0, max: 1, noNaN: true }), (used, random) => {
        const middle = retryPause(used, 0.5);
        const pause = retryPause(used, random);
        expect(pause).toBeGreaterThanOrEqual(0.75 * middle);
        expect(pause).toBeLessThanOrEqual(1.25 * middle);
        expect(pause).toBeGreaterThan(0);
      }),
    );
  });
});

describe('a job whose attempt ended', () => {
  it.each([
    ['succeeded', 'succeeded', null],
    ['failed', 'queued', 'failed'],
    ['out-of-memory', 'failed', null],
    ['start-failed', 'queued', 'start-failed'],
    ['node-lost', 'queued', 'node-lost'],
  ] as const)('as %s becomes %s', (outcome, to, retry) => {
    expect(jobAfter(job(), outcome)).toEqual({ to, retry });
  });

  it('fails at once when no further attempt can end otherwise, but for what it was told to become', () => {
    expect(jobAfter(job(), 'start-failed', true)).toEqual({ to: 'failed', retry: null });
    const stopping = job({ state: 'stopping', stop_reason: 'preempt' });
    expect(jobAfter(stopping, 'start-failed', true)).toEqual({ to: 'queued', retry: null });
  });

  it('fails when the retries of that reason are used up, whatever others are left', () => {
    expect(jobAfter(job({ retries_used: { failed: 1 } }), 'failed')).toEqual({ to: 'failed', retry: null });
    expect(jobAfter(job({ retries_used: { failed: 1 } }), 'node-lost')).toEqual({ to: 'queued', retry: 'node-lost' });
  });

  it.each([
    ['cancel', 'cancelled'],
    ['suspend', 'suspended'],
    ['preempt', 'queued'],
    ['move', 'queued'],
    ['shed', 'queued'],
  ] as const)(
    'while it was told to stop (%s) becomes %s, however its process ended, unless it succeeded',
    (why, to) => {
      const stopping = job({ state: 'stopping', stop_reason: why });
      for (const outcome of attemptOutcomes) {
        const expected = outcome === 'succeeded' ? 'succeeded' : to;
        expect(jobAfter(stopping, outcome), outcome).toEqual({ to: expected, retry: null });
      }
    },
  );

  it('never takes a transition that the table does not have', () => {
    const states = fc.constantFrom('starting' as const, 'running' as const, 'stopping' as const);
    fc.assert(
      fc.property(
        states,
        fc.constantFrom(...stopReasons),
        fc.constantFrom(...attemptOutcomes),
        (state, why, outcome) => {
          const stop_reason = state === 'stopping' ? why : null;
          expect(canJobBecome(state, jobAfter(job({ state, stop_reason }), outcome).to)).toBe(true);
        },
      ),
    );
  });
});
