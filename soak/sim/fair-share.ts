/**
 * Whether tenants come to hold equal shares although one of them wants far more, on a fleet that loses nodes.
 *
 * Four tenants of equal weight want twice the fleet, one of them more than half of that; all have work waiting all the time. What each holds
 * is summed from when the first jobs have ended until the last is submitted.
 */
import { defaultPolicy } from '../../src/cmo/scheduler/core/policy.ts';
import { jain } from '../../src/cmo/scheduler/simulation/figures.ts';
import { readCluster } from '../../src/cmo/scheduler/simulation/inputs/cluster-file.ts';
import { simulate } from '../../src/cmo/scheduler/simulation/simulate.ts';
import { jobsOf } from '../../src/cmo/scheduler/simulation/workload.ts';
import { randomOf } from '../crash/random.ts';

/** Jain's index over tenants, of what they held; 1 is equal, order of arrival gives less than 0.8. */
export const leastFairness = 0.97;

const jobs = 1_200;
const fleet = {
  sites: [{ name: 'fair', nodes: [{ count: 16, cpu: 64, devices: { count: 4 } }] }],
  failures: { meanHoursBetween: 20, meanRepairMinutes: 3, confirmSeconds: 60 },
};

/** @param isShared whether the scheduler is told of the tenants */
export async function fairnessUnderLoad(seed: number, isShared = true): Promise<number> {
  const random = randomOf(seed, 'fair share');
  const cluster = readCluster(fleet);
  const owners: string[] = [];
  const traces = Array.from({ length: jobs }, (_, i) => {
    const at = random.next();
    owners.push(at < 0.55 ? 'greedy' : at < 0.7 ? 'a' : at < 0.85 ? 'b' : 'c');
    return {
      id: String(i),
      submittedAt: i,
      runSeconds: random.whole(60, 200),
      size: random.next() < 0.8 ? 1 : 2,
      estimateSeconds: null,
      user: isShared ? owners[i]! : '',
      name: '',
    };
  });
  const list = jobsOf(traces, 'device', cluster);
  const { runs } = await simulate({ cluster, jobs: list, policy: defaultPolicy, seed });
  const held = new Map<string, number>();
  for (const { job, from, to, milli } of runs) {
    const seconds = Math.min(to, jobs) - Math.max(from, 400);
    const owner = owners[job]!;
    if (seconds > 0) held.set(owner, (held.get(owner) ?? 0) + seconds * milli);
  }
  return jain([...held.values()]) ?? 0;
}
