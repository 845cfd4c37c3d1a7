/**
 * Quotas, borrowing and fair shares at work: Kueue's benchmark through the product's own scheduler, allocator and orchestrator on PostgreSQL
 * with fsync, in real time. Work is created at the workload's pace and takes as long as it says; nothing is simulated but the processes.
 *
 * The pace alone takes 60 s and the quotas 66 s. Kueue's figures are quoted, of another machine and with an API server in them. Its
 * `large-scale` and `tas` configurations are not run. BENCH_ADMISSION_SHARE: a share of the work, for a quick look.
 */
import type pg from 'pg';
import { insertJobs, newJobRequest } from '../../src/cmo/jobs/insert.ts';
import type { PreemptionPolicy } from '../../src/cmo/scheduler/core/preemption/preemption-policy.ts';
import { jobSpecSchema } from '../../src/common/contract/job-spec.ts';
import { withClient } from '../../src/common/database/connection.ts';
import type { Database } from '../../src/common/database/index.ts';
import { addFleet, addTenants, oldId } from '../api/fill.ts';
import type { Benchmark, BenchmarkCase } from '../harness.ts';
import { startBenchDatabase } from '../product/database.ts';
import { startLine } from '../queue/ours.ts';
import { until } from '../queue/until.ts';
import {
  borrowedUnits,
  classes,
  cohorts,
  creations,
  guaranteedUnits,
  queuesPerCohort,
  quoted,
  type WorkClass,
} from './workload.ts';

const share = Number(process.env.BENCH_ADMISSION_SHARE ?? 1);
/** Enough that quotas bind and room does not. */
const nodes = 40;
const mostSeconds = 600;

/** As the workload's queues have it: `preemption: {reclaimWithinCohort: Any, withinClusterQueue: LowerPriority}`, at once. */
const preemption: PreemptionPolicy = {
  byPriority: 'same-tenant',
  reclaim: true,
  minRunSeconds: 0,
  maxPerRound: 1000,
  maxPerHour: 1_000_000,
};

interface Queue {
  readonly tenant: string;
  readonly project: string;
}

/** A project for each queue, with its quota, and one for the tenant above. */
async function addQueues(admin: pg.ClientConfig, tenants: readonly string[]): Promise<Queue[]> {
  return withClient(admin, async (client) => {
    const queues: Queue[] = [];
    const quota = async (account: string, tenant: string, project: string | null, units: number, borrowed: number) => {
      await client.query('insert into cmo_accounts (id, tenant, project) values ($1, $2, $3)', [
        account,
        tenant,
        project,
      ]);
      await client.query(
        `insert into cmo_quotas (account, tenant, resource, guaranteed_milli, borrow_milli) values ($1, $2, 'cpu', $3, $4)`,
        [account, tenant, units * 1000, borrowed * 1000],
      );
    };
    for (const [cohort, tenant] of tenants.entries()) {
      await quota(tenant, tenant, null, guaranteedUnits * queuesPerCohort, 0);
      for (let at = 0; at < queuesPerCohort; at += 1) {
        const project = oldId('prj', 1000 + cohort * queuesPerCohort + at);
        await client.query('insert into cmo_projects (id, tenant, name) values ($1, $2, $3)', [
          project,
          tenant,
          `q${at}`,
        ]);
        await quota(`${tenant}/${project}`, tenant, project, guaranteedUnits, borrowedUnits);
        queues.push({ tenant, project });
      }
    }
    return queues;
  });
}

const specs = new Map(
  classes.map(({ name, units, priority }) => [
    name,
    jobSpecSchema.parse({ name, command: 'true', priority, resources: { cpu: units, memory: '64MiB' } }),
  ]),
);

/** One job of the class for each queue, as requests bring them. */
async function create(db: Database, queues: readonly Queue[], { name }: WorkClass): Promise<void> {
  const spec = specs.get(name)!;
  await insertJobs(
    db.app,
    queues.map((queue) => newJobRequest({ ...queue, spec, submittedBy: 'bench' })),
  );
}

