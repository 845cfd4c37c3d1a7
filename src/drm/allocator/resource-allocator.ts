/**
 * Gives capacity away and takes it back; the one place where either happens.
 *
 * Schedulers plan on snapshots that may be stale, so two plans can want the same device. Locking the fleet while planning
 * would serialise the slow part; instead plans are optimistic and this transaction looks again, under locks that everybody takes
 * in one order. What was refused returns to the queue and costs one round. Below it, the database's own constraints refuse
 * to give anything twice, should this code be wrong.
 */
import type {
  CommitResult,
  CommittedPlacement,
  Placement,
  Plan,
  RefusedPlacement,
} from '../../common/contract/plan.ts';
import { failpoint } from '../../common/failpoints.ts';
import { newId } from '../../common/ids.ts';
import { commitChunk } from './commit.ts';
import { divideIntoLanes } from './lanes.ts';
import type { AttemptLedger } from './ledger.ts';
import { sortOut } from './packing/contradictions.ts';
import type { HealthReason } from './packing/counters.ts';
import { giveBack } from './packing/give-back.ts';
import { reshape } from './packing/reshape.ts';
import type { WireNodeShape } from './packing/shape.ts';
import type { AllocatorStore } from './store.ts';

/** Placements of one transaction: larger ones are a little faster and hold locks longer. */
export const chunkSize = 200;

/** How the transactions of a plan make room for others. */
export interface Pace {
  /** Most placements of the next transaction, 1 to `chunkSize`. */
  placements(): number;
  /** Runs a transaction when there is room for it. @returns its result, when the next one may be asked for */
  run<R>(transaction: () => Promise<R>): Promise<R>;
}

export interface ShapeChange {
  /** Whether anything differs from what was known: counters, devices or their facts. */
  readonly changed: boolean;
  readonly reasons: readonly HealthReason[];
}

export class ResourceAllocator<T> {
  readonly #store: AllocatorStore<T>;
  readonly #newDeviceId: () => string;

  /** @param newDeviceId makes ids of devices; simulations pass a reproducible one */
  constructor(store: AllocatorStore<T>, newDeviceId: () => string = () => newId('device')) {
    this.#store = store;
    this.#newDeviceId = newDeviceId;
  }

  /**
   * Commits the part of a plan that still fits, in chunks of at most 200 placements, each a transaction, some of them side by side.
   *
   * A crash between chunks leaves those before it committed and the other jobs queued. After an error nobody knows what the
   * failed chunk did; the jobs' rows do.
   *
   * @param plan placements in priority order; of those that want the same node earlier ones win
   * @param pace makes room for others between transactions; default: none is made
   * @returns what was committed and what was refused, with codes
   * @throws SolyxError `database_unavailable` when the database went away or conflicts did not end
   */
  async commitPlan(plan: Pick<Plan, 'placements'>, ledger: AttemptLedger<T>, pace?: Pace): Promise<CommitResult> {
    const { sound, refused } = sortOut(plan.placements);
    const lanes = divideIntoLanes(sound, this.#store.lanes, chunkSize);
    // All are waited for: after a failure nothing of this plan may still be under way.
    const results = await Promise.allSettled(lanes.map((lane) => this.#commitLane(lane, ledger, pace)));
    const committed: CommittedPlacement[] = [];
    const refusals: RefusedPlacement[] = [...refused];
    for (const result of results) {
      if (result.status === 'rejected') throw result.reason;
      committed.push(...result.value.committed);
      refusals.push(...result.value.refused);
    }
    return { committed, refused: refusals };
  }

  async #commitLane(placements: readonly Placement[], ledger: AttemptLedger<T>, pace?: Pace): Promise<CommitResult> {
    const committed: CommittedPlacement[] = [];
    const refused: RefusedPlacement[] = [];
    for (let from = 0, to = 0; from < placements.length; from = to) {
      to = from + (pace?.placements() ?? chunkSize);
      const chunk = placements.slice(from, to);
      const commit = () => this.#commitOnce(chunk, ledger);
      const result = await (pace ? pace.run(commit) : commit());
      committed.push(...result.committed);
      refused.push(...result.refused);
    }
    return { committed, refused };
  }

  async #commitOnce(chunk: readonly Placement[], ledger: AttemptLedger<T>): Promise<CommitResult> {
    const result = await this.#store.transaction(async (tx) => {
      const written = await commitChunk(tx, this.#store.session(tx), ledger, chunk);
      failpoint('allocator.before-commit');
      return written;
    });
    failpoint('allocator.after-commit');
    return result;
  }

  /**
   * Gives back what these attempts hold, in the transaction that ends them. What is released already, or never held, is no error.
   *
   * @returns ids of the allocations that were released by this call
   */
  async release(tx: T, attemptIds: readonly string[]): Promise<string[]> {
    if (attemptIds.length === 0) return [];
    const session = this.#store.session(tx);
    const { held, locked } = await session.lockHeld(attemptIds);
    if (held.length === 0) return [];
    giveBack(
      held.flatMap(({ holdings }) => holdings),
      locked,
    );
    await session.writeCounters([...locked.nodes.values()], [...locked.devices.values()]);
    await session.markReleased(held);
    return held.map(({ id }) => id);
  }

  /**
   * Takes over what a node reports of itself. Nothing that is held is taken away by it.
   *
   * @throws Error when there is no such node
   */
  async setNodeShape(tx: T, nodeId: string, shape: WireNodeShape): Promise<ShapeChange> {
    const session = this.#store.session(tx);
    const found = await session.lockNode(nodeId);
    if (!found) throw new Error(`node ${nodeId} has no row`);
    const { node, nodeChanged, added, changed } = reshape(found.node, found.devices, shape, this.#newDeviceId);
    const anything = nodeChanged || added.length > 0 || changed.length > 0;
    if (anything) {
      await session.insertDevices(added);
      await session.writeDeviceFacts(changed);
      await session.writeCounters([node], changed);
    }
    return { changed: anything, reasons: node.healthReasons };
  }
}
