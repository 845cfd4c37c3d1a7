/** Decide and commit: rounds of a thousand, each placement made durable in PostgreSQL by the product's own path, with every row it writes. */

import { attemptLedger } from '../../src/cmo/jobs/index.ts';
import { defaultPolicy } from '../../src/cmo/scheduler/core/policy.ts';
import { shapeOf } from '../../src/cmo/scheduler/core/shape.ts';
import type { PendingJob } from '../../src/cmo/scheduler/core/snapshot.ts';
import { RoundEngine } from '../../src/cmo/scheduler/worker/round-engine.ts';
import { WorkloadScheduler } from '../../src/cmo/scheduler/workload-scheduler.ts';
import { systemClock } from '../../src/common/clock.ts';
import { jobSpecSchema } from '../../src/common/contract/job-spec.ts';
import { type Database, withSystem } from '../../src/common/database/index.ts';
import { LocalWake } from '../../src/common/events/index.ts';
import { newId } from '../../src/common/ids.ts';
import { silentLogger } from '../../src/common/logger.ts';
import { commitPlan } from '../../src/drm/allocator/index.ts';
import { readFleet, readFleetSites } from '../../src/drm/tracker/index.ts';
import { addFleet, addTenants, type Tenant } from '../api/fill.ts';
import type { BenchmarkCase } from '../harness.ts';
import { costCases, costSince, type DatabaseCost, readCost } from '../product/cost.ts';
import { type BenchDatabase, startBenchDatabase } from '../product/database.ts';

const nodes = 2000;
const rounds = 12;
const warmUp = 2;
/** For the running scheduler. */
const queued = 4000;
const perRound = 1000;
const spec = jobSpecSchema.parse({
  name: 'job',
  command: 'true',
  resources: { cpu: 1, memory: '4GiB', devices: [{}] },
});

/** The loop itself, as the product runs it: reads what changed, plans in its thread, commits, says why the rest waits. */
async function runningScheduler(database: BenchDatabase, jobs: readonly unknown[]): Promise<BenchmarkCase[]> {
  const db = await database.open(2);
  let began = 0;
  let committed = 0;
  let done = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const scheduler = new WorkloadScheduler({
    db,
    wake: new LocalWake(),
    clock: systemClock,
    logger: silentLogger,
    ledger: attemptLedger,
    record: (metric) => {
      if (metric.kind === 'round') began ||= performance.now() - metric.summary.seconds * 1000;
      if (metric.kind === 'committed') committed += metric.placements;
      if (committed === jobs.length) done();
    },
  });
  try {
    await scheduler.start();
    await all;
    return [
      {
        case: `${nodes} nodes, the running scheduler`,
        metric: 'decided and committed',
        unit: '/s',
        ours: (1000 * committed) / (performance.now() - began),
        peers: {},
      },
    ];
  } finally {
    await scheduler.stop();
    await db.close();
  }
}

export async function commitCases(): Promise<BenchmarkCase[]> {
  const database = await startBenchDatabase();
  const db = await database.open();
  try {
    const [tenant] = await addTenants(database, 1);
    await addFleet(database, nodes);
    const engine = new RoundEngine();
    await load(db, engine);
    const shape = shapeOf(spec);
    const waiting = await insertJobs(db, tenant!, rounds * perRound);
    let decideMs = 0;
    let commitMs = 0;
    let committed = 0;
    let before: DatabaseCost | undefined;
    const cost = () => readCost(database.admin, database.serverPid, [db.system]);
    for (let round = 0; round < rounds; round += 1) {
      const jobs = waiting.splice(0, perRound);
      if (round === warmUp) before = await cost();
      engine.apply({ jobs: jobs.map((job) => [job.id, { job: { ...job, shape }, reason: 'new' }]) });
      const began = performance.now();
      const { placementCount } = engine.run(defaultPolicy, Date.now());
      const placements = engine.placements(0, placementCount);
      const decided = performance.now();
      const result = await commitPlan(db, { placements }, attemptLedger);
      const done = performance.now();
      engine.settle({ committed: result.committed.map(({ jobId }) => jobId), refused: result.refused, unknown: [] });
      if (result.refused.length > 0) throw new Error(`refused: ${JSON.stringify(result.refused[0])}`);
      if (round < warmUp) continue;
      decideMs += decided - began;
      commitMs += done - decided;
      committed += result.committed.length;
    }
    const spent = costSince(before!, await cost());
    const name = `${nodes} nodes, PostgreSQL with fsync`;
    const of = (metric: string, unit: string, ours: number): BenchmarkCase => ({
      case: name,
      metric,
      unit,
      ours,
      peers: {},
    });
    return [
      {
        ...of('decided and committed', '/s', (1000 * committed) / (decideMs + commitMs)),
        peers: {
          'Nomad C1M': { quoted: 3750, source: 'reference/scheduling.md §3.3' },
          'kube-scheduler live': { quoted: 430, source: 'reference/systems.md §1' },
        },
        bound: { atLeast: 5000 },
      },
      of('of it, committing', '%', (100 * commitMs) / (decideMs + commitMs)),
      ...costCases(name, spent, committed),
      ...(await runningScheduler(database, await insertJobs(db, tenant!, queued))),
    ];
  } finally {
    await db.close();
    await database.dispose();
  }
}

async function load(db: Database, engine: RoundEngine): Promise<void> {
  await withSystem(db, async (tx) => {
    const ids = async (table: string) =>
      (await tx.query<{ id: string }>(`select id from ${table} order by id`)).rows.map(({ id }) => id);
    const sites = await readFleetSites(tx, await ids('drm_sites'));
    const rows = await readFleet(tx, await ids('drm_nodes'));
    engine.apply({ sites: sites.map((row) => [row.id, row]), nodes: rows.map((row) => [row.id, row]) });
  });
}

/** Jobs as the intake writes them. */
async function insertJobs(db: Database, tenant: Tenant, count: number): Promise<Omit<PendingJob, 'shape'>[]> {
  const ids = Array.from({ length: count }, () => newId('job'));
  const { rows } = await withSystem(db, (tx) =>
    tx.query<{ id: string; revision: string }>(
      `insert into cmo_jobs (id, tenant, project, name, pending_reason, priority, spec, submitted_by)
       select id, $2, $3, 'job', 'new', 0, $4, 'bench' from unnest($1::text[]) as id returning id, revision::text`,
      [ids, tenant.id, tenant.project, JSON.stringify(spec)],
    ),
  );
  return rows.map(({ id, revision }, i) => ({
    id,
    revision: BigInt(revision),
    tenant: tenant.id,
    project: tenant.project,
    priority: 0,
    submittedAt: i,
    notBefore: 0,
    notBeforeReason: null,
  }));
}
