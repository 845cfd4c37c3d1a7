/** The in-memory store of production, from which the tests can take single protections out. */
import { MemoryStore, type MemoryTransaction } from '../../src/drm/allocator/index.ts';
import { nothing } from '../../src/drm/allocator/packing/amounts.ts';
import type { Protection } from './protections.ts';

export class LeakyStore extends MemoryStore {
  readonly #without: ReadonlySet<Protection>;

  constructor(without: ReadonlySet<Protection>) {
    super();
    this.#without = without;
  }

  override session(tx: MemoryTransaction): ReturnType<MemoryStore['session']> {
    const session = super.session(tx);
    const leaks: Partial<typeof session> = {};
    if (this.#without.has('commitCheck')) {
      leaks.lock = async (nodeIds, deviceIds) => {
        const locked = await session.lock(nodeIds, deviceIds);
        for (const [id, node] of locked.nodes) locked.nodes.set(id, { ...node, used: nothing });
        for (const [id, device] of locked.devices) locked.devices.set(id, { ...device, usedMilli: 0 });
        return locked;
      };
    }
    if (this.#without.has('heldStays')) {
      leaks.writeCounters = (nodes, devices) =>
        session.writeCounters(
          nodes.map((node) => ({ ...node, capacity: node.observed })),
          devices.map((device) => ({ ...device, milli: device.observedMilli })),
        );
    }
    return { ...session, ...leaks };
  }
}
