/**
 * How fast and safe is the durable path? The product's own, with all its rows, beside queues that keep one row a job, in one run, on one
 * PostgreSQL with fsync, from one Node process each.
 *
 * `claim and finish` begins with jobs that are placed, as a queue's begin with jobs that are queued: each is handed to a backend, which
 * ends it at once, and is recorded as succeeded, billed, released and forgotten. `submit to end` has the scheduler in it as well, and so has
 * `add to start`: the product chooses a place before it starts a job, which a queue need not.
 *
 * BENCH_QUEUE_JOBS: jobs of the longest case, default 200,000; the others take a tenth. BENCH_PEERS: folder with the peers (`peers.ts`).
 */

import { withClient } from '../../src/common/database/connection.ts';
import { addFleet, addTenants, type Tenant } from '../api/fill.ts';
import type { Benchmark, BenchmarkCase, BenchmarkContext } from '../harness.ts';
import { costCases, costSince, type DatabaseCost, readCost } from '../product/cost.ts';
import { type BenchDatabase, startBenchDatabase } from '../product/database.ts';
import { graphileWorker } from './graphile.ts';
import { drainUnderKills } from './killed.ts';
import { check, drain, place, startLine, submit } from './ours.ts';
import type { Peer } from './peers.ts';
import { pgBoss } from './pg-boss.ts';
import { until } from './until.ts';

const nodes = 2000;
const most = Number(process.env.BENCH_QUEUE_JOBS ?? 200_000);
const some = Math.max(100, Math.round(most / 10));
const latencyJobs = 200;

/** A server with a fleet, and what is measured on it. */
class Stand {
  readonly database: BenchDatabase;
  readonly tenant: Tenant;
  #databases = 0;

  constructor(database: BenchDatabase, tenant: Tenant) {
    this.database = database;
    this.tenant = tenant;
  }

  /** Works jobs off and says at which rate and cost. @param held a transaction is open all the while */
  async ours(
    jobs: number,
    options: { scheduler: boolean; runMs: number },
  ): Promise<{ rate: number; cost: DatabaseCost }> {
    const filling = await this.database.open();
    const ids = await submit(filling, this.tenant, jobs);
    if (!options.scheduler) await place(filling, ids, nodes);
    await filling.close();
    await withClient(this.database.admin, (client) => client.query('vacuum (analyze)'));
    const before = await this.#cost();
    const db = await this.database.open();
    const { ms } = await drain(db, jobs, options);
    await check(db, ids);
    await db.close();
    return { rate: (1000 * jobs) / ms, cost: costSince(before, await this.#cost()) };
  }

  #cost(): Promise<DatabaseCost> {
    return readCost(this.database.admin, this.database.serverPid, []);
  }

  /** A peer on an empty database of the same server. */
  async peer<T>(measure: (url: string) => Promise<T>): Promise<T> {
    this.#databases += 1;
    const name = `peer_${this.#databases}`;
    await withClient({ ...this.database.admin, database: 'postgres' }, (client) =>
      client.query(`create database ${name}`),
    );
    const url = new URL(this.database.url);
    url.pathname = `/${name}`;
    try {
      return await measure(url.href);
    } finally {
      await withClient({ ...this.database.admin, database: 'postgres' }, async (client) => {
        // Pools of libraries are still closing when they say that they stopped.
        await until(async () => {
          const { rows } = await client.query<{ n: number }>(
            'select count(*)::int as n from pg_stat_activity where datname = $1',
            [name],
          );
          return rows[0]!.n === 0;
        }, 60_000);
        await client.query(`drop database ${name}`);
      });
    }
  }

  /** Rates of all peers that are there. */
  async rates(peers: readonly Peer[], jobs: number, runMs: number): Promise<Record<string, number>> {
    const rates: Record<string, number> = {};
    for (const peer of peers) {
      const { ms } = await this.peer((url) => peer.drain(url, jobs, runMs));
      rates[peer.name] = (1000 * jobs) / ms;
    }
    return rates;
  }
}

/** Runs cases on a server of their own; without a package its numbers are skipped, and ours are measured all the same. */
async function loadPeers(context: BenchmarkContext): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const load of [() => graphileWorker(true), () => graphileWorker(false), pgBoss]) {
    await context.measure('peers', async () => {
      peers.push(await load());
      return [];
    });
  }
  return peers;
}

