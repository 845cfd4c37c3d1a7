/** Rules about other jobs where several schedulers place at once: the commit looks again. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { attemptLedger, insertJob } from '../../../../src/cmo/jobs/index.ts';
import { schedule } from '../../../../src/cmo/scheduler/core/schedule.ts';
import { type JobSpecInput, jobSpecSchema } from '../../../../src/common/contract/job-spec.ts';
import type { NeighbourTerm } from '../../../../src/common/contract/plan.ts';
import { withSystem } from '../../../../src/common/database/index.ts';
import type { Transaction } from '../../../../src/common/database/queryable.ts';
import { LocalWake } from '../../../../src/common/events/index.ts';
import { newId } from '../../../../src/common/ids.ts';
import { commitPlan } from '../../../../src/drm/allocator/index.ts';
import { createSite, registerNode, type Site } from '../../../../src/drm/tracker/index.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { until } from '../../../support/until.ts';
import { fleetOf, job, node, now, policy } from '../../../unit/cmo/scheduler/support/builders.ts';
import { addTenant, inventory, placement, rank } from '../../drm/support/fleet.ts';
import { startScheduler } from './support/running-scheduler.ts';

type Spec = Omit<JobSpecInput, 'name'>;

let database: TestDatabase;
let owner: { tenant: string; project: string };
let site: Site;
let number = 0;

beforeAll(async () => {
  database = await createTestDatabase({ poolSize: 20 });
});
afterAll(() => database?.drop());
beforeEach(async () => {
  number += 1;
  owner = await system(addTenant);
  site = await system((tx) => createSite(tx, { name: `site-${number}` }, 'test'));
});

const system = <T>(fn: (tx: Transaction) => Promise<T>) => withSystem(database.db, fn);

async function addNode(labels: Record<string, string> = {}): Promise<string> {
  const nodeId = newId('node') as string;
  await system((tx) => registerNode(tx, { nodeId, siteId: site.id, inventory: inventory({ labels }) }));
  return nodeId;
}

async function submit(spec: Spec, whose = owner): Promise<{ id: string; arrayId: string | null }[]> {
  const parsed = jobSpecSchema.parse({ name: 'job', command: 'true', ...spec });
  return system((tx) => insertJob(tx, { ...whose, spec: parsed, submittedBy: 'key_test' }));
}
const one = async (spec: Spec, whose = owner): Promise<string> => (await submit(spec, whose))[0]!.id;
/** Places a job on a node, as somebody planned who had seen nothing of the others. */
async function place(id: string, nodes: string | readonly string[], ...neighbours: NeighbourTerm[]): Promise<string> {
  const ranks = [nodes].flat().map((nodeId) => rank(nodeId));
  const planned = { ...placement(id, site.id, ...ranks), ...(neighbours.length > 0 && { neighbours }) };
  const { committed, refused } = await commitPlan(database.db, { placements: [planned] }, attemptLedger);
  return committed.length > 0 ? 'placed' : refused[0]!.code;
}
const apart = (level: NeighbourTerm['level'], app = 'db'): NeighbourTerm => ({
  meant: { labels: { app: [app] } },
  level,
  most: 0,
});
const keeping = (level: NeighbourTerm['level']): NeighbourTerm => ({ meant: { keeping: true }, level, most: 0 });
const db: Spec = { labels: { app: 'db' } };
const keeper: Spec = { placement: { antiAffinity: [{ jobs: { app: ['web', 'db'] }, within: 'rack' }] } };

describe('a placement with rules about other jobs', () => {
  it('is refused where one of them was placed meanwhile, and nowhere else', async () => {
    const [a, b, c] = [await addNode({ rack: 'r1' }), await addNode({ rack: 'r1' }), await addNode({ rack: 'r2' })];
    expect(await place(await one(db), a, apart('rack'))).toBe('placed');
    expect(await place(await one(db), b, apart('rack'))).toBe('capacity_taken');
    expect(await place(await one(db), a, apart('node'))).toBe('capacity_taken');
    expect(await place(await one(db), c, apart('site'))).toBe('capacity_taken');
    expect(await place(await one({}), [c, b], apart('rack'))).toBe('capacity_taken');
    expect(await place(await one(db), b, apart('node'))).toBe('placed');
    expect(await place(await one(db), c, apart('rack', 'cache'), apart('rack'))).toBe('placed');
    const other = await system(addTenant);
    expect(await place(await one(db, other), a, apart('site'))).toBe('placed');
  });

  it('knows racks of two pods apart, though they are called alike', async () => {
    const a = await addNode({ pod: 'p1', rack: 'r1', island: 'i1' });
    const b = await addNode({ pod: 'p2', rack: 'r1', island: 'i1' });
    const c = await addNode({ pod: 'p1', rack: 'r1', island: 'i2' });
    expect(await place(await one(db), a)).toBe('placed');
    expect(await place(await one(db), b, apart('rack'), apart('island'), apart('pod'))).toBe('placed');
    expect(await place(await one({}), c, apart('rack'))).toBe('capacity_taken');
    expect(await place(await one({}), c, apart('island'))).toBe('placed');
  });

  it('is refused where a job stands by now that keeps it away', async () => {
    const [a, b] = [await addNode({ rack: 'r1' }), await addNode({ rack: 'r1' })];
    expect(await place(await one(keeper), a)).toBe('placed');
    expect(await place(await one(db), b, keeping('rack'))).toBe('capacity_taken');
    expect(await place(await one(db), b, keeping('node'))).toBe('placed');
    expect(await place(await one({ labels: { app: 'other' } }), b, keeping('rack'))).toBe('placed');
    const c = await addNode({ rack: 'r2' });
    const lenient = { antiAffinity: [{ jobs: { app: 'db' }, within: 'rack' as const, required: false }] };
    expect(await place(await one({ placement: lenient }), c)).toBe('placed');
    expect(await place(await one(db), c, keeping('rack'))).toBe('placed');
  });

  it('as the first of those that stand together is refused when it is not the first, and one too many of an array is, too', async () => {
    const [a, b] = [await addNode({ rack: 'r1' }), await addNode({ rack: 'r2' })];
    expect(await place(await one(db), a, apart(null))).toBe('placed');
    expect(await place(await one(db), b, apart(null))).toBe('capacity_taken');
    const tasks = await submit({ array: { count: 3 }, placement: { spread: { over: 'rack' } } });
    const term = { meant: { array: tasks[0]!.arrayId! }, level: 'rack', most: 1 } as const;
    const codes = [];
    for (const { id } of tasks) codes.push(await place(id, a, term));
    expect(codes).toEqual(['placed', 'placed', 'capacity_taken']);
  });

  it('wins once of many that are committed in the same moment', async () => {
    const nodes = await Promise.all(Array.from({ length: 6 }, () => addNode({ rack: 'r1' })));
    const ids = await Promise.all(nodes.map(() => one(db)));
    const codes = await Promise.all(ids.map((id, i) => place(id, nodes[i]!, apart('rack'))));
    expect(codes.filter((code) => code === 'placed')).toHaveLength(1);
    expect(codes.filter((code) => code === 'capacity_taken')).toHaveLength(5);
  });
});

