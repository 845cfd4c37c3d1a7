import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { attemptLedger } from '../../../src/cmo/jobs/index.ts';
import type { Placement } from '../../../src/common/contract/plan.ts';
import { withSystem } from '../../../src/common/database/index.ts';
import type { Transaction } from '../../../src/common/database/queryable.ts';
import { newId } from '../../../src/common/ids.ts';
import {
  capacity,
  commitPlan,
  postgresStore,
  ResourceAllocator,
  releaseAllocations,
} from '../../../src/drm/allocator/index.ts';
import { createSite, registerNode, type Site } from '../../../src/drm/tracker/index.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { addJobs, addTenant, device, deviceIds, inventory, miscounted, placement, rank } from './support/fleet.ts';

let database: TestDatabase;
let owner: { tenant: string; project: string };
let site: Site;
let number = 0;

beforeAll(async () => {
  database = await createTestDatabase({ poolSize: 20 });
  owner = await withSystem(database.db, addTenant);
});
afterAll(() => database?.drop());
beforeEach(async () => {
  number += 1;
  site = await withSystem(database.db, (tx) => createSite(tx, { name: `site-${number}` }, 'test'));
});

const system = <T>(fn: Parameters<typeof withSystem<T>>[1]) => withSystem(database.db, fn);
const commit = (...placements: Placement[]) => commitPlan(database.db, { placements }, attemptLedger);
const jobs = (count: number) => system((tx) => addJobs(tx, owner, count));

/** A ready node with devices g0…, and the ids of those. */
async function addNode(devices = 2, over: Parameters<typeof inventory>[0] = {}) {
  const nodeId = newId('node') as string;
  const reported = Array.from({ length: devices }, (_, index) => device(`g${index}`, { index }));
  await system((tx) =>
    registerNode(tx, { nodeId, siteId: site.id, inventory: inventory({ devices: reported, ...over }) }),
  );
  const ids = await system((tx) => deviceIds(tx, nodeId));
  return { nodeId, gpus: [...ids.keys()].sort().map((uuid) => ids.get(uuid)!) };
}

async function usedOf(nodeId: string) {
  const { rows } = await system((tx) =>
    tx.query<{ cpu: bigint; memory: bigint; devices: number[]; revision: bigint }>(
      `select used_cpu_milli as cpu, used_memory_bytes as memory, revision,
         array(select used_milli from drm_devices d where d.node_id = n.id order by uuid) as devices
       from drm_nodes n where id = $1`,
      [nodeId],
    ),
  );
  return rows[0]!;
}