const batchedName = 'graphile-worker batched';

async function cases(stand: Stand, peers: readonly Peer[], context: BenchmarkContext): Promise<void> {
  await context.measure(`claim and finish, ${most} jobs`, async () => {
    const name = `claim and finish, ${most} trivial jobs`;
    const { rate, cost } = await stand.ours(most, { scheduler: false, runMs: 0 });
    const rates = await stand.rates(peers, most, 0);
    const batched = rates[batchedName];
    return [
      {
        case: name,
        metric: 'jobs',
        unit: '/s',
        ours: rate,
        peers: rates,
        ...(batched && { bound: { atLeast: batched } }),
      },
      ...costCases(name, cost, most),
    ];
  });
  await context.measure('submit to end', async () => {
    const name = `placed by the scheduler and finished, ${some} trivial jobs`;
    const { rate, cost } = await stand.ours(some, { scheduler: true, runMs: 0 });
    return [{ case: name, metric: 'jobs', unit: '/s', ours: rate, peers: {} }, ...costCases(name, cost, some)];
  });
  await context.measure('1 ms jobs', async () => {
    const { rate } = await stand.ours(some, { scheduler: false, runMs: 1 });
    const rates = await stand.rates(peers, some, 1);
    return [{ case: `claim and finish, ${some} jobs of 1 ms`, metric: 'jobs', unit: '/s', ours: rate, peers: rates }];
  });
  await context.measure('add to start', async () => [await latency(stand, peers)]);
  await context.measure('kill -9', () => drainUnderKills(stand.database, stand.tenant, some, nodes));
  await context.measure('a transaction that stays open', () => heldTransaction(stand, peers));
}

async function latency(stand: Stand, peers: readonly Peer[]): Promise<BenchmarkCase> {
  const db = await stand.database.open();
  const started = new Map<string, () => void>();
  const line = await startLine(db, { scheduler: true, runMs: 0, onStart: ({ jobId }) => started.get(jobId)?.() });
  let total = 0;
  for (let i = 0; i < latencyJobs; i += 1) {
    const began = performance.now();
    const [id] = await submit(db, stand.tenant, 1);
    const start = new Promise<void>((resolve) => started.set(id!, resolve));
    line.wake.wake('scheduler');
    await start;
    total += performance.now() - began;
  }
  await line.stop();
  await db.close();
  const means: Record<string, number> = {};
  for (const peer of peers) {
    if (peer.latency) means[peer.name] = await stand.peer((url) => peer.latency!(url, latencyJobs));
  }
  const bound = means[batchedName] ?? means['graphile-worker'];
  return {
    case: 'one job at a time, with a scheduler round',
    metric: 'add to start, mean',
    unit: 'ms',
    ours: total / latencyJobs,
    peers: means,
    ...(bound && { bound: { atMost: bound } }),
  };
}

/** An old snapshot keeps dead rows from being cleaned up: how much of the rate is left? */
async function heldTransaction(stand: Stand, peers: readonly Peer[]): Promise<BenchmarkCase[]> {
  const share = async (measure: () => Promise<number>) => {
    const free = await measure();
    const held = await withClient({ ...stand.database.admin, database: 'postgres' }, async (client) => {
      await client.query('begin isolation level repeatable read');
      await client.query('select pg_current_xact_id()');
      return measure();
    });
    return (100 * held) / free;
  };
  const ours = await share(async () => (await stand.ours(some, { scheduler: false, runMs: 0 })).rate);
  const shares: Record<string, number> = {};
  for (const peer of peers) {
    shares[peer.name] = await share(async () => {
      const { ms } = await stand.peer((url) => peer.drain(url, some, 0));
      return (1000 * some) / ms;
    });
  }
  const of = `claim and finish, ${some} jobs, beside a transaction that stays open`;
  return [{ case: of, metric: 'rate left', unit: '%', ours, peers: shares, bound: { atLeast: 80 } }];
}

export const benchmark: Benchmark = {
  name: 'queue',
  question: 'How fast and safe is the durable path?',
  async run(context) {
    const peers = await loadPeers(context);
    const database = await startBenchDatabase();
    try {
      const [tenant] = await addTenants(database, 1);
      await addFleet(database, nodes);
      await cases(new Stand(database, tenant!), peers, context);
    } finally {
      await database.dispose();
    }
  },
};
