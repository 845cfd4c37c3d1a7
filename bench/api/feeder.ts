/** Keeps the scheduler busy: a thousand jobs that fit, every second, as the intake would have written them. */
import { jobSpecSchema } from '../../src/common/contract/job-spec.ts';
import { withClient } from '../../src/common/database/connection.ts';
import { type Database, withSystem } from '../../src/common/database/index.ts';
import { DatabaseWake } from '../../src/common/events/index.ts';
import { newId } from '../../src/common/ids.ts';
import { silentLogger } from '../../src/common/logger.ts';
import type { BenchDatabase } from '../product/database.ts';
import type { Tenant } from './fill.ts';

export interface Feeder {
  /** Ends the feeding. @returns how many of its jobs were placed a second */
  stop(): Promise<number>;
}

/** @param jobs every second */
export async function startFeeder(
  database: BenchDatabase,
  db: Database,
  tenant: Tenant,
  jobs: number,
): Promise<Feeder> {
  const wake = await DatabaseWake.start(db, silentLogger);
  const spec = jobSpecSchema.parse({ name: 'filler', command: ['true'], resources: { cpu: 1, memory: '1GiB' } });
  const feed = () =>
    withSystem(db, async (tx) => {
      const ids = Array.from({ length: jobs }, () => newId('job'));
      const values = [ids, tenant.id, tenant.project, JSON.stringify(spec)];
      await tx.query(
        `insert into cmo_jobs (id, tenant, project, name, pending_reason, priority, spec, submitted_by)
         select id, $2, $3, 'filler', 'new', 0, $4, 'bench' from unnest($1::text[]) as id`,
        values,
      );
      await tx.query(`insert into feed_dirty (kind, key) select 'job', id from unnest($1::text[]) as id`, [ids]);
      tx.afterCommit(() => wake.wake('scheduler'));
    });
  const placed = () =>
    withClient(database.admin, async (client) => {
      const { rows } = await client.query<{ n: number }>(
        'select count(*)::int as n from cmo_attempts where tenant = $1',
        [tenant.id],
      );
      return rows[0]!.n;
    });
  const began = performance.now();
  const before = await placed();
  let feeding: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    feeding = feeding.then(feed);
  }, 1000);
  return {
    async stop() {
      clearInterval(timer);
      await feeding;
      const rate = ((await placed()) - before) / ((performance.now() - began) / 1000);
      await wake.stop();
      return rate;
    },
  };
}
