import { describe, expect, it } from 'vitest';
import type { ExpectedRunTime } from '../../../../src/cmo/scheduler/core/backfill/run-class.ts';
import type { JobTraits } from '../../../../src/cmo/scheduler/job-traits.ts';
import { RoundEngine, type RoundRecord } from '../../../../src/cmo/scheduler/worker/round-engine.ts';
import { RunTimes } from '../../../../src/cmo/scheduler/worker/run-times.ts';
import { devices, job, node, now, policy, site } from './support/builders.ts';

const traits = (more: Partial<JobTraits> = {}): JobTraits => ({
  user: 'u',
  name: 'n',
  size: 1,
  runSeconds: null,
  ...more,
});
const hour = 3_600_000;

/** Has seen jobs of others: half of them short, half very long. */
function taught(): RunTimes {
  const times = new RunTimes();
  times.remember(
    Array.from({ length: 60 }, (_, i) => ({
      traits: traits({ user: `u${i % 6}`, name: `n${i % 7}` }),
      startedAt: now - 40 * hour + i * 1000,
      endedAt: now - 40 * hour + i * 1000 + (i % 2 === 0 ? 20_000 : 30 * hour),
    })),
  );
  return times;
}
const burst = (times: RunTimes, count: number) =>
  Array.from({ length: count }, (_, i) => times.queued(`job_${i}`, traits(), now + i * 1000, now + i * 1000)!);
const told = (times: RunTimes, at: number): Map<string, ExpectedRunTime | undefined> => new Map(times.takeMoved(at));

describe('jobs of a burst that wait', () => {
  it('share one object of what is known of them, however many rows they came from', () => {
    const times = taught();
    burst(times, 3);
    expect(times.traitsOf('job_0')).toEqual(traits());
    expect(times.traitsOf('job_2')).toBe(times.traitsOf('job_0'));
    times.left('job_2');
    expect(times.traitsOf('job_2')).toBeUndefined();
  });

  it('are expected to run alike, and as their siblings did as soon as these have ended', () => {
    const times = taught();
    const [first] = burst(times, 20);
    expect(first!.meanSeconds).toBeGreaterThan(3600);
    for (let i = 0; i < 3; i += 1) {
      times.started(`job_${i}`, traits(), now + 30_000, now + 30_000);
      times.ended(`job_${i}`, now + 42_000, true);
    }
    const moved = told(times, now + 42_000);
    expect([...moved.keys()].sort()).toEqual(Array.from({ length: 17 }, (_, i) => `job_${i + 3}`).sort());
    expect(moved.get('job_9')!.meanSeconds).toBeLessThan(first!.meanSeconds! / 4);
    expect(told(times, now + 42_001).size).toBe(0);
  });

  it('have a probe, which is another once it has gone, and none when one has run', () => {
    const times = taught();
    const [first] = burst(times, 30);
    const moved = [...told(times, now + 30_000)];
    expect(moved.map(([id]) => id)).toEqual(['job_0']);
    expect(moved[0]![1]!.turnSeconds).toBeLessThan(first!.meanSeconds! / 4);
    times.left('job_0');
    expect([...told(times, now + 30_001).keys()]).toEqual(['job_1']);
    times.started('job_5', traits(), now + 640_000, now + 640_000);
    expect(told(times, now + 640_000).get('job_1')).toMatchObject({ likelySeconds: expect.any(Number) });
    expect(told(times, now + 640_001).get('job_1')?.turnSeconds).toBeUndefined();
  });

  it('are some thousand a round at most, and the rest comes with the next', () => {
    const times = taught();
    burst(times, 6000);
    times.started('job_0', traits(), now, now);
    times.ended('job_0', now + 5000, true);
    const at = now + 6_000_000;
    const [one, two, three] = [told(times, at), told(times, at), told(times, at)];
    expect([one!.size, two!.size, three!.size]).toEqual([5000, 999, 0]);
    expect(new Set([...one!.keys(), ...two!.keys()]).size).toBe(5999);
  });

  it('are another burst when they come later', () => {
    const times = taught();
    const [first] = burst(times, 5);
    times.started('job_0', traits(), now + 5000, now + 5000);
    times.ended('job_0', now + 10_000, true);
    const late = times.queued('job_late', traits(), now + 2 * hour, now + 2 * hour)!;
    expect(late.meanSeconds).not.toBe(first!.meanSeconds);
  });
});

describe('a round', () => {
  it('lets the rest of a burst go by what its first job turned out to be', () => {
    const engine = new RoundEngine();
    const queued = (id: string, name: string) =>
      [
        id,
        {
          job: job(id, { resources: { devices: [{ count: 1 }] } }, { submittedAt: now }),
          reason: 'new',
          traits: traits({ name }),
        },
      ] as const;
    const runs = Array.from({ length: 40 }, (_, i) => ({
      traits: traits({ name: 'known' }),
      startedAt: now - 20 * hour + i,
      endedAt: now - 20 * hour + i + 600_000,
    }));
    const nodes = [['n1', node('n1', { devices: devices('n1', 1) })]] as const;
    engine.apply({ now, sites: [['s1', site()]], nodes, history: { runs, preemptedAt: [] } });
    engine.apply({ now, jobs: [queued('job_1', 'fresh'), queued('job_2', 'fresh')] as never });
    const expected: (number | undefined)[] = [];
    const look = ({ jobs }: RoundRecord) => expected.push(jobs.find(({ id }) => id === 'job_2')?.runTime?.meanSeconds);
    engine.run(policy({ order: 'least-work' }), now, look);
    expect(engine.placements(0, 9).map(({ jobId }) => jobId)).toEqual(['job_1']);
    engine.settle({ committed: ['job_1'], refused: [], unknown: [] });
    engine.apply({ now: now + 5000, running: [['job_1', null, true]] });
    engine.run(policy({ order: 'least-work' }), now + 5000, look);
    expect(expected[1]).toBeLessThan(expected[0]! / 2);
  });
});
