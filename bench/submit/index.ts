/**
 * `submit`: how many jobs a second are taken in for good, and how long one takes at 500 a second.
 *
 * The product's own server (API and scheduler in one process) on the product's own PostgreSQL with fsync. Each 201 means that job,
 * event, dirty key and remembered answer survive any crash; afterwards every one of them must be there.
 */
import { withClient } from '../../src/common/database/connection.ts';
import type { Benchmark, BenchmarkCase } from '../harness.ts';
import { startBenchDatabase } from '../product/database.ts';
import { asFastAsPossible, atRate, HttpLoad } from '../product/http-load.ts';
import { startServer } from '../product/server-process.ts';
import { percentile } from '../statistics.ts';

const seconds = 15;
const rate = 500;
const quoted = { 'dstack 0.22 (empty), p95': { quoted: 105, source: 'measured on another day, reference/systems.md' } };

/** A spec of usual size. */
export const spec = (index: number): string =>
  JSON.stringify({
    name: `train-${index % 1000}`,
    command: ['python', 'train.py', '--lr', '0.001', '--seed', String(index)],
    resources: { cpu: 1, memory: '2GiB' },
    labels: { team: 'nlp', run: `r${index % 50}` },
    env: { WANDB_MODE: 'offline', EPOCHS: '10' },
  });

async function measure(): Promise<BenchmarkCase[]> {
  const database = await startBenchDatabase();
  // One key submits, and what is measured is not its limit.
  const server = await startServer(database, ['api', 'scheduler'], { SOLYX_LIMITS_REQUESTS_PER_SECOND: '1000000' });
  const load = new HttpLoad(server.url, 256);
  try {
    let index = 0;
    let accepted = 0;
    const submit = async () => {
      const { status, body } = await load.send('POST', '/v1/jobs', server.adminKey, spec(index++));
      if (status !== 201) throw new Error(`a submit was answered ${status}: ${body}`);
      accepted += 1;
    };
    await asFastAsPossible(16, 3, submit);
    const before = await written(database.admin);
    const began = accepted;
    const perSecond = await asFastAsPossible(64, seconds, submit);
    const after = await written(database.admin);
    const jobs = accepted - began;
    server.resetCost();
    const took = await atRate(rate, seconds, submit);
    const { loopDelayP99Ms } = await server.cost();
    const missing = accepted - (await countJobs(database.admin));
    if (missing !== 0) throw new Error(`${missing} accepted jobs are not in the database`);
    return [
      {
        case: '64 clients',
        metric: 'durable submits',
        unit: '/s',
        ours: perSecond,
        peers: {},
        bound: { atLeast: 500 },
      },
      {
        case: '64 clients',
        metric: 'flushes of the log per job',
        unit: '',
        ours: (after.syncs - before.syncs) / jobs,
        peers: {},
      },
      {
        case: '64 clients',
        metric: 'log written per job',
        unit: 'bytes',
        ours: (after.bytes - before.bytes) / jobs,
        peers: {},
      },
      { case: `${rate}/s`, metric: 'submit p50', unit: 'ms', ours: percentile(took, 0.5), peers: {} },
      { case: `${rate}/s`, metric: 'submit p95', unit: 'ms', ours: percentile(took, 0.95), peers: quoted },
      { case: `${rate}/s`, metric: 'event-loop delay p99', unit: 'ms', ours: loopDelayP99Ms, peers: {} },
      {
        case: `${rate}/s`,
        metric: 'submit p99',
        unit: 'ms',
        ours: percentile(took, 0.99),
        peers: {},
        bound: { atMost: 50 },
      },
    ];
  } finally {
    load.close();
    await server.stop();
    await database.dispose();
  }
}

/** What PostgreSQL wrote to its log so far. */
async function written(admin: Parameters<typeof withClient>[0]): Promise<{ syncs: number; bytes: number }> {
  return withClient(admin, async (client) => {
    const { rows } = await client.query<{ syncs: number; bytes: number }>(
      `select (select sum(fsyncs)::float8 from pg_stat_io where object = 'wal') as syncs,
              (select wal_bytes::float8 from pg_stat_wal) as bytes`,
    );
    return rows[0]!;
  });
}

async function countJobs(admin: Parameters<typeof withClient>[0]): Promise<number> {
  return withClient(admin, async (client) => {
    const { rows } = await client.query<{ n: number }>(
      `select count(*)::int as n from cmo_jobs j where exists (select from feed_events e where e.subject = j.id)`,
    );
    return rows[0]!.n;
  });
}

export const benchmark: Benchmark = {
  name: 'submit',
  question: 'How many jobs a second are taken in for good?',
  run: (context) => context.measure('submits', measure),
};