async function run(): Promise<BenchmarkCase[]> {
  const database = await startBenchDatabase();
  const tenants = (await addTenants(database, cohorts)).map(({ id }) => id);
  await addFleet(database, nodes);
  const queues = await addQueues(database.admin, tenants);
  const db = await database.open(12);
  const runMsOf = new Map<string, number>(classes.map(({ name, runMs }) => [name, runMs]));
  const line = await startLine(db, {
    scheduler: true,
    policy: { preemption },
    runMs: ({ spec }) => runMsOf.get(spec.name)!,
  });
  try {
    const plan = creations(share);
    const began = performance.now();
    const open: Promise<void>[] = [];
    for (const { atMs, work } of plan) {
      const early = began + atMs - performance.now();
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
      open.push(create(db, queues, work).then(() => line.wake.wake('scheduler')));
    }
    await Promise.all(open);
    const total = plan.length * queues.length;
    await until(async () => (await unfinished(db)) === 0, mostSeconds * 1000);
    return await casesOf(database.admin, total);
  } finally {
    await line.stop();
    await db.close();
    await database.dispose();
  }
}

async function unfinished(db: Database): Promise<number> {
  const { rows } = await db.system.query<{ n: number }>(
    `select count(*)::int as n from cmo_jobs where state in ('queued', 'starting', 'running', 'stopping')`,
  );
  return rows[0]!.n;
}

/** What the rows say of it. */
async function casesOf(admin: pg.ClientConfig, total: number): Promise<BenchmarkCase[]> {
  const { sums, byClass } = await withClient(admin, async (client) => ({
    sums: (
      await client.query<{ ended: number; preempted: number; wall: number; used: number }>(
        `select count(*) filter (where a.outcome = 'succeeded')::int as ended,
                count(*) filter (where a.outcome = 'preempted')::int as preempted,
                extract(epoch from max(j.ended_at) - min(j.submitted_at))::float8 as wall,
                (sum(extract(epoch from a.ended_at - a.starting_at) * n.cpu_milli) filter (where a.outcome = 'succeeded'))::float8 / 1000 as used
         from cmo_jobs j join cmo_attempts a on a.job_id = j.id join drm_allocations l on l.attempt_id = a.id
         join drm_allocation_nodes n on n.allocation_id = l.id`,
      )
    ).rows[0]!,
    byClass: (
      await client.query<{ name: string; mean: number; longest: number }>(
        `select j.name, avg(extract(epoch from a.placed_at - j.submitted_at))::float8 as mean,
                max(extract(epoch from a.placed_at - j.submitted_at))::float8 as longest
         from cmo_jobs j join cmo_attempts a on a.job_id = j.id and a.number = 1 group by j.name`,
      )
    ).rows,
  }));
  if (sums.ended !== total) throw new Error(`${sums.ended} of ${total} jobs succeeded`);
  const name = share === 1 ? 'baseline, 15,000 workloads' : `baseline, ${total} workloads`;
  const kueue = (value: number) =>
    share === 1 ? { Kueue: { quoted: value, source: 'reference/scheduling.md §3.2' } } : {};
  const units = cohorts * queuesPerCohort * guaranteedUnits;
  return [
    { case: name, metric: 'wall time', unit: 's', ours: sums.wall, peers: kueue(quoted.wall), bound: { atMost: 120 } },
    { case: name, metric: 'admissions', unit: '/s', ours: total / sums.wall, peers: kueue(42.7) },
    { case: name, metric: 'quota used', unit: '%', ours: (100 * sums.used) / (units * sums.wall), peers: kueue(55.9) },
    { case: name, metric: 'attempts ended for others', unit: '', ours: sums.preempted, peers: {} },
    ...classes.flatMap((work): BenchmarkCase[] => {
      const { mean, longest } = byClass.find((row) => row.name === work.name)!;
      const of = `${work.name}, ${work.units} units for ${work.runMs} ms`;
      return [
        {
          case: of,
          metric: 'time to admission, mean',
          unit: 's',
          ours: mean,
          peers: kueue(quoted[work.name]),
          ...(share === 1 && { bound: { atMost: quoted[work.name] } }),
        },
        { case: of, metric: 'time to admission, longest', unit: 's', ours: longest, peers: {} },
      ];
    }),
  ];
}

export const benchmark: Benchmark = {
  name: 'admission',
  question: 'Quotas, gangs, fair share?',
  run: (context) => context.measure('Kueue baseline', run),
};
