/** `npm run soak -- sim`: tens of thousands of jobs and faults under virtual time, by production's decisions. */
import type { Soak } from '../harness.ts';
import { simulateFaults } from './run.ts';

const standard = { jobs: 50_000, faults: 10_000 };

export const soak = {
  name: 'sim',
  question: 'is anything given twice, lost or kept for ever when everything goes wrong between several schedulers?',
  defaultMinutes: 10,
  run: async ({ seed, jobs = standard.jobs, faults = standard.faults, progress }) => {
    const outcome = await simulateFaults({ seed, jobs, faults, progress });
    for (const line of outcome.coverage) progress(line);
    const missing =
      jobs >= standard.jobs ? outcome.missing.map((arrow) => `every transition is covered: ${arrow} was not`) : [];
    return { counts: outcome.counts, broken: [...outcome.broken, ...missing] };
  },
} satisfies Soak;
