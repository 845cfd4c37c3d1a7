/**
 * A homogeneous cluster: nodes of equal size; one node makes a pool.
 *
 * A job up to a node's size stands on one node, the tightest that holds it; a larger one on whole free nodes plus the
 * tightest for the remainder (Helios' "consolidate", SC'21).
 */
import type { Held } from './order/backfill.ts';

export class Cluster {
  readonly perNode: number;
  readonly free: Int32Array;

  constructor(nodes: number, perNode: number) {
    this.perNode = perNode;
    this.free = new Int32Array(nodes).fill(perNode);
  }

  get capacity(): number {
    return this.free.length * this.perNode;
  }

  /** The most that is free on one node. */
  get mostFree(): number {
    return this.free.reduce((most, free) => Math.max(most, free), 0);
  }

  /** Where a job of `size` would stand. @param within a second limit by node, besides `free` */
  place(size: number, free: Int32Array = this.free, within: Int32Array = free): Held[] | undefined {
    const held: Held[] = [];
    for (let left = Math.floor(size / this.perNode), node = 0; left > 0; node++) {
      if (node === free.length) return undefined;
      if (Math.min(free[node]!, within[node]!) < this.perNode) continue;
      held.push({ node, amount: this.perNode });
      left -= 1;
    }
    const rest = size % this.perNode;
    if (rest === 0) return held;
    let tightest = -1;
    for (let node = 0; node < free.length; node++) {
      if (free[node]! < rest || within[node]! < rest || held.some((part) => part.node === node)) continue;
      if (tightest < 0 || free[node]! < free[tightest]!) tightest = node;
    }
    if (tightest < 0) return undefined;
    held.push({ node: tightest, amount: rest });
    return held;
  }

  take(held: readonly Held[]): void {
    for (const { node, amount } of held) this.free[node]! -= amount;
  }

  give(held: readonly Held[]): void {
    for (const { node, amount } of held) this.free[node]! += amount;
  }
}
