/**
 * A database with a tenant, a priced site of simulated nodes, the real allocator and orchestrators that are driven round by
 * round. Time of the machines is a clock that stands still; time of the rows is moved by ageing them.
 */
import { Registry } from 'prom-client';
import {
  attemptLedger,
  insertJob,
  type JobRow,
  requestCancel,
  requestResume,
  requestSuspend,
} from '../../../../../src/cmo/jobs/index.ts';
import {
  type Backend,
  ClusterOrchestrator,
  createAgentBackend,
  endNamed,
  type Faults,
  recordSimulatedPresence,
  registerSimulatedNodes,
  type Script,
  Simulator,
} from '../../../../../src/cmo/orchestrator/index.ts';
import { ManualClock, systemClock } from '../../../../../src/common/clock.ts';
import { type JobSpecInput, jobSpecSchema } from '../../../../../src/common/contract/job-spec.ts';
import { type Database, withSystem, withTenant } from '../../../../../src/common/database/index.ts';
import { LocalWake } from '../../../../../src/common/events/index.ts';
import { newId } from '../../../../../src/common/ids.ts';
import { silentLogger } from '../../../../../src/common/logger.ts';
import { commitPlan } from '../../../../../src/drm/allocator/index.ts';
import { createSite, registerNode } from '../../../../../src/drm/tracker/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../../support/database.ts';
import { addTenant, inventory, miscounted, placement, rank } from '../../../drm/support/fleet.ts';

export type World = Awaited<ReturnType<typeof makeWorld>>;
type ScriptOver = Partial<Omit<Script, 'end' | 'faults'>> & { end?: string | number; faults?: Faults };

let owners = 0;

