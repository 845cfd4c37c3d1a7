/** graphile-worker, as its own benchmark sets it up: 24 at a time, batched with a local queue of 500, or one by one. */
import { makeClient, withClient } from '../../src/common/database/connection.ts';
import { type Drained, loadPeer, type Peer } from './peers.ts';
import { until } from './until.ts';

interface Worker {
  run(options: object): Promise<{ stop(): Promise<void> }>;
  runMigrations(options: object): Promise<void>;
  Logger: new (factory: () => () => void) => object;
}

const concurrency = 24;
const batched = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };

export async function graphileWorker(isBatched: boolean): Promise<Peer> {
  const library = await loadPeer<Worker>('graphile-worker');
  const logger = new library.Logger(() => () => {});
  const begin = (url: string, task: () => Promise<void> | void) =>
    library.run({
      connectionString: url,
      taskList: { trivial: task },
      concurrency,
      noHandleSignals: true,
      logger,
      preset: { worker: { concurrentJobs: concurrency, maxPoolSize: 10, ...(isBatched && batched) } },
    });
  return {
    name: isBatched ? 'graphile-worker batched' : 'graphile-worker',

    async drain(url, jobs, runMs): Promise<Drained> {
      await library.runMigrations({ connectionString: url, logger });
      return withClient({ connectionString: url }, async (client) => {
        await client.query(
          `select count(*) from generate_series(1, $1::int) as i,
             lateral graphile_worker.add_job('trivial', json_build_object('i', i))`,
          [jobs],
        );
        await client.query('vacuum (analyze)');
        let done = 0;
        const began = performance.now();
        const runner = await begin(url, async () => {
          if (runMs > 0) await new Promise((resolve) => setTimeout(resolve, runMs));
          done += 1;
        });
        await until(() => done >= jobs);
        await until(async () => {
          const { rows } = await client.query<{ n: number }>(
            'select count(*)::int as n from graphile_worker._private_jobs',
          );
          return rows[0]!.n === 0;
        });
        const ms = performance.now() - began;
        await runner.stop();
        return { jobs, ms };
      });
    },

    async latency(url, jobs): Promise<number> {
      await library.runMigrations({ connectionString: url, logger });
      let started = () => {};
      const runner = await begin(url, () => started());
      const client = makeClient({ connectionString: url });
      await client.connect();
      let total = 0;
      for (let i = 0; i < jobs; i += 1) {
        const start = new Promise<void>((resolve) => {
          started = resolve;
        });
        const began = performance.now();
        await client.query(`select graphile_worker.add_job('trivial', '{}')`);
        await start;
        total += performance.now() - began;
      }
      await client.end();
      await runner.stop();
      return total / jobs;
    },
  };
}
