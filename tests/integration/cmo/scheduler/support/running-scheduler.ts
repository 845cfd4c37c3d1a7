/** The product's scheduler on a test's database, and a look at what it made of a job. */
import { Registry } from 'prom-client';
import { attemptLedger } from '../../../../../src/cmo/jobs/index.ts';
import { WorkloadScheduler } from '../../../../../src/cmo/scheduler/index.ts';
import { SchedulerMetrics } from '../../../../../src/cmo/scheduler/metrics.ts';
import { systemClock } from '../../../../../src/common/clock.ts';
import { type Database, withSystem } from '../../../../../src/common/database/index.ts';
import type { LocalWake } from '../../../../../src/common/events/index.ts';
import { silentLogger } from '../../../../../src/common/logger.ts';
import { until } from '../../../../support/until.ts';

type Policy = ConstructorParameters<typeof WorkloadScheduler>[0]['policy'];

/** Starts one that also looks by itself every fifth of a second; `stop` is the caller's. */
export async function startScheduler(db: Database, wake: LocalWake, policy?: Policy): Promise<WorkloadScheduler> {
  const metrics = new SchedulerMetrics(new Registry());
  const scheduler = new WorkloadScheduler({
    db,
    wake,
    clock: systemClock,
    logger: silentLogger,
    record: (metric) => metrics.record(metric),
    ledger: attemptLedger,
    resyncSeconds: 0.2,
    ...(policy !== undefined && { policy }),
  });
  await scheduler.start();
  return scheduler;
}

/** Waits until a job's state, stop_reason, reason or message are as wanted. @returns all four */
export function jobReaches(
  db: Database,
  id: string,
  wanted: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  return until(
    `${id} is ${JSON.stringify(wanted)}`,
    async () => {
      const { rows } = await withSystem(db, (tx) =>
        tx.query<Record<string, string>>(
          `select state, stop_reason, pending_reason as reason, pending_detail ->> 'message' as message from cmo_jobs where id = $1`,
          [id],
        ),
      );
      return Object.entries(wanted).every(([key, value]) => rows[0]![key] === value) ? rows[0]! : undefined;
    },
    30_000,
  );
}