describe('committing a plan', () => {
  it('gives what fits, counts it, makes the attempt and moves the job', async () => {
    const { nodeId, gpus } = await addNode();
    const [job] = await jobs(1);
    const before = await usedOf(nodeId);
    const result = await commit(placement(job!, site.id, rank(nodeId, [gpus[0]!])));
    expect(result.refused).toEqual([]);
    expect(result.committed).toMatchObject([{ jobId: job }]);
    const used = await usedOf(nodeId);
    expect(used).toMatchObject({ cpu: 1000n, devices: [1000, 0] });
    expect(used.revision).toBe(before.revision + 1n);
    const { rows } = await system((tx) =>
      tx.query(
        `select j.state, a.id as attempt, l.state as allocation, l.token = a.token as same
         from cmo_jobs j join cmo_attempts a on a.job_id = j.id join drm_allocations l on l.attempt_id = a.id
         where j.id = $1`,
        [job],
      ),
    );
    expect(rows).toEqual([
      { state: 'starting', attempt: result.committed[0]!.attemptId, allocation: 'held', same: true },
    ]);
  });

  it('writes the dirty key and the event in the same transaction', async () => {
    const { nodeId } = await addNode(0);
    const [job] = await jobs(1);
    await system((tx) => tx.query('delete from feed_dirty'));
    await commit(placement(job!, site.id, rank(nodeId)));
    const dirty = await system((tx) => tx.query(`select key from feed_dirty where kind = 'node'`));
    expect(dirty.rows).toEqual([{ key: nodeId }]);
    const events = await system((tx) =>
      tx.query(`select kind, tenant from feed_events where subject = $1 and kind <> 'job.queued'`, [job]),
    );
    expect(events.rows).toEqual([{ kind: 'job.starting', tenant: owner.tenant }]);
  });

  it('lets the earlier of two placements win the same device', async () => {
    const { nodeId, gpus } = await addNode();
    const [first, second] = await jobs(2);
    const result = await commit(
      placement(first!, site.id, rank(nodeId, [gpus[0]!])),
      placement(second!, site.id, rank(nodeId, [gpus[0]!])),
    );
    expect(result.committed.map(({ jobId }) => jobId)).toEqual([first]);
    expect(result.refused).toMatchObject([{ jobId: second, code: 'capacity_taken' }]);
  });

  it('lets a later placement have what a refused one would have taken', async () => {
    const { nodeId, gpus } = await addNode(1);
    const [gang, single] = await jobs(2);
    const result = await commit(
      placement(gang!, site.id, rank(nodeId, [gpus[0]!]), rank('node_nowhere')),
      placement(single!, site.id, rank(nodeId, [gpus[0]!])),
    );
    expect(result.committed.map(({ jobId }) => jobId)).toEqual([single]);
    expect(result.refused).toMatchObject([{ jobId: gang, code: 'node_changed' }]);
  });

  it('gives a gang all of its ranks or none', async () => {
    const a = await addNode(1);
    const b = await addNode(1);
    const [other, gang, again] = await jobs(3);
    await commit(placement(other!, site.id, rank(b.nodeId, b.gpus)));
    const refused = await commit(placement(gang!, site.id, rank(a.nodeId, a.gpus), rank(b.nodeId, b.gpus)));
    expect(refused.refused).toMatchObject([{ jobId: gang, code: 'capacity_taken' }]);
    expect(await usedOf(a.nodeId)).toMatchObject({ cpu: 0n, devices: [0] });
    const c = await addNode(1);
    const given = await commit(placement(again!, site.id, rank(a.nodeId, a.gpus), rank(c.nodeId, c.gpus)));
    expect(given.committed).toHaveLength(1);
    expect(await usedOf(c.nodeId)).toMatchObject({ devices: [1000] });
  });

  it('refuses jobs that are no longer queued as planned', async () => {
    const { nodeId } = await addNode();
    const [placed, changed] = await jobs(2);
    await commit(placement(placed!, site.id, rank(nodeId)));
    const result = await commit(
      placement(placed!, site.id, rank(nodeId)),
      { ...placement(changed!, site.id, rank(nodeId)), jobRevision: 7n },
      placement('job_unknown', site.id, rank(nodeId)),
    );
    expect(result.committed).toEqual([]);
    expect(result.refused.map(({ code }) => code)).toEqual(['job_changed', 'job_changed', 'job_changed']);
  });

  it.each([
    ['lost', `presence = 'lost'`],
    ['joining', `presence = 'joining'`],
    ['cordoned', `scheduling = 'cordoned'`],
    ['draining', `scheduling = 'draining'`],
  ])('refuses a node that is %s', async (word, change) => {
    const { nodeId } = await addNode();
    const [job] = await jobs(1);
    await system((tx) => tx.query(`update drm_nodes set ${change} where id = $1`, [nodeId]));
    const result = await commit(placement(job!, site.id, rank(nodeId)));
    expect(result.refused).toEqual([{ jobId: job, code: 'node_changed', detail: `node ${nodeId} is ${word}` }]);
  });

  it('refuses a degraded device but not its neighbour', async () => {
    const { nodeId, gpus } = await addNode(2, {
      devices: [device('g0', { health: 'degraded', healthReasons: ['xid 79'] }), device('g1', { index: 1 })],
    });
    const [first, second] = await jobs(2);
    const result = await commit(
      placement(first!, site.id, rank(nodeId, [gpus[0]!])),
      placement(second!, site.id, rank(nodeId, [gpus[1]!])),
    );
    expect(result.refused).toMatchObject([{ jobId: first, code: 'node_changed' }]);
    expect(result.committed).toMatchObject([{ jobId: second }]);
  });

  it('calls plans that contradict themselves invalid, and commits the rest', async () => {
    const a = await addNode();
    const b = await addNode();
    const ids = await jobs(8);
    const bad = [
      placement(ids[0]!, site.id),
      placement(ids[1]!, site.id, rank(a.nodeId, b.gpus)),
      placement(ids[2]!, site.id, rank(a.nodeId, [a.gpus[0]!, a.gpus[0]!])),
      placement(ids[3]!, site.id, rank(a.nodeId, [], { cpuMilli: -1 })),
      placement(ids[4]!, site.id, rank(a.nodeId, [], { memoryBytes: 0.5 })),
      placement(ids[5]!, site.id, rank(a.nodeId, [], { devices: [{ deviceId: a.gpus[0] as never, milli: 1001 }] })),
      placement(ids[6]!, 'site_other', rank(a.nodeId)),
    ];
    const good = placement(ids[7]!, site.id, rank(a.nodeId, a.gpus));
    const result = await commit(...bad, good, good);
    expect(result.committed).toMatchObject([{ jobId: ids[7] }]);
    expect(result.refused.map(({ code }) => code)).toEqual(Array(8).fill('invalid'));
  });

  it('shares a device in thousandths up to the whole', async () => {
    const { nodeId, gpus } = await addNode(1);
    const ids = await jobs(4);
    const share = (job: string, milli: number) =>
      placement(job, site.id, rank(nodeId, [], { devices: [{ deviceId: gpus[0] as never, milli }] }));
    const result = await commit(share(ids[0]!, 600), share(ids[1]!, 500), share(ids[2]!, 400), share(ids[3]!, 1));
    expect(result.committed.map(({ jobId }) => jobId)).toEqual([ids[0], ids[2]]);
  });

  it('works in chunks, so that a plan of 450 is committed whole', async () => {
    const { nodeId } = await addNode(0, { cpuMilli: 400_000, memoryBytes: 2 ** 40 });
    const ids = await jobs(450);
    const result = await commit(...ids.map((id) => placement(id, site.id, rank(nodeId))));
    expect(result.committed.map(({ jobId }) => jobId)).toEqual(ids.slice(0, 400));
    expect(new Set(result.refused.map(({ code }) => code))).toEqual(new Set(['capacity_taken']));
    expect(await system(miscounted)).toEqual([]);
  });
});

