import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/common/clock.ts';
import { withSystem } from '../../../src/common/database/index.ts';
import { LocalWake } from '../../../src/common/events/index.ts';
import { newId } from '../../../src/common/ids.ts';
import { silentLogger } from '../../../src/common/logger.ts';
import {
  createSite,
  getNode,
  lookForLostNodes,
  PresenceWatch,
  readRollups,
  recordHeartbeats,
  registerNode,
  removeNode,
  type Site,
  settleSamples,
} from '../../../src/drm/tracker/index.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { device, deviceIds, inventory } from './support/fleet.ts';

let database: TestDatabase;
let site: Site;

beforeAll(async () => {
  database = await createTestDatabase();
  site = await system((tx) => createSite(tx, { name: 'here' }, 'test'));
});
afterAll(() => database?.drop());

const system = <T>(fn: Parameters<typeof withSystem<T>>[1]) => withSystem(database.db, fn);
const presence = async (id: string) => (await system((tx) => getNode(tx, id))).presence;
const beat = (nodeId: string) => system((tx) => recordHeartbeats(tx, [{ nodeId, bootId: 'b1' }]));

/** Nodes of the running test: those of earlier ones fall silent, on a busy machine also while this one runs. */
const own = new Set<string>();
beforeEach(() => own.clear());

async function addNode(): Promise<string> {
  const nodeId = newId('node');
  own.add(nodeId);
  await system((tx) =>
    registerNode(tx, { nodeId, siteId: site.id, inventory: inventory({ devices: [device('g0')] }) }),
  );
  return nodeId;
}

/** Makes a node's last heartbeat so old, without waiting. */
const age = (nodeId: string, seconds: number) =>
  system((tx) =>
    tx.query(
      'update drm_heartbeats set last_acked_at = clock_timestamp() - make_interval(secs => $2) where node_id = $1',
      [nodeId, seconds],
    ),
  );

/** A watch whose grace is over, and what it woke. */
function settledTracker(graceSeconds = 0) {
  const woken: string[] = [];
  const wake = new LocalWake();
  for (const topic of ['scheduler', 'orchestrator']) wake.on(topic, () => woken.push(topic));
  const options = { db: database.db, wake, clock: new ManualClock(), logger: silentLogger };
  const watch = new PresenceWatch({ graceSeconds, absenceSeconds: 10, jumpSeconds: 1e9 });
  const look = async () => (await lookForLostNodes(options, watch)).filter((id) => own.has(id));
  return { look, woken };
}

describe('presence', () => {
  it('is lost after three missed heartbeats, and wakes who must know', async () => {
    const [silent, well] = [await addNode(), await addNode()];
    await age(silent, 16);
    await age(well, 14);
    const { look, woken } = settledTracker();
    expect(await look()).toEqual([silent]);
    expect(await look()).toEqual([]);
    expect([await presence(silent), await presence(well)]).toEqual(['lost', 'ready']);
    expect(woken.sort()).toEqual(['orchestrator', 'scheduler']);
  });

  it('comes back with a heartbeat, once', async () => {
    const nodeId = await addNode();
    await age(nodeId, 60);
    await settledTracker().look();
    expect(await beat(nodeId)).toEqual({ recovered: [nodeId], refused: [] });
    expect(await beat(nodeId)).toEqual({ recovered: [], refused: [] });
    expect(await presence(nodeId)).toBe('ready');
    expect(await settledTracker().look()).not.toContain(nodeId);
  });

  it('comes back with a hello, and is not lost by the heartbeat of before', async () => {
    const nodeId = await addNode();
    await age(nodeId, 3600);
    await settledTracker().look();
    await system((tx) => registerNode(tx, { nodeId, inventory: inventory({ devices: [device('g0')] }) }));
    expect(await settledTracker().look()).toEqual([]);
    expect(await presence(nodeId)).toBe('ready');
  });

  it('is heard by its hello also when nobody noticed that it was away', async () => {
    const nodeId = await addNode();
    await age(nodeId, 3600);
    await system((tx) => registerNode(tx, { nodeId, inventory: inventory({ devices: [device('g0')] }) }));
    const { lastHeartbeatAt } = await system((tx) => getNode(tx, nodeId));
    expect(Date.now() - lastHeartbeatAt!.getTime()).toBeLessThan(60_000);
  });

  it('is not lost while the tracker has just started', async () => {
    const nodeId = await addNode();
    await age(nodeId, 3600);
    expect(await settledTracker(20).look()).toEqual([]);
    expect(await presence(nodeId)).toBe('ready');
    await beat(nodeId);
  });

  it('is not lost right after its gateway died, and is when it finds no other', async () => {
    const nodeId = await addNode();
    await age(nodeId, 20);
    const lease = (seconds: number) =>
      system((tx) =>
        tx.query(
          `insert into metapod_sessions (node_id, session_id, gateway_id, protocol, lease_until)
           values ($1, 's', 'g', 1, clock_timestamp() + make_interval(secs => $2))
           on conflict (node_id) do update set lease_until = excluded.lease_until`,
          [nodeId, seconds],
        ),
      );
    await lease(-5);
    expect(await settledTracker().look()).toEqual([]);
    await lease(-16);
    expect(await settledTracker().look()).toEqual([nodeId]);
    await beat(nodeId);
    await age(nodeId, 20);
    // A gateway that lives and hears nothing: the node is to blame.
    await lease(10);
    expect(await settledTracker().look()).toEqual([nodeId]);
  });

  it('is not kept by a heartbeat from before the clock was set back', async () => {
    const nodeId = await addNode();
    await age(nodeId, -3600);
    expect(await settledTracker().look()).toEqual([nodeId]);
  });

  it('is found lost by one of two trackers that look together', async () => {
    const nodeId = await addNode();
    await age(nodeId, 60);
    const found = await Promise.all([settledTracker().look(), settledTracker().look()]);
    expect(found.flat()).toEqual([nodeId]);
  });
});

