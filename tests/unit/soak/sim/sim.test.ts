import { expect, it } from 'vitest';
import { type Protection, protections } from '../../../../soak/sim/protections.ts';
import { simulateFaults } from '../../../../soak/sim/run.ts';

const short = { jobs: 1_500, faults: 400, progress: () => {} };
/** Seeds are tried in turn until one finds it: no single history has every accident in it, and some accidents are rare. */
const seeds = Array.from({ length: 12 }, (_, index) => index + 1);
const wild = { ...short, faults: 1_500 };

it('loses nothing and gives nothing twice while everything goes wrong between two schedulers', async () => {
  const { broken, counts, missing } = await simulateFaults({ ...short, seed: 1 });
  expect(broken).toEqual([]);
  expect(counts).toMatchObject({ submitted: 1_500, faults: 400 });
  // What is rare may not come in so short a run; most of the table must.
  expect(missing.length).toBeLessThan(6);
  expect(counts.refused, 'schedulers that never collide prove nothing').toBeGreaterThan(20);
  expect(counts.fenced, 'nor do twins that never write').toBeGreaterThan(0);
}, 60_000);

it('repeats a seed to the last event', async () => {
  const options = { ...short, jobs: 300, faults: 80, seed: 7, schedulers: 3 };
  expect(await simulateFaults(options)).toEqual(await simulateFaults(options));
}, 60_000);

it.each(Object.entries(protections))(
  'misses the protection %s: %s',
  async (name) => {
    for (const seed of seeds) {
      const { broken } = await simulateFaults({ ...wild, seed, without: [name as Protection] });
      if (broken.length > 0) return;
    }
    expect.fail('nothing broke without it');
  },
  120_000,
);
