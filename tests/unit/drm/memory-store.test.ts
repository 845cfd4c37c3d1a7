import { describe, expect, it } from 'vitest';
import { MemoryStore, ResourceAllocator } from '../../../src/drm/allocator/index.ts';
import { device, gib, inventory, placement, rank } from '../../integration/drm/support/fleet.ts';
import { MemoryLedger } from '../../integration/drm/support/memory-ledger.ts';

async function fleet() {
  const store = new MemoryStore();
  store.addNode({ id: 'n', siteId: 's', backend: 'simulator' });
  const allocator = new ResourceAllocator(store, () => 'd');
  await store.transaction((tx) => allocator.setNodeShape(tx, 'n', inventory({ devices: [device('g')] })));
  return { store, allocator, ledger: new MemoryLedger(['j1', 'j2'], 't') };
}
const placements = (...jobs: string[]) => ({ placements: jobs.map((job) => placement(job, 's', rank('n', ['d']))) });

describe('capacity in memory', () => {
  it('is given and given back', async () => {
    const { store, allocator, ledger } = await fleet();
    const { committed, refused } = await allocator.commitPlan(placements('j1', 'j2'), ledger);
    expect(committed).toMatchObject([{ jobId: 'j1' }]);
    expect(refused).toMatchObject([{ jobId: 'j2', code: 'capacity_taken' }]);
    expect(store.nodes()[0]!.used).toEqual({ cpuMilli: 1000, memoryBytes: gib, diskBytes: 0 });
    const release = () => store.transaction((tx) => allocator.release(tx, [committed[0]!.attemptId]));
    expect(await release()).toHaveLength(1);
    expect(await release()).toEqual([]);
    expect(store.held()).toEqual([]);
    expect(store.devices()[0]).toMatchObject({ usedMilli: 0, milli: 1000 });
  });

  it('says which nodes changed, once', async () => {
    const { store, allocator, ledger } = await fleet();
    expect(store.takeDirty()).toEqual(['n']);
    expect(store.takeDirty()).toEqual([]);
    await allocator.commitPlan(placements('j1'), ledger);
    expect(store.takeDirty()).toEqual(['n']);
  });

  it('keeps nothing of a transaction that throws, and goes on', async () => {
    const { store, allocator, ledger } = await fleet();
    const { committed } = await allocator.commitPlan(placements('j1'), ledger);
    const failing = store.transaction(async (tx) => {
      await allocator.release(tx, [committed[0]!.attemptId]);
      throw new Error('the rest of it failed');
    });
    await expect(failing).rejects.toThrow('the rest');
    expect(store.held()).toHaveLength(1);
    await store.setNode('n', { scheduling: 'cordoned' });
    const { refused } = await allocator.commitPlan(placements('j2'), ledger);
    expect(refused).toMatchObject([{ code: 'node_changed', detail: 'node n is cordoned' }]);
  });

  it('runs transactions one after another', async () => {
    const { store, allocator, ledger } = await fleet();
    const results = await Promise.all([
      allocator.commitPlan(placements('j1'), ledger),
      allocator.commitPlan(placements('j2'), ledger),
    ]);
    expect(results.flatMap(({ committed }) => committed)).toHaveLength(1);
    expect(store.devices()[0]!.usedMilli).toBe(1000);
  });
});
