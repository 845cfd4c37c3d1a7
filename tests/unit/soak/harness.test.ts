import { describe, expect, it } from 'vitest';
import { runSoak, type Soak } from '../../../soak/harness.ts';

const context = { seed: 4, minutes: 0.01, progress: () => {} };
const soak = (run: Soak['run']): Soak => ({ name: 'demo', question: '?', defaultMinutes: 1, run });

describe('a soak', () => {
  it('is well when no invariant broke, and reports its counts and its seed', async () => {
    const report = await runSoak(
      soak(async () => ({ counts: { kills: 3 }, broken: [] })),
      context,
    );
    expect(report).toMatchObject({ name: 'demo', seed: 4, ok: true, counts: { kills: 3 } });
  });

  it('is not well when one broke, or when it fell over itself', async () => {
    const broken = await runSoak(
      soak(async () => ({ counts: {}, broken: ['one job ran twice'] })),
      context,
    );
    expect(broken.ok).toBe(false);
    const crashed = await runSoak(
      soak(async () => {
        throw new Error('no database');
      }),
      context,
    );
    expect(crashed.ok).toBe(false);
    expect(crashed.broken[0]).toContain('the soak itself failed: Error: no database');
  });
});
