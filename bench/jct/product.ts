/**
 * The running scheduler on the same jobs and nodes: rounds, packing, predictions, backfill and commits are those of production
 * (`solyx simulate`), in one queue. What it knows of a job before it ends is what a submit says.
 */
import { defaultPolicy } from '../../src/cmo/scheduler/core/policy.ts';
import type { QueueOrder } from '../../src/cmo/scheduler/core/snapshot.ts';
import { jobsOf, readCluster, simulate } from '../../src/cmo/scheduler/simulation/index.ts';
import { type SimJob, simJobs } from './sim-job.ts';
import type { Workload } from './traces.ts';

export const productName = (order: QueueOrder): string => `product, ${order}`;

export async function runProduct(
  workload: Workload,
  trace: readonly SimJob[],
  nodes: number,
  order: QueueOrder,
): Promise<SimJob[]> {
  const { unit, perNode } = workload;
  const kind =
    unit === 'core' ? { count: nodes, cpu: perNode } : { count: nodes, cpu: 96, devices: { count: perNode } };
  const cluster = readCluster({ sites: [{ name: 'site', nodes: [kind] }] });
  const jobs = simJobs(trace);
  const queued = jobsOf(trace, unit, cluster).map((job) => ({ ...job, owner: '' }));
  const { outcomes } = await simulate({ cluster, jobs: queued, policy: { ...defaultPolicy, order }, seed: 1 });
  const first = trace[0]?.submittedAt ?? 0;
  for (const [i, { lastStart, endedAt }] of outcomes.entries()) {
    jobs[i]!.startedAt = first + lastStart;
    jobs[i]!.endedAt = first + endedAt;
  }
  return jobs;
}