describe('committing a long plan side by side', () => {
  it('gives each node to the earlier placements, whichever lane they are in', async () => {
    const room = { cpuMilli: 150_000, memoryBytes: 2 ** 40 };
    const nodes = [await addNode(0, room), await addNode(0, room), await addNode(0, room)];
    const ids = await jobs(600);
    const result = await commit(...ids.map((id, i) => placement(id, site.id, rank(nodes[i % 3]!.nodeId))));
    expect(result.committed.map(({ jobId }) => jobId).sort()).toEqual(ids.slice(0, 450).sort());
    expect(new Set(result.refused.map(({ code }) => code))).toEqual(new Set(['capacity_taken']));
    expect(await system(miscounted)).toEqual([]);
  });
});

describe('releasing', () => {
  it('gives everything back, once', async () => {
    const { nodeId, gpus } = await addNode();
    const [job] = await jobs(1);
    const { committed } = await commit(placement(job!, site.id, rank(nodeId, gpus)));
    const attempts = committed.map(({ attemptId }) => attemptId);
    expect(await system((tx) => releaseAllocations(tx, attempts))).toEqual([committed[0]!.allocationId]);
    expect(await usedOf(nodeId)).toMatchObject({ cpu: 0n, memory: 0n, devices: [0, 0] });
    expect(await system((tx) => releaseAllocations(tx, [...attempts, 'att_unknown']))).toEqual([]);
    expect(await usedOf(nodeId)).toMatchObject({ cpu: 0n, devices: [0, 0] });
  });

  it('by two at the same time gives back once', async () => {
    const { nodeId, gpus } = await addNode();
    const [job] = await jobs(1);
    const { committed } = await commit(placement(job!, site.id, rank(nodeId, gpus)));
    const attempts = committed.map(({ attemptId }) => attemptId);
    const released = await Promise.all([1, 2, 3].map(() => system((tx) => releaseAllocations(tx, attempts))));
    expect(released.flat()).toHaveLength(1);
    expect(await system(miscounted)).toEqual([]);
  });

  it('undoes nothing when its transaction fails', async () => {
    const { nodeId } = await addNode();
    const [job] = await jobs(1);
    const { committed } = await commit(placement(job!, site.id, rank(nodeId)));
    await expect(
      system(async (tx) => {
        await releaseAllocations(tx, [committed[0]!.attemptId]);
        throw new Error('the rest of it failed');
      }),
    ).rejects.toThrow('the rest');
    expect(await usedOf(nodeId)).toMatchObject({ cpu: 1000n });
  });
});

