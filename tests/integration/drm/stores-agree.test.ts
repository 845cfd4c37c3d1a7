import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attemptLedger } from '../../../src/cmo/jobs/index.ts';
import type { WireDevice } from '../../../src/common/contract/agent/protocol.ts';
import type { Placement } from '../../../src/common/contract/plan.ts';
import { withSystem } from '../../../src/common/database/index.ts';
import type { Transaction } from '../../../src/common/database/queryable.ts';
import { MemoryStore, postgresStore, ResourceAllocator } from '../../../src/drm/allocator/index.ts';
import { createSite } from '../../../src/drm/tracker/index.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { addJobs, addTenant, device, gib, inventory, miscounted, placement, rank } from './support/fleet.ts';
import { MemoryLedger } from './support/memory-ledger.ts';

/**
 * The same generated history runs on PostgreSQL and in memory. After every step both must have answered the same, and hold the
 * same counters; PostgreSQL's counters must equal the sum of its live allocation rows.
 */

const nodeCount = 3;
const uuids = ['a', 'b', 'c'];

type Step =
  | { readonly kind: 'shape'; readonly node: number; readonly cpu: number; readonly devices: readonly WireDevice[] }
  | { readonly kind: 'commit'; readonly placements: readonly PlannedJob[] }
  | { readonly kind: 'release'; readonly picks: readonly number[] }
  | { readonly kind: 'set'; readonly node: number; readonly presence: 'ready' | 'lost'; readonly open: boolean };

interface PlannedJob {
  readonly job: number;
  readonly stale: boolean;
  readonly ranks: readonly { readonly node: number; readonly cpu: number; readonly devices: readonly PlannedShare[] }[];
}
interface PlannedShare {
  /** Mostly of the rank's own node. */
  readonly foreign: boolean;
  readonly pick: number;
  readonly milli: number;
}

const node = fc.integer({ min: 0, max: nodeCount - 1 });
// A device is missing, whole, degraded, or cut into one or two slices.
const reported = fc
  .tuple(...uuids.map(() => fc.constantFrom('gone', 'whole', 'whole', 'degraded', 'one-slice', 'two-slices')))
  .map((states) =>
    states.flatMap((state, index): WireDevice[] => {
      const uuid = uuids[index]!;
      if (state === 'gone') return [];
      const health = state === 'degraded' ? 'degraded' : 'ok';
      const whole = device(uuid, { index, health });
      const slice = (name: string) => device(`${uuid}/${name}`, { index, parentUuid: uuid, memoryBytes: 10 * gib });
      if (state === 'one-slice') return [whole, slice('1')];
      return state === 'two-slices' ? [whole, slice('1'), slice('2')] : [whole];
    }),
  );
