/**
 * Scores of all nodes for one request, kept current while a round takes capacity.
 *
 * A round places many jobs of few shapes, and each placement changes few nodes: so every node is scored once per
 * shape and then again only when it changed, at the next time that the shape is looked at, since rare shapes need not follow each change. The best is found through minima of blocks of 64 rows: an update touches one block,
 * a look-up reads rows/64 numbers; a heap would need positions and random access for no gain at these sizes. Ties go to the lower row,
 * so a round is deterministic.
 */
import type { RejectionCode } from '../../../common/contract/plan.ts';
import { BestRows } from './best-rows.ts';
import { type Capacity, capacityFor } from './capacity.ts';
import { fitNode, noNode, rejectionCodes } from './fit.ts';
import type { Fleet } from './fleet.ts';
import type { NodeRequest } from './request.ts';

const blockBits = 6;
const blockSize = 1 << blockBits;
const infeasible = Number.POSITIVE_INFINITY;
const reserved = rejectionCodes.indexOf('reserved');

export class Scoreboard {
  readonly request: NodeRequest;
  readonly #fleet: Fleet;
  /** By node row; Infinity where it does not fit. */
  readonly scores: Float64Array;
  readonly #codes: Uint8Array;
  readonly #blockMin: Float64Array;
  /** How many of the fleet's changes the scores know. */
  #known: number;
  /** Feasible nodes, and by site row. */
  feasibleCount = 0;
  readonly #siteFeasible: Int32Array;
  readonly #siteReserved: Int32Array;
  #capacity: Capacity | undefined;
  readonly #rejected = new Int32Array(rejectionCodes.length + 1);

  constructor(fleet: Fleet, request: NodeRequest) {
    const { nodes, sites } = fleet.snapshot;
    this.#fleet = fleet;
    this.request = request;
    this.#known = fleet.changes.length;
    this.scores = new Float64Array(nodes.length);
    this.#codes = new Uint8Array(nodes.length).fill(noNode);
    this.#blockMin = new Float64Array((nodes.length + blockSize - 1) >> blockBits).fill(infeasible);
    this.#siteFeasible = new Int32Array(sites.ids.length);
    this.#siteReserved = new Int32Array(sites.ids.length);
    for (let row = 0; row < nodes.length; row += 1) {
      const score = this.#record(row);
      if (score < this.#blockMin[row >> blockBits]!) this.#blockMin[row >> blockBits] = score;
    }
  }

  /** Scores the nodes again that changed since; to be called before anything is asked. */
  sync(): void {
    const { changes, lastChange } = this.#fleet;
    for (let at = this.#known; at < changes.length; at += 1) {
      // A node that changed several times is scored at its last change.
      if (lastChange[changes[at]!] === at) this.#update(changes[at]!);
    }
    this.#known = changes.length;
  }

  #update(row: number): void {
    const site = this.#fleet.snapshot.nodes.site[row]!;
    const before = this.scores[row]!;
    if (before < infeasible) {
      this.feasibleCount -= 1;
      this.#siteFeasible[site]! -= 1;
    } else {
      this.#rejected[this.#codes[row]!]! -= 1;
      if (this.#codes[row] === reserved) this.#siteReserved[site]! -= 1;
    }
    const score = this.#record(row);
    const block = row >> blockBits;
    if (score <= this.#blockMin[block]!) this.#blockMin[block] = score;
    else if (before === this.#blockMin[block]) this.#blockMin[block] = this.#leastOf(block);
  }

  #leastOf(block: number): number {
    const end = Math.min(this.scores.length, (block + 1) << blockBits);
    let least = infeasible;
    for (let i = block << blockBits; i < end; i += 1) if (this.scores[i]! < least) least = this.scores[i]!;
    return least;
  }

  #record(row: number): number {
    const site = this.#fleet.snapshot.nodes.site[row]!;
    const verdict = fitNode(this.#fleet, this.request, row);
    if (verdict >= 0) {
      this.scores[row] = verdict;
      this.feasibleCount += 1;
      this.#siteFeasible[site]! += 1;
      return verdict;
    }
    // A NaN score would come from a capacity that is no number; it is refused like too little of it.
    const code = Number.isNaN(verdict) ? rejectionCodes.indexOf('cpu') : -1 - verdict;
    this.scores[row] = infeasible;
    this.#codes[row] = code;
    this.#rejected[code]! += 1;
    if (code === reserved) this.#siteReserved[site]! += 1;
    return infeasible;
  }

  /** Rows for all ranks, best first, on one site; undefined when no site has enough nodes. */
  choose(): number[] | undefined {
    const { ranks } = this.request;
    if (this.feasibleCount < ranks) return undefined;
    if (ranks === 1) return [this.#best()];
    return this.#bestGang(ranks);
  }

  #best(): number {
    let block = 0;
    for (let i = 1; i < this.#blockMin.length; i += 1) if (this.#blockMin[i]! < this.#blockMin[block]!) block = i;
    const least = this.#blockMin[block]!;
    let row = block << blockBits;
    while (this.scores[row] !== least) row += 1;
    return row;
  }

  /** The site whose best `ranks` nodes have the least sum; the lower site row when equal. */
  #bestGang(ranks: number): number[] | undefined {
    let chosen: BestRows | undefined;
    for (let site = 0; site < this.#siteFeasible.length; site += 1) {
      if (this.#siteFeasible[site]! < ranks) continue;
      const best = this.#bestRows(ranks, site);
      if (chosen === undefined || best.sum < chosen.sum) chosen = best;
    }
    return chosen?.rows();
  }

  /** The best `count` feasible rows, on one site or (−1) on any. */
  #bestRows(count: number, site: number): BestRows {
    const best = new BestRows(count);
    const siteOf = this.#fleet.snapshot.nodes.site;
    for (let block = 0; block < this.#blockMin.length; block += 1) {
      if (!(this.#blockMin[block]! < best.threshold)) continue;
      const end = Math.min(this.scores.length, (block + 1) << blockBits);
      for (let row = block << blockBits; row < end; row += 1) {
        if (this.scores[row]! < best.threshold && (site < 0 || siteOf[row] === site))
          best.offer(this.scores[row]!, row);
      }
    }
    return best;
  }

  /** The best feasible rows, at most `count`, best first. */
  top(count: number): number[] {
    return this.#bestRows(Math.min(count, this.feasibleCount), -1).rows();
  }

  /** Whether the ranks would fit one site if nothing were kept for jobs before this one. */
  fitsWithoutReservations(): boolean {
    const { ranks } = this.request;
    return this.#siteFeasible.some((count, site) => count + this.#siteReserved[site]! >= ranks);
  }

  /** What could hold the request if the fleet were idle; the same all through the round. */
  capacity(): Capacity {
    this.#capacity ??= capacityFor(this.#fleet, this.request);
    return this.#capacity;
  }

  /** Most feasible nodes at one site. */
  mostAtOneSite(): number {
    return this.#siteFeasible.reduce((most, count) => Math.max(most, count), 0);
  }

  /** Nodes by the first reason that refused them; reasons that refused none are left out. */
  rejections(): Partial<Record<RejectionCode, number>> {
    const result: Partial<Record<RejectionCode, number>> = {};
    for (const [index, code] of rejectionCodes.entries()) {
      if (this.#rejected[index]! > 0) result[code] = this.#rejected[index]!;
    }
    return result;
  }
}
