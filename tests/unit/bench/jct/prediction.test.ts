import { expect, it } from 'vitest';
import { predictionCases } from '../../../../bench/jct/prediction.ts';
import type { SimJob } from '../../../../bench/jct/sim-job.ts';

/** Jobs that start at once and overlap none of their user's. */
const played = (runs: readonly { user: string; seconds: number; estimate: number | null }[]): SimJob[] =>
  runs.map(({ user, seconds, estimate }, index) => ({
    id: `${index}`,
    index,
    user,
    name: '',
    size: 1,
    submittedAt: 10_000 * index,
    startedAt: 10_000 * index,
    runSeconds: seconds,
    endedAt: 10_000 * index + seconds,
    estimateSeconds: estimate,
    held: [],
  }));
const figures = (jobs: readonly SimJob[]) => {
  const [accuracy, within] = predictionCases('trace', jobs);
  return { accuracy: accuracy!, within: within! };
};

it('scores predictions beside those of the last two runs, of users and of who knows', () => {
  // Users ask for ten times what they need.
  const { accuracy, within } = figures(
    played(
      Array.from({ length: 400 }, (_, i) => ({
        user: i % 2 === 0 ? 'a' : 'b',
        seconds: i % 2 === 0 ? 100 : 2000,
        estimate: i % 2 === 0 ? 1000 : 20_000,
      })),
    ),
  );
  expect(accuracy.peers.oracle).toBe(100);
  expect(accuracy.peers['user estimates']).toBeCloseTo(10);
  // Both users' first jobs have nothing but their estimates.
  expect(accuracy.peers['last-two']).toBeCloseTo((398 * 100 + 2 * 10) / 400);
  expect(accuracy.ours).toBeGreaterThan(75);
  expect(accuracy.ours).toBeLessThan(100);
  expect(within.peers).toMatchObject({ 'last-two': 100, 'user estimates': 100, oracle: 100 });
  expect(within.ours).toBeGreaterThan(85);
});

it('knows no run before it has ended', () => {
  const [first, second] = played(Array.from({ length: 2 }, () => ({ user: 'a', seconds: 500, estimate: 5000 })));
  const together = [first!, { ...second!, submittedAt: 100, startedAt: 100, endedAt: 600 }];
  expect(figures(together).accuracy.peers['last-two']).toBeCloseTo(10);
  expect(figures([first!, second!]).accuracy.peers['last-two']).toBeCloseTo(55);
});

it('gives nothing to who says nothing', () => {
  const { accuracy } = figures(played(Array.from({ length: 4 }, () => ({ user: 'a', seconds: 500, estimate: null }))));
  expect(accuracy.peers).toEqual({ 'last-two': 75, oracle: 100 });
  expect(accuracy.ours).toBeLessThanOrEqual(75);
});