describe('heartbeats', () => {
  it('of unknown and removed nodes are refused without harm to the others', async () => {
    const [well, removed] = [await addNode(), await addNode()];
    await system((tx) => removeNode(tx, removed, { poweredOff: false }, 'test'));
    const beats = [removed, 'node_none', well].map((nodeId) => ({ nodeId, bootId: 'b' }));
    const result = await system((tx) => recordHeartbeats(tx, beats));
    expect(result).toEqual({ recovered: [], refused: [removed, 'node_none'] });
  });

  it('of many gateways at once do not deadlock', async () => {
    const ids = await Promise.all(Array.from({ length: 8 }, addNode));
    const orders = Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? ids : [...ids].reverse()));
    await Promise.all(
      orders.map((order) =>
        system((tx) =>
          recordHeartbeats(
            tx,
            order.map((nodeId) => ({ nodeId, bootId: 'b' })),
          ),
        ),
      ),
    );
  });
});

describe('samples', () => {
  it('become roll-ups of ten seconds, which are kept for a while', async () => {
    const nodeId = await addNode();
    const gpu = (await system((tx) => deviceIds(tx, nodeId))).get('g0')!;
    const sample = (powerWatts: number) =>
      system((tx) =>
        recordHeartbeats(tx, [{ nodeId, bootId: 'b', samples: [{ subject: 'g0', data: { powerWatts } }] }]),
      );
    await sample(100);
    // As if ten minutes had passed: two samples of that slot were summed.
    await system((tx) =>
      tx.query(
        `update drm_samples set slot = slot - interval '10 minutes', sums = '{"powerWatts": [2, 300, 200]}'
         where subject_id = $1`,
        [gpu],
      ),
    );
    await sample(50);
    const read = () => system((tx) => readRollups(tx, gpu, new Date(0), new Date('2100-01-01')));
    expect(await read()).toMatchObject([{ data: { powerWatts: [2, 300, 200] } }]);

    // It falls silent: the last slot is settled by housekeeping.
    await system((tx) =>
      tx.query(`update drm_samples set slot = slot - interval '5 minutes' where subject_id = $1`, [gpu]),
    );
    expect(await settleSamples(database.db)).toBe(0);
    expect(await read()).toMatchObject([{}, { data: { powerWatts: [1, 50, 50] } }]);
    await settleSamples(database.db);
    expect(await read()).toHaveLength(2);

    await system((tx) => tx.query(`update drm_rollups set slot = slot - interval '3 days'`));
    expect(await settleSamples(database.db)).toBe(2);
    expect(await read()).toEqual([]);
  });
});