describe('what a plan says of it', () => {
  it('are the upper bounds that it was made by, and nothing for jobs that nobody asks about', () => {
    const rules = job('job_a', {
      labels: { app: 'own', tier: 'x' },
      placement: {
        antiAffinity: [
          { jobs: { app: 'db' }, within: 'rack' },
          { jobs: { app: 'x' }, required: false },
        ],
        affinity: [{ jobs: { app: 'own', tier: 'x' }, within: 'site' }],
      },
    });
    const racks = fleetOf([node('n1', { labels: { rack: 'r1' } }), node('n2', { labels: { rack: 'r2' } })]);
    // Placed before the one that will keep it away: another scheduler may have placed that one first.
    const before = job('job_c', { labels: { app: 'db' }, priority: 5 });
    const { placements } = schedule(racks, [rules, before, job('job_b', { labels: { app: 'cache' } })], policy(), now);
    const termsOf = (id: string) => placements.find(({ jobId }) => jobId === id)!.neighbours;
    const meant = { labels: { app: ['db'] } };
    expect(termsOf('job_a')).toEqual(
      expect.arrayContaining([
        { meant, level: 'rack', most: 0 },
        { meant: { labels: { app: ['own'], tier: ['x'] } }, level: null, most: 0 },
      ]),
    );
    expect(termsOf('job_c')).toEqual([{ meant: { keeping: true }, level: 'rack', most: 0 }]);
    expect(termsOf('job_b')).toBeUndefined();
  });

  it('counts the tasks of an array that its plan has placed before', () => {
    const tasks = ['job_1', 'job_2', 'job_3'].map((id) =>
      job(id, { array: { count: 3 }, placement: { spread: { over: 'rack' } } }, { array: 'arr_1' }),
    );
    const racks = fleetOf([node('n1', { labels: { rack: 'r1' } }), node('n2', { labels: { rack: 'r2' } })]);
    const { placements } = schedule(racks, tasks, policy(), now);
    expect(placements.map(({ neighbours }) => neighbours!.map(({ most }) => most))).toEqual([[0], [0], [1]]);
    expect(placements[0]!.neighbours).toEqual([{ meant: { array: 'arr_1' }, level: 'rack', most: 0 }]);
  });
});

describe('two schedulers on one database', () => {
  it('never put jobs into one rack that stand apart', async () => {
    const racks = ['r1', 'r2', 'r3', 'r4'];
    for (const rack of racks) for (let i = 0; i < 3; i += 1) await addNode({ rack });
    const wakes = [new LocalWake(), new LocalWake()];
    const schedulers = await Promise.all(wakes.map((wake) => startScheduler(database.db, wake)));
    try {
      const placement = {
        require: { 'site/name': `site-${number}` },
        antiAffinity: [{ jobs: { app: 'db' }, within: 'rack' as const }],
      };
      const spec: Spec = { ...db, placement };
      await Promise.all(Array.from({ length: 8 }, () => one(spec)));
      for (const wake of wakes) wake.wake('scheduler');
      const standing = () =>
        system(async (tx) => {
          const { rows } = await tx.query<{ rack: string; n: number }>(
            `select n.labels ->> 'rack' as rack, count(*)::int as n from drm_allocations l
             join drm_allocation_nodes an on an.allocation_id = l.id join drm_nodes n on n.id = an.node_id
             where l.tenant = $1 and l.state <> 'released' group by 1 order by 1`,
            [owner.tenant],
          );
          return rows;
        });
      await until('each rack has one', async () => {
        const rows = await standing();
        return rows.length === racks.length ? rows : undefined;
      });
      // The others are told why they wait, by whichever comes first.
      await until('the others wait', async () => {
        const { rows } = await system((tx) =>
          tx.query(`select from cmo_jobs where tenant = $1 and pending_reason = 'placement_rule'`, [owner.tenant]),
        );
        return rows.length === 4 ? rows : undefined;
      });
      expect(await standing()).toEqual(racks.map((rack) => ({ rack, n: 1 })));
    } finally {
      await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
    }
  }, 60_000);
});
