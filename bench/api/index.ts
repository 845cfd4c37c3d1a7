/**
 * `api`: does it feel instant under load? One server process (API and scheduler) on one PostgreSQL, a million jobs in it, and at the
 * same time: 500 submits a second, lists, a thousand live lists that are told 200 changes a second, and a scheduler that places
 * a thousand jobs a round on ten thousand nodes, one round after the other. Its queue is filled before, and must not run empty.
 *
 * Submits come from a tenant that nobody watches, or they would be events of the twenty. Load and clients run on the same
 * machine; what else ran there is printed as its load average.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { DatabaseWake } from '../../src/common/events/index.ts';
import { silentLogger } from '../../src/common/logger.ts';
import type { Benchmark, BenchmarkCase, PeerValue } from '../harness.ts';
import { startBenchDatabase } from '../product/database.ts';
import { atRate, HttpLoad } from '../product/http-load.ts';
import { startServer } from '../product/server-process.ts';
import { meter } from '../start/processes.ts';
import { percentile } from '../statistics.ts';
import { spec } from '../submit/index.ts';
import { addEndedJobs, addFleet, addQueuedJobs, addTenants } from './fill.ts';
import { firstRound, readRounds } from './rounds.ts';
import type { SocketsPlan, SocketsResult } from './sockets.ts';

const jobs = Number(process.env.BENCH_API_JOBS ?? 1_000_000);
const nodes = 10_000;
const tenants = 20;
const socketsOfTenant = 50;
const eventsPerSecond = 200;
const submitsPerSecond = 500;
const listsPerSecond = 20;
const jobsPerRound = 1_000;
/** More than the scheduler places meanwhile. */
const queued = 80_000;
const seconds = 30;

const quoted = (value: number, source: string): PeerValue => ({ quoted: value, source });
const earlier = 'measured on another day with nothing in it, reference/systems.md';

const lists = [
  '/v1/jobs',
  '/v1/jobs?state=failed',
  '/v1/jobs?state=succeeded&limit=100',
  '/v1/jobs?namePrefix=train-5',
  '/v1/jobs?label=team:team-7',
  '/v1/jobs?state=queued&state=running',
];