describe('many schedulers at once', () => {
  it('never give a device twice and never deadlock', async () => {
    const nodes = await Promise.all([1, 2, 3, 4].map(() => addNode(4)));
    const plans = await Promise.all(
      Array.from({ length: 16 }, async (_, planner) => {
        const ids = await jobs(12);
        // Every planner wants the same devices, walking the nodes in another order, often two at a time.
        return ids.map((id, index) => {
          const one = nodes[(planner + index) % 4]!;
          const two = nodes[(planner * 3 + index + 1) % 4]!;
          const ranks = [rank(one.nodeId, [one.gpus[index % 4]!])];
          if (index % 3 === 0 && two !== one) ranks.push(rank(two.nodeId, [two.gpus[(index + planner) % 4]!]));
          return placement(id, site.id, ...ranks);
        });
      }),
    );
    // A deadlock would end one of the transactions, which would then be run again.
    const store = postgresStore(database.db);
    let runs = 0;
    const allocator = new ResourceAllocator<Transaction>({
      lanes: store.lanes,
      session: (tx) => store.session(tx),
      transaction: (work) =>
        store.transaction((tx) => {
          runs += 1;
          return work(tx);
        }),
    });
    const results = await Promise.all(
      plans.map(async (plan, planner) => {
        const result = await allocator.commitPlan({ placements: plan }, attemptLedger);
        // Half of them give everything back at once, in between the others.
        const attempts = result.committed.map(({ attemptId }) => attemptId);
        if (planner % 2 === 0) {
          await system((tx) => {
            runs += 1;
            return releaseAllocations(tx, attempts);
          });
        }
        return result;
      }),
    );
    const answered = results.flatMap(({ committed, refused }) => [...committed, ...refused]);
    expect(answered).toHaveLength(16 * 12);
    expect(results.flatMap(({ refused }) => refused.map(({ code }) => code))).not.toContain('invalid');
    expect(results.flatMap(({ committed }) => committed).length).toBeGreaterThan(0);
    expect(await system(miscounted)).toEqual([]);
    expect(runs).toBe(16 + 8);
  });

  it('goes in pieces as small as its pace says, each when the pace lets it run', async () => {
    const { nodeId } = await addNode(0);
    const ids = await jobs(5);
    let runs = 0;
    const pace = {
      placements: () => 2,
      run: <R>(piece: () => Promise<R>) => {
        runs += 1;
        return piece();
      },
    };
    const plan = { placements: ids.map((id) => placement(id, site.id, rank(nodeId))) };
    const { committed, refused } = await commitPlan(database.db, plan, attemptLedger, pace);
    expect(refused).toEqual([]);
    expect(committed.map(({ jobId }) => jobId)).toEqual(ids);
    expect(runs).toBe(3);
  });
});

describe('the database itself', () => {
  it.each([
    ['more cores than a node has', `update drm_nodes set used_cpu_milli = cpu_milli + 1 where id = $1`],
    ['less than nothing', `update drm_nodes set used_memory_bytes = -1 where id = $1`],
    ['more than a whole device', `update drm_devices set used_milli = milli + 1 where node_id = $1`],
    ['capacity below what is used', `update drm_devices set used_milli = 500, milli = 400 where node_id = $1`],
  ])('refuses %s', async (_, statement) => {
    const { nodeId } = await addNode(1);
    await expect(system((tx) => tx.query(statement, [nodeId]))).rejects.toMatchObject({ code: '23514' });
  });

  it('refuses a second holder of a whole device', async () => {
    const { nodeId, gpus } = await addNode(1);
    const [first, second] = await jobs(2);
    const { committed } = await commit(
      placement(first!, site.id, rank(nodeId, gpus)),
      placement(second!, site.id, rank(nodeId)),
    );
    const steal = system((tx) =>
      tx.query(
        `insert into drm_allocation_devices (allocation_id, tenant, rank, device_id, milli) values ($1, $2, 0, $3, 1000)`,
        [committed[1]!.allocationId, owner.tenant, gpus[0]],
      ),
    );
    await expect(steal).rejects.toMatchObject({ code: '23505', constraint: 'drm_allocation_devices_whole' });
  });

  it('refuses a second allocation of an attempt', async () => {
    const { nodeId } = await addNode(0);
    const [job] = await jobs(1);
    const { committed } = await commit(placement(job!, site.id, rank(nodeId)));
    const twice = system((tx) =>
      tx.query(`insert into drm_allocations (id, tenant, job_id, attempt_id, token) values ('alc_x', $1, $2, $3, 1)`, [
        owner.tenant,
        job,
        committed[0]!.attemptId,
      ]),
    );
    await expect(twice).rejects.toMatchObject({ code: '23505' });
  });
});

describe('capacity', () => {
  it('sums what there is and what is given, by site and model', async () => {
    const { nodeId, gpus } = await addNode(2);
    const cordoned = await addNode(1);
    await system((tx) => tx.query(`update drm_nodes set scheduling = 'cordoned' where id = $1`, [cordoned.nodeId]));
    const [job] = await jobs(1);
    await commit(placement(job!, site.id, rank(nodeId, [gpus[0]!])));
    const here = (await system(capacity)).find(({ siteId }) => siteId === site.id);
    expect(here).toMatchObject({
      nodes: 2,
      readyNodes: 2,
      capacity: { cpuMilli: 32_000 },
      used: { cpuMilli: 1000 },
      models: [{ kind: 'gpu', model: 'H100', devices: 3, usableDevices: 2, capacityMilli: 3000, usedMilli: 1000 }],
    });
  });
});