const share = fc.record({
  foreign: fc.constantFrom(false, false, false, false, false, true),
  pick: fc.nat(20),
  milli: fc.constantFrom(1000, 1000, 1000, 500, 500, 300, 300, 0),
});
const planned = fc.record({
  job: fc.nat(15),
  stale: fc.constantFrom(false, false, false, true),
  ranks: fc.array(
    fc.record({
      node,
      cpu: fc.constantFrom(500, 1000, 4000),
      devices: fc.oneof(fc.constant([]), fc.array(share, { maxLength: 2 })),
    }),
    { minLength: 1, maxLength: 2 },
  ),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('shape' as const),
      node,
      cpu: fc.constantFrom(0, 2000, 8000),
      devices: reported,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('commit' as const),
      placements: fc.array(planned, { minLength: 1, maxLength: 5 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('release' as const),
      picks: fc.array(fc.nat(15), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      node,
      presence: fc.constantFrom('ready', 'ready', 'lost'),
      open: fc.boolean(),
    }),
  },
);
const history = fc
  .tuple(
    fc.array(reported, { minLength: nodeCount, maxLength: nodeCount }),
    fc.array(step, { maxLength: 20, size: 'max' }),
  )
  .map(([shapes, steps]): Step[] => [
    ...shapes.map((devices, node): Step => ({ kind: 'shape', node, cpu: 8000, devices })),
    ...steps,
  ]);

let database: TestDatabase;
let owner: { tenant: string; project: string };
let siteId: string;
let histories = 0;
const seen = new Map<string, number>();

beforeAll(async () => {
  database = await createTestDatabase();
  await withSystem(database.db, async (tx) => {
    owner = await addTenant(tx);
    siteId = (await createSite(tx, { name: 'model' }, 'test')).id;
  });
});
afterAll(() => database?.drop());

const system = <T>(fn: (tx: Transaction) => Promise<T>) => withSystem(database.db, fn);
const counter = (prefix: string) => {
  let next = 0;
  return () => `${prefix}_${String(next++).padStart(4, '0')}`;
};

/** Both stores at the beginning of a history, with nodes that have nothing yet. */
async function begin() {
  histories += 1;
  const nodes = Array.from({ length: nodeCount }, (_, index) => `node_${histories}_${index}`);
  const jobs = await system(async (tx) => {
    await tx.query(
      `insert into drm_nodes (id, site_id, name, backend, presence)
       select id, $2, id, 'agent', 'ready' from unnest($1::text[]) as id`,
      [nodes, siteId],
    );
    return addJobs(tx, owner, 16);
  });
  const memory = new MemoryStore();
  for (const id of nodes) memory.addNode({ id, siteId, backend: 'agent' });
  return {
    nodes,
    jobs,
    postgres: new ResourceAllocator(postgresStore(database.db), counter(`dev_${histories}`)),
    memory,
    inMemory: new ResourceAllocator(memory, counter(`dev_${histories}`)),
    ledger: new MemoryLedger(jobs, owner.tenant),
    attempts: new Map<string, { postgres: string; memory: string }>(),
  };
}
type World = Awaited<ReturnType<typeof begin>>;

/** The devices that exist are picked by number, so that plans name real ones, gone ones and others' alike. */
function toPlacement(world: World, plan: PlannedJob): Placement {
  const all = world.memory.devices();
  const ranks = plan.ranks.map(({ node, cpu, devices }) => {
    const shares = devices.flatMap(({ foreign, pick, milli }) => {
      const choice = all.filter(({ nodeId }) => foreign || nodeId === world.nodes[node]);
      return choice.length === 0 ? [] : [{ deviceId: choice[pick % choice.length]!.id as never, milli }];
    });
    return rank(world.nodes[node]!, [], { cpuMilli: cpu, devices: shares });
  });
  return { ...placement(world.jobs[plan.job]!, siteId, ...ranks), jobRevision: plan.stale ? 9n : 1n };
}

async function take(world: World, step: Step): Promise<void> {
  switch (step.kind) {
    case 'shape': {
      const shape = inventory({ cpuMilli: step.cpu, devices: [...step.devices] });
      const id = world.nodes[step.node]!;
      const changes = await Promise.all([
        system((tx) => world.postgres.setNodeShape(tx, id, shape)),
        world.memory.transaction((tx) => world.inMemory.setNodeShape(tx, id, shape)),
      ]);
      expect(changes[1]).toEqual(changes[0]);
      for (const { code } of changes[0].reasons) count(code);
      return;
    }
    case 'commit': {
      const placements = step.placements.map((plan) => toPlacement(world, plan));
      const first = await world.postgres.commitPlan({ placements }, attemptLedger);
      const second = await world.inMemory.commitPlan({ placements }, world.ledger);
      expect(second.refused).toEqual(first.refused);
      expect(second.committed.map(({ jobId }) => jobId)).toEqual(first.committed.map(({ jobId }) => jobId));
      for (const [index, { jobId, attemptId }] of first.committed.entries()) {
        world.attempts.set(jobId, { postgres: attemptId, memory: second.committed[index]!.attemptId });
        count('committed');
      }
      for (const { code } of first.refused) count(code);
      return;
    }
    case 'release': {
      const attempts = step.picks.flatMap((pick) => world.attempts.get(world.jobs[pick]!) ?? []);
      const first = await system((tx) =>
        world.postgres.release(
          tx,
          attempts.map(({ postgres }) => postgres),
        ),
      );
      const second = await world.memory.transaction((tx) =>
        world.inMemory.release(
          tx,
          attempts.map(({ memory }) => memory),
        ),
      );
      expect(second).toHaveLength(first.length);
      for (const _ of first) count('released');
      return;
    }
    case 'set': {
      const scheduling = step.open ? 'open' : 'cordoned';
      const id = world.nodes[step.node]!;
      await system((tx) =>
        tx.query('update drm_nodes set presence = $2, scheduling = $3 where id = $1', [id, step.presence, scheduling]),
      );
      await world.memory.setNode(id, { presence: step.presence, scheduling });
    }
  }
}

const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);

async function compare(world: World): Promise<void> {
  const inPostgres = await system(async (tx) => {
    const session = postgresStore(database.db).session(tx);
    const nodes = [];
    for (const id of world.nodes) nodes.push(await session.lockNode(id));
    return nodes;
  });
  const devices = world.memory.devices();
  const inMemory = world.memory.nodes().map((one) => ({
    node: one,
    devices: devices.filter(({ nodeId }) => nodeId === one.id).sort((a, b) => (a.id < b.id ? -1 : 1)),
  }));
  expect(inMemory).toEqual(inPostgres);
}

describe('PostgreSQL and memory', () => {
  it('answer the same and count the same after any history', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const world = await begin();
        for (const one of steps) {
          await take(world, one);
          await compare(world);
        }
        expect(await system(miscounted)).toEqual([]);
      }),
      { numRuns: 60, seed: 20261122, endOnFailure: true },
    );
    // Histories that never reach a case would agree for nothing.
    const cases = ['committed', 'released', 'capacity_taken', 'node_changed', 'job_changed', 'invalid'];
    for (const what of [...cases, 'device_held_but_gone', 'device_degraded']) {
      expect(seen.get(what) ?? 0, what).toBeGreaterThan(5);
    }
  }, 120_000);
});
