import { attemptLedger, insertJob } from '../../src/cmo/jobs/index.ts';
import type { AttemptToRun } from '../../src/cmo/orchestrator/backends/backend.ts';
import { createAgentBackend, endNamed, Simulator } from '../../src/cmo/orchestrator/index.ts';
import { readAttemptsToRun } from '../../src/cmo/orchestrator/queries.ts';
import { ManualClock } from '../../src/common/clock.ts';
import { jobSpecSchema } from '../../src/common/contract/job-spec.ts';
import { withSystem } from '../../src/common/database/index.ts';
import { LocalWake } from '../../src/common/events/index.ts';
import { newId } from '../../src/common/ids.ts';
import { commitPlan } from '../../src/drm/allocator/index.ts';
import { createSite, registerNode } from '../../src/drm/tracker/index.ts';
import { addTenant, inventory, placement, rank } from '../integration/drm/support/fleet.ts';
import { createTestDatabase } from '../support/database.ts';
import { type BackendHarness, describeBackend } from './backend.ts';
import { AgentStandIn } from './support/agent-stand-in.ts';

const specOf = (exitCode: number | undefined, ranks: number) =>
  jobSpecSchema.parse({
    name: 'job',
    command: 'true',
    resources: { nodes: ranks },
    env: exitCode === undefined ? {} : { EXIT: String(exitCode) },
  });

async function simulatorHarness(): Promise<BackendHarness> {
  const clock = new ManualClock();
  const begun = new Map<string, number>();
  let token = 0n;
  const backend = new Simulator({
    clock,
    scriptOf: ({ spec }) => ({
      startSeconds: 1,
      runSeconds: spec.env.EXIT === undefined ? null : 2,
      end: endNamed(spec.env.EXIT ?? 'success'),
      stopSeconds: 1,
      faults: {},
    }),
  });
  return {
    backend,
    async attempt({ ranks = 1, after, exitCode } = {}): Promise<AttemptToRun> {
      token += 1n;
      return {
        attemptId: newId('attempt'),
        jobId: after?.jobId ?? newId('job'),
        tenant: 'ten',
        number: (after?.number ?? 0) + 1,
        token,
        spec: specOf(exitCode, ranks),
        arrayIndex: null,
        ranks: Array.from({ length: ranks }, (_, index) => ({ rank: index, ...rank(`node-${index}`) })),
        checkpointHash: null,
      };
    },
    async proceed() {
      clock.advance(500);
      for (const { attemptId, rank: number } of backend.processes()) begun.set(`${attemptId}/${number}`, 1);
    },
    begun: async (attemptId, number) => begun.get(`${attemptId}/${number}`) ?? 0,
    close: async () => {},
  };
}

/** The agent backend on PostgreSQL, with pretended nodes and gateway at the other end of the rows. */
async function agentHarness(): Promise<BackendHarness> {
  const database = await createTestDatabase();
  const { db } = database;
  const owner = await withSystem(db, addTenant);
  const site = await withSystem(db, (tx) => createSite(tx, { name: 'site' }, 'test'));
  const nodes = Array.from({ length: 3 }, () => newId('node') as string);
  for (const nodeId of nodes) {
    const shape = inventory({ cpuMilli: 100_000 });
    await withSystem(db, (tx) => registerNode(tx, { nodeId, siteId: site.id, inventory: shape }));
  }
  const standIn = new AgentStandIn(db);

  /** The job of an attempt that was lost is queued again. */
  const lose = (attempt: AttemptToRun) =>
    withSystem(db, async (tx) => {
      await tx.query(`update cmo_attempts set state = 'ended', outcome = 'node-lost' where id = $1`, [
        attempt.attemptId,
      ]);
      await tx.query(`update cmo_jobs set state = 'queued', pending_reason = 'new' where id = $1`, [attempt.jobId]);
      return attempt.jobId;
    });
  const queue = (exitCode: number | undefined, ranks: number) =>
    withSystem(db, async (tx) => {
      const spec = specOf(exitCode, ranks);
      return (await insertJob(tx, { ...owner, spec, submittedBy: 'key' }))[0]!.id;
    });

  return {
    backend: createAgentBackend({ db, wake: new LocalWake() }),
    async attempt({ ranks = 1, after, exitCode } = {}) {
      const jobId = after ? await lose(after) : await queue(exitCode, ranks);
      const { rows } = await db.system.query<{ revision: bigint }>('select revision from cmo_jobs where id = $1', [
        jobId,
      ]);
      const planned = placement(jobId, site.id, ...nodes.slice(0, ranks).map((node) => rank(node)));
      const plan = { placements: [{ ...planned, jobRevision: rows[0]!.revision }] };
      const { committed } = await commitPlan(db, plan, attemptLedger);
      return (await readAttemptsToRun(db, [committed[0]!.attemptId])).get(committed[0]!.attemptId)!;
    },
    proceed: () => standIn.proceed(),
    begun: async (attemptId, number) => standIn.begun(attemptId, number),
    close: () => database.drop(),
  };
}

describeBackend('simulator', simulatorHarness);
describeBackend('agent', agentHarness);
