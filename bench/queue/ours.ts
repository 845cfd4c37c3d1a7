/**
 * The product's own path, with every row that it writes: tenant, revision check, attempt, allocation, events, dirty keys, fencing token,
 * usage interval.
 */

import { Registry } from 'prom-client';
import { attemptLedger, newJobRequest } from '../../src/cmo/jobs/index.ts';
import { insertJobs } from '../../src/cmo/jobs/insert.ts';
import { ClusterOrchestrator } from '../../src/cmo/orchestrator/index.ts';
import type { Policy } from '../../src/cmo/scheduler/core/snapshot.ts';
import { WorkloadScheduler } from '../../src/cmo/scheduler/workload-scheduler.ts';
import { systemClock } from '../../src/common/clock.ts';
import { jobSpecSchema } from '../../src/common/contract/job-spec.ts';
import type { Placement } from '../../src/common/contract/plan.ts';
import { type Database, withSystem } from '../../src/common/database/index.ts';
import { LocalWake } from '../../src/common/events/index.ts';
import { silentLogger } from '../../src/common/logger.ts';
import { commitPlan } from '../../src/drm/allocator/index.ts';
import { oldId, type Tenant } from '../api/fill.ts';
import { InstantBackend, type InstantOptions } from './instant-backend.ts';
import type { Drained } from './peers.ts';
import { until } from './until.ts';

const spec = jobSpecSchema.parse({ name: 'trivial', command: 'true', resources: { cpu: 0.5, memory: '1GiB' } });

/** Takes jobs in as requests do, a hundred together. */
export async function submit(db: Database, tenant: Tenant, count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const requests = Array.from({ length: Math.min(100, count - ids.length) }, () =>
      newJobRequest({ tenant: tenant.id, project: tenant.project, spec, submittedBy: 'bench' }),
    );
    await insertJobs(db.app, requests);
    ids.push(...requests.flatMap((request) => request.ids));
  }
  return ids;
}

/** Places jobs in turn on the nodes of the fleet, through the allocator. */
export async function place(db: Database, ids: readonly string[], nodes: number): Promise<void> {
  const { cpuMilli, memoryBytes, diskBytes } = { cpuMilli: 500, memoryBytes: 2 ** 30, diskBytes: 0 };
  const placements = ids.map((jobId, i) => ({
    jobId,
    jobRevision: 1n,
    siteId: oldId('site', 1),
    ranks: [{ nodeId: oldId('node', 1 + (i % nodes)), cpuMilli, memoryBytes, diskBytes, devices: [] }],
    explanation: {
      policy: 'bench',
      round: 1,
      decidedAt: new Date().toISOString(),
      candidates: [],
      feasibleCount: nodes,
      rejections: {},
    },
  })) as unknown as Placement[];
  for (let from = 0; from < placements.length; from += 1000) {
    const { refused } = await commitPlan(db, { placements: placements.slice(from, from + 1000) }, attemptLedger);
    if (refused.length > 0) throw new Error(`refused: ${JSON.stringify(refused[0])}`);
  }
}

export interface Line {
  readonly wake: LocalWake;
  readonly backend: InstantBackend;
  stop(): Promise<void>;
}

/** Starts what brings jobs to their end. @param onStart told when a job starts */
export async function startLine(
  db: Database,
  options: Pick<InstantOptions, 'runMs' | 'onStart'> & {
    readonly scheduler: boolean;
    readonly policy?: Partial<Policy>;
  },
): Promise<Line> {
  const wake = new LocalWake();
  const { runMs, onStart } = options;
  const backend = new InstantBackend({ runMs, wake: () => wake.wake('orchestrator'), ...(onStart && { onStart }) });
  const orchestrator = new ClusterOrchestrator({
    db,
    wake,
    logger: silentLogger,
    clock: systemClock,
    backends: [backend],
    owner: `bench-${process.pid}`,
    registry: new Registry(),
  });
  const scheduler = new WorkloadScheduler({
    db,
    wake,
    clock: systemClock,
    logger: silentLogger,
    ledger: attemptLedger,
    record: () => {},
    ...(options.policy && { policy: options.policy }),
  });
  orchestrator.start();
  if (options.scheduler) {
    await scheduler.start();
    await until(() => scheduler.ready());
  }
  return {
    wake,
    backend,
    async stop() {
      if (options.scheduler) await scheduler.stop();
      await orchestrator.stop();
    },
  };
}

/** Brings what is placed (or, with a scheduler, queued) to its end. */
export async function drain(
  db: Database,
  jobs: number,
  options: { readonly scheduler: boolean; readonly runMs: number },
): Promise<Drained> {
  const began = performance.now();
  const line = await startLine(db, options);
  await until(() => line.backend.forgotten >= jobs);
  const ms = performance.now() - began;
  await line.stop();
  return { jobs, ms };
}

/** What must be so when all is done. @throws when a job was lost or ended twice, or something is still held */
export async function check(db: Database, ids: readonly string[]): Promise<void> {
  const { rows } = await withSystem(db, (tx) =>
    tx.query<{ what: string; n: number }>(
      `select what, n from (
         select 'jobs that did not succeed' as what, count(*)::int as n from cmo_jobs
         where id = any($1::text[]) and state <> 'succeeded'
         union all
         select 'jobs that ended more or less than once', count(*)::int from (
           select from cmo_jobs j left join feed_events e on e.tenant = j.tenant and e.subject = j.id and e.kind = 'job.succeeded'
           where j.id = any($1::text[]) group by j.id having count(e.id) <> 1) as twice
         union all
         select 'allocations still held', count(*)::int from drm_allocations where job_id = any($1::text[]) and state <> 'released'
         union all
         select 'jobs without one closed interval', count(*)::int from (
           select from cmo_jobs j left join billing_usage_intervals u on u.tenant = j.tenant and u.job_id = j.id and u.ended_at is not null
           where j.id = any($1::text[]) group by j.id having count(u.id) <> 1) as unbilled
       ) as wrong where n > 0`,
      [[...ids]],
    ),
  );
  if (rows.length > 0) throw new Error(rows.map(({ what, n }) => `${n} ${what}`).join(', '));
}