/** @param behindSeconds by how much the machines' clock is behind the database's: jobs may run for so long */
export async function makeWorld({
  nodeCount = 3,
  behindSeconds = 3600,
  kind = 'simulator' as 'simulator' | 'agent',
} = {}) {
  const database: TestDatabase = await createTestDatabase({ poolSize: 12 });
  const { db } = database;
  const system = <T>(fn: Parameters<typeof withSystem<T>>[1]) => withSystem(db, fn);
  const tenant = await system(addTenant);
  const clock = new ManualClock(new Date(Date.now() - behindSeconds * 1000));
  const scripts = new Map<string, ScriptOver>();
  const simulator = new Simulator({ clock, scriptOf: (attempt) => scriptOf(scripts.get(attempt.jobId) ?? {}) });
  const site = await system((tx) =>
    createSite(
      tx,
      {
        name: 'site',
        backend: kind,
        cpuUsdPerHour: 36_000n,
        memoryUsdPerHour: 3_600n,
        deviceUsdPerHour: 3_600_000n,
      },
      'test',
    ),
  );
  const names = Array.from({ length: nodeCount }, (_, index) => `node-${index}`);
  const nodes = await system(async (tx) => {
    if (kind === 'simulator') {
      return registerSimulatedNodes(
        tx,
        site,
        names.map((name) => ({ name })),
      );
    }
    const ids = names.map(() => newId('node') as string);
    for (const [index, nodeId] of ids.entries()) {
      await registerNode(tx, { nodeId, siteId: site.id, inventory: inventory({ name: names[index]! }) });
    }
    return ids;
  });
  const backends = [kind === 'simulator' ? simulator : createAgentBackend({ db, wake: new LocalWake() })];

  const world = {
    db,
    simulator,
    clock,
    nodes,
    tenant,
    system,

    /** Makes a queued job; `script` is what its attempts will do. */
    async submit(spec: Partial<JobSpecInput> = {}, script: ScriptOver = {}): Promise<string> {
      const parsed = jobSpecSchema.parse({ name: 'job', command: 'true', ...spec });
      const [job] = await withTenant(db, tenant.tenant, (tx) =>
        insertJob(tx, { tenant: tenant.tenant, project: tenant.project, spec: parsed, submittedBy: 'key' }),
      );
      scripts.set(job!.id, script);
      return job!.id;
    },

    /** Makes a queued array; its tasks in their order. */
    submitArray: (count: number) =>
      withTenant(db, tenant.tenant, (tx) =>
        insertJob(tx, {
          ...tenant,
          spec: jobSpecSchema.parse({ name: 'array', command: 'true', array: { count } }),
          submittedBy: 'key',
        }),
      ),

    /** Another tenant's id. */
    addTenant: async () => (await system(addTenant)).tenant,

    /** What the next attempts of a job will do. */
    script(jobId: string, script: ScriptOver): void {
      scripts.set(jobId, script);
    },

    /** Commits a placement of one rank a node; returns the attempt's id. */
    async place(jobId: string, on: readonly string[] = nodes.slice(0, 1)): Promise<string> {
      const { revision } = await world.job(jobId);
      const planned = { ...placement(jobId, site.id, ...on.map((node) => rank(node))), jobRevision: revision };
      const { committed, refused } = await commitPlan(db, { placements: [planned] }, attemptLedger);
      if (!committed[0]) throw new Error(`not placed: ${JSON.stringify(refused)}`);
      return committed[0].attemptId;
    },

    /** An orchestrator of another process. */
    orchestrator(over: { db?: Database; backends?: readonly Backend[]; owner?: string } = {}): ClusterOrchestrator {
      owners += 1;
      return new ClusterOrchestrator({
        db,
        wake: new LocalWake(),
        logger: silentLogger,
        clock: systemClock,
        backends,
        owner: `owner-${owners}`,
        random: () => 0.5,
        registry: new Registry(),
        ...over,
      });
    },

    /** The simulator, seen through somebody who does some things differently. */
    backendWith(over: Partial<Backend>): Backend {
      return new Proxy<Backend>(simulator, {
        get(target, key) {
          const value: unknown = Reflect.get(Object.hasOwn(over, key) ? over : target, key);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    },

    cancel: (jobId: string) => withTenant(db, tenant.tenant, (tx) => requestCancel(tx, jobId, 'key')),
    suspend: (jobId: string) => withTenant(db, tenant.tenant, (tx) => requestSuspend(tx, jobId, 'key')),
    resume: (jobId: string) => withTenant(db, tenant.tenant, (tx) => requestResume(tx, jobId, 'key')),

    /** Tells a job to stop, as a scheduler will. */
    stop: (jobId: string, why: string) =>
      system(async (tx) => {
        await tx.query(`update cmo_jobs set state = 'stopping', stop_reason = $2 where id = $1`, [jobId, why]);
        await tx.query('update cmo_attempts set due_at = now() where job_id = $1', [jobId]);
      }),

    async job(id: string): Promise<JobRow> {
      return (await db.system.query<JobRow>('select * from cmo_jobs where id = $1', [id])).rows[0]!;
    },

    /** State and outcome of a job's attempts, oldest first. */
    async attempts(jobId: string): Promise<string[]> {
      const { rows } = await db.system.query<{ text: string }>(
        `select concat_ws(' ', state, outcome) as text from cmo_attempts where job_id = $1 order by number`,
        [jobId],
      );
      return rows.map(({ text }) => text);
    },

    intervals: async (jobId: string) =>
      (
        await db.system.query<{ ms: number | null; cost: bigint | null; energy: number | null; closed: boolean }>(
          `select extract(epoch from ended_at - started_at)::float8 * 1000 as ms, cost_micro_usd as cost,
                  energy_joules as energy, ended_at is not null as closed
           from billing_usage_intervals where job_id = $1 order by attempt_id, rank`,
          [jobId],
        )
      ).rows,

    /** Seconds ago that the usage of a job ended. */
    usageEndedAgo: async (jobId: string): Promise<number> =>
      (
        await db.system.query<{ ago: number }>(
          'select extract(epoch from now() - max(ended_at))::float8 as ago from billing_usage_intervals where job_id = $1',
          [jobId],
        )
      ).rows[0]!.ago,

    /** Kinds of a job's events in their order. */
    async events(jobId: string): Promise<string[]> {
      const { rows } = await db.system.query<{ kind: string }>(
        'select kind from feed_events where subject = $1 order by id',
        [jobId],
      );
      return rows.map(({ kind }) => kind);
    },

    /** Everything that waits for a time is due now. */
    makeDue: () =>
      db.system.query(
        `update cmo_attempts set due_at = now() where state <> 'ended' and owner is null and due_at < 'infinity'`,
      ),

    /** Lets rows believe that so much time has passed since attempts were handed over and nodes were heard. */
    async age(seconds: number): Promise<void> {
      await db.system.query(
        `with beats as (update drm_heartbeats set last_acked_at = last_acked_at - make_interval(secs => $1))
         update cmo_attempts set placed_at = placed_at - make_interval(secs => $1),
           starting_at = starting_at - make_interval(secs => $1) where state <> 'ended'`,
        [seconds],
      );
    },

    /** Writes what the simulator says of its nodes into their rows. */
    presence: () => system((tx) => recordSimulatedPresence(tx, simulator, nodes)),

    setPresence: (nodeId: string, presence: string) =>
      system(async (tx) => {
        await tx.query('update drm_nodes set presence = $2 where id = $1', [nodeId, presence]);
        await tx.query(`insert into feed_dirty (kind, key) values ('node', $1)`, [nodeId]);
      }),

    /** What must hold whenever nothing is under way: no capacity held, no claim, no open interval without a live attempt. */
    async residue(): Promise<unknown> {
      const { rows } = await db.system.query(
        `select (select count(*)::int from drm_allocations where state <> 'released') as held,
                (select count(*)::int from cmo_attempts where owner is not null) as claimed,
                (select coalesce(sum(used_cpu_milli), 0)::int from drm_nodes) as cpu,
                (select count(*)::int from billing_usage_intervals u join cmo_attempts a on a.id = u.attempt_id
                 where (u.ended_at is null) <> (a.state <> 'ended')) as "wrongIntervals",
                (select count(*)::int from cmo_attempts where state <> 'ended') as live`,
      );
      return { ...rows[0], miscounted: await system(miscounted) };
    },

    close: () => database.drop(),
  };
  return world;
}

export const nothingLeft = { held: 0, claimed: 0, cpu: 0, wrongIntervals: 0, live: 0, miscounted: [] };

function scriptOf({ end = 'success', faults = {}, ...over }: ScriptOver): Script {
  return { startSeconds: 1, runSeconds: 60, stopSeconds: 1, ...over, end: endNamed(end), faults };
}