async function measure(print: (line: string) => void): Promise<BenchmarkCase[]> {
  const database = await startBenchDatabase();
  try {
    const all = await addTenants(database, tenants + 1);
    const [watched, quiet] = [all.slice(0, tenants), all[tenants]!];
    const began = performance.now();
    await addEndedJobs(database, watched, jobs);
    await addFleet(database, nodes);
    print(`  ${jobs} jobs and ${nodes} nodes made in ${Math.round((performance.now() - began) / 1000)} s`);

    const server = await startServer(database, ['api', 'scheduler'], { SOLYX_LIMITS_REQUESTS_PER_SECOND: '100000' });
    const db = await database.open();
    const load = new HttpLoad(server.url, 256);
    const people = fork(join(import.meta.dirname, 'sockets.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const gone = once(people, 'exit').then(([code]) => {
      throw new Error(`the sockets' process ended with ${code}`);
    });
    gone.catch(() => {});
    try {
      people.send({
        url: server.url,
        keys: watched.map(({ key }) => key),
        sockets: socketsOfTenant,
        eventsPerSecond,
        seconds,
        logins: database.logins,
      } satisfies SocketsPlan);
      await Promise.race([once(people, 'message'), gone]);
      print(`  ${tenants * socketsOfTenant} sockets are open`);
      await addQueuedJobs(database, quiet, queued);
      const wake = await DatabaseWake.start(db, silentLogger);
      wake.wake('scheduler');
      await wake.stop();
      await firstRound(server);
      print(`  ${queued} jobs are queued`);
      let index = 0;
      const send = async (method: string, path: string, key: string, status: number, body?: string) => {
        const answer = await load.send(method, path, key, body);
        if (answer.status !== status)
          throw new Error(`${method} ${path} was answered ${answer.status}: ${answer.body}`);
      };
      const submit = () => send('POST', '/v1/jobs', quiet.key, 201, spec(index++));
      let listed = 0;
      const list = () => {
        listed += 1;
        return send('GET', lists[listed % lists.length]!, watched[listed % tenants]!.key, 200);
      };
      await Promise.all([atRate(submitsPerSecond / 2, 4, submit), atRate(listsPerSecond, 4, list)]);

      server.resetCost();
      const postgres = meter({ isRoot: (command) => command.includes(`postgres -D ${database.home}`) });
      const measured = performance.now();
      const roundsBefore = await readRounds(server);
      const told = Promise.race([once(people, 'message'), gone]);
      people.send('go');
      const [submitTook, listTook] = await Promise.all([
        atRate(submitsPerSecond, seconds, submit),
        atRate(listsPerSecond, seconds, list),
      ]);
      const { loopDelayP99Ms, loopDelayMaxMs, cores } = await server.cost();
      const postgresCores = postgres().cpuSeconds / ((performance.now() - measured) / 1000);
      const rounds = await readRounds(server);
      const placed = rounds.placements - roundsBefore.placements;
      const placedPerSecond = placed / ((performance.now() - measured) / 1000);
      if (rounds.placements > queued - jobsPerRound)
        throw new Error('the queue ran empty; the scheduler was not kept busy');
      const [live] = (await told) as [SocketsResult];
      const [load1] = loadavg();
      return [
        { case: 'submit at 500/s', metric: 'p50', unit: 'ms', ours: percentile(submitTook, 0.5), peers: {} },
        {
          case: 'submit at 500/s',
          metric: 'p99',
          unit: 'ms',
          ours: percentile(submitTook, 0.99),
          peers: { 'dstack 0.22, p95': quoted(105, earlier) },
          bound: { atMost: 50 },
        },
        {
          case: 'list',
          metric: 'p95',
          unit: 'ms',
          ours: percentile(listTook, 0.95),
          peers: { 'SkyPilot 0.14 status, p95': quoted(168, earlier), 'dstack 0.22, p95': quoted(8, earlier) },
          bound: { atMost: 150 },
        },
        {
          case: 'event → socket',
          metric: 'p95',
          unit: 'ms',
          ours: percentile(live.took, 0.95),
          peers: { 'dstack and Temporal poll every': quoted(10_000, 'reference/ux-ops.md') },
          bound: { atMost: 250 },
        },
        {
          case: 'event → socket',
          metric: 'changes that were told',
          unit: '%',
          ours: (100 * live.took.length) / live.expected,
          peers: {},
          bound: { atLeast: 99.9 },
        },
        { case: 'event → socket', metric: 'frames', unit: '/s', ours: live.frames / seconds, peers: {} },
        { case: 'event loop', metric: 'delay p99', unit: 'ms', ours: loopDelayP99Ms, peers: {}, bound: { atMost: 20 } },
        { case: 'event loop', metric: 'delay max', unit: 'ms', ours: loopDelayMaxMs, peers: {} },
        {
          case: 'meanwhile',
          metric: 'jobs placed',
          unit: '/s',
          ours: placedPerSecond,
          peers: {},
          // Work behind requests is still done: a round in two seconds at least.
          bound: { atLeast: jobsPerRound / 2 },
        },
        {
          case: 'meanwhile',
          metric: 'jobs placed a round',
          unit: '',
          ours: placed / (rounds.rounds - roundsBefore.rounds),
          peers: {},
          // The round in which the time ends was planned and not yet committed.
          bound: { atLeast: 0.9 * jobsPerRound },
        },
        { case: 'meanwhile', metric: 'cores used by the server', unit: '', ours: cores, peers: {} },
        { case: 'meanwhile', metric: 'cores used by PostgreSQL', unit: '', ours: postgresCores, peers: {} },
        { case: 'meanwhile', metric: 'load average of the machine', unit: '', ours: load1!, peers: {} },
      ];
    } finally {
      people.kill();
      load.close();
      await server.stop();
      await db.close();
    }
  } finally {
    await database.dispose();
  }
}

export const benchmark: Benchmark = {
  name: 'api',
  question: 'Does it feel instant under load?',
  run: (context) => context.measure('everything at once', () => measure((line) => console.error(line))),
};
