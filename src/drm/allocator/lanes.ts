/**
 * Divides a plan into parts that can be committed side by side.
 *
 * Chunks one after the other leave all but one core of the database idle, and every flush of its log is waited for. Chunks side by side would
 * wait for each other's locks on nodes, and a later placement could win over an earlier one. So placements that share a node, directly or
 * through a gang, go into one lane, in the plan's order; between lanes nothing is shared but the log.
 */
import type { Placement } from '../../common/contract/plan.ts';

/**
 * @param lanes most parts, ≥ 1
 * @param least placements below which a further lane is not worth its transaction
 * @returns one to `lanes` parts, none empty unless there are no placements; each in plan order
 */
export function divideIntoLanes(placements: readonly Placement[], lanes: number, least: number): Placement[][] {
  const wanted = Math.min(lanes, Math.ceil(placements.length / least));
  if (wanted <= 1) return [[...placements]];
  const groups = new NodeGroups();
  for (const { ranks } of placements) groups.join(ranks.map(({ nodeId }) => nodeId));
  const sizes = new Map<string, number>();
  for (const { ranks } of placements) {
    const group = groups.of(ranks[0]!.nodeId);
    sizes.set(group, (sizes.get(group) ?? 0) + 1);
  }
  // The largest groups first, each into the lane that has least.
  const laneOf = new Map<string, number>();
  const loads = new Array<number>(wanted).fill(0);
  for (const [group, size] of [...sizes].sort((a, b) => b[1] - a[1])) {
    const lane = loads.indexOf(Math.min(...loads));
    loads[lane]! += size;
    laneOf.set(group, lane);
  }
  const parts: Placement[][] = loads.map(() => []);
  for (const placement of placements) parts[laneOf.get(groups.of(placement.ranks[0]!.nodeId))!]!.push(placement);
  return parts.filter((part) => part.length > 0);
}

/** Nodes that some placement has together (union-find with path halving). */
class NodeGroups {
  readonly #parent = new Map<string, string>();

  join(nodeIds: readonly string[]): void {
    const head = this.of(nodeIds[0]!);
    for (const id of nodeIds) this.#parent.set(this.of(id), head);
  }

  of(nodeId: string): string {
    let id = nodeId;
    for (;;) {
      const parent = this.#parent.get(id);
      if (parent === undefined) {
        this.#parent.set(id, id);
        return id;
      }
      if (parent === id) return id;
      const above = this.#parent.get(parent)!;
      this.#parent.set(id, above);
      id = above;
    }
  }
}
