/**
 * How well each node would hold one request, kept current from placement to placement and from round to round.
 *
 * The verdict on a class of nodes that are alike (`node-classes.ts`) is worked out when the first of them is met. A change of a node costs a
 * board two look-ups, done when its shape is looked at next and once for all that happened to the node since. The best is found through
 * minima of blocks of 64 rows: an update touches one block, a look-up reads rows/64 numbers; a heap would need positions and random
 * access for no gain at these sizes. A block that lost its best keeps its minimum as a lower bound until somebody wants to know.
 * Ties go to the lower row, so a round is deterministic.
 */

import type { TopologyLevel } from '../../../common/contract/placement.ts';
import type { Candidate, RejectionCode, ScoreTerm } from '../../../common/contract/plan.ts';
import { BestRows } from './best-rows.ts';
import { type Capacity, capacityFor, fitsIdleFleet } from './capacity.ts';
import { ClassVerdicts, fits, refused, unseen } from './class-verdicts.ts';
import { domainOf } from './domains.ts';
import { fitNode, rejectionCodes } from './fit.ts';
import type { Fleet } from './fleet.ts';
import type { NodeRequest } from './request.ts';
import { mostTop, TopRows } from './top-rows.ts';

const blockBits = 6;
const blockSize = 1 << blockBits;
const infeasible = Number.POSITIVE_INFINITY;
/** Code of a class whose nodes are kept for others. */
const reserved = refused + rejectionCodes.indexOf('reserved');
const cpu = rejectionCodes.indexOf('cpu');

export class Scoreboard {
  readonly request: NodeRequest;
  readonly #fleet: Fleet;
  readonly #verdicts: ClassVerdicts;
  /** By block: least score, or where `#isBound` something below it. */
  readonly #blockMin: Float64Array;
  readonly #isBound: Uint8Array;
  /** Position in the fleet's log up to which the verdicts are counted. */
  #known: number;
  /** Revision of the nodes' groups at that position. */
  #groupsKnown: number;
  /** Feasible nodes, and by site row. */
  feasibleCount = 0;
  readonly #siteFeasible: Int32Array;
  readonly #siteReserved: Int32Array;
  readonly #rejected = new Int32Array(rejectionCodes.length + 1);
  /** By class: the terms of its score, for explanations, and of which birth they are; what is missing was not asked for. */
  readonly terms = new Map<number, { readonly birth: number; readonly terms: readonly ScoreTerm[] }>();
  readonly #top = new TopRows<Candidate>();
  #capacity: Capacity | undefined;
  #capacityAt = -1;
  #fitsIdle = false;
  #fitsIdleAt = -1;

  /** @param source a board of the same request by another scoring: what does not fit needs no second look */
  constructor(fleet: Fleet, request: NodeRequest, source?: Scoreboard) {
    const { nodes, sites } = fleet.snapshot;
    this.#fleet = fleet;
    this.request = request;
    this.#known = fleet.classes.log.end;
    this.#groupsKnown = fleet.classes.groupRevision;
    this.#verdicts = new ClassVerdicts(fleet.classes.end + 64);
    this.#blockMin = new Float64Array((nodes.site.length + blockSize - 1) >> blockBits);
    this.#isBound = new Uint8Array(this.#blockMin.length);
    this.#siteFeasible = new Int32Array(sites.ids.length);
    this.#siteReserved = new Int32Array(sites.ids.length);
    if (source !== undefined) {
      source.sync();
      this.#verdicts.copyRefusals(source.#verdicts);
    }
    this.#judgeAll();
  }

  /** Brings the board up to date with what changed; to be called before anything is asked. */
  sync(): void {
    const { log, end: classes } = this.#fleet.classes;
    const known = this.#known;
    if (known === log.end) return;
    this.#verdicts.grow(classes);
    this.#known = log.end;
    // What never fits a node whatever is free of it needs no look at its changes, unless the node itself became another.
    const { group, groupRevision } = this.#fleet.classes;
    const maySkip = groupRevision === this.#groupsKnown;
    this.#groupsKnown = groupRevision;
    if (known < log.base) {
      this.#verdicts.forget();
      this.#judgeAll();
      return;
    }
    const { rows, from, fromSite, to, fresh, before, base } = log;
    const { idle } = this.request;
    const { codes } = this.#verdicts;
    const end = log.end - base;
    for (let at = known - base; at < end; at += 1) {
      const row = rows[at]!;
      const refusal = maySkip ? idle.refusal(group[row]!) : undefined;
      if (refusal !== undefined && refusal >= 0) {
        codes[to[at]!] = refused + refusal;
        continue;
      }
      if (fresh[at] === 1) codes[to[at]!] = unseen;
      // A node that changed several times goes from its first class to its last.
      if (before[at]! < known && from[at]! >= 0) this.#leave(row, codes[from[at]!]!, fromSite[at]!);
      if (log.lastOf(row) === base + at) this.#enter(row, to[at]!);
    }
  }

  #judgeAll(): void {
    this.terms.clear();
    this.#top.clear();
    this.feasibleCount = 0;
    this.#siteFeasible.fill(0);
    this.#siteReserved.fill(0);
    this.#rejected.fill(0);
    this.#blockMin.fill(infeasible);
    this.#isBound.fill(0);
    const { of } = this.#fleet.classes;
    const { length } = this.#fleet.snapshot.nodes;
    for (let row = 0; row < length; row += 1) this.#enter(row, of[row]!);
  }

  #enter(row: number, number: number): void {
    let code = this.#verdicts.codes[number]!;
    if (code === unseen) code = this.#verdicts.set(number, this.#judge(row));
    if (code !== fits) {
      this.#rejected[code - refused]! += 1;
      if (code === reserved) this.#siteReserved[this.#fleet.classes.site[number]!]! += 1;
      return;
    }
    const score = this.#verdicts.scores[number]!;
    this.feasibleCount += 1;
    this.#siteFeasible[this.#fleet.classes.site[number]!]! += 1;
    this.#top.enter(score, row);
    const block = row >> blockBits;
    if (score >= this.#blockMin[block]!) return;
    this.#blockMin[block] = score;
    this.#isBound[block] = 0;
  }

  /** @param code of the class that it was of */
  #leave(row: number, code: number, site: number): void {
    if (code !== fits) {
      this.#rejected[code - refused]! -= 1;
      if (code === reserved) this.#siteReserved[site]! -= 1;
      return;
    }
    this.feasibleCount -= 1;
    this.#siteFeasible[site]! -= 1;
    this.#top.leave(row);
    this.#isBound[row >> blockBits] = 1;
  }

  #judge(row: number): number {
    const verdict = fitNode(this.#fleet, this.request, row);
    // A NaN score would come from a capacity that is no number; it is refused like too little of it.
    return Number.isNaN(verdict) ? -1 - cpu : verdict;
  }

  /** Score of a node, Infinity where the request does not fit. */
  scoreOf(row: number): number {
    return this.#verdicts.scoreOf(this.#fleet.classes.of[row]!);
  }

  /** Whether a node would hold the request and is refused for nothing but being kept for others. */
  isKept(row: number): boolean {
    return this.#verdicts.codes[this.#fleet.classes.of[row]!]! === reserved;
  }

  /** Makes the minimum of a block exact. */
  #settle(block: number): void {
    if (this.#isBound[block] === 0) return;
    const { of } = this.#fleet.classes;
    const end = Math.min(this.#fleet.snapshot.nodes.length, (block + 1) << blockBits);
    let least = infeasible;
    for (let row = block << blockBits; row < end; row += 1) {
      const score = this.#verdicts.scoreOf(of[row]!);
      if (score < least) least = score;
    }
    this.#blockMin[block] = least;
    this.#isBound[block] = 0;
  }

  /** Rows for all ranks, best first, on one site; undefined when no site has enough nodes. */
  choose(): number[] | undefined {
    const { ranks } = this.request;
    if (this.feasibleCount < ranks) return undefined;
    if (ranks === 1) return [this.#topOf(1).rows[0]!];
    for (const level of this.request.levels) {
      const rows = level === 'site' ? this.#bestGang(ranks) : this.#bestTogether(ranks, level);
      if (rows !== undefined) return rows;
    }
    return undefined;
  }

  /** The list of the best rows, with at least so many or all that there are; at most `mostTop`. */
  #topOf(count: number): TopRows<Candidate> {
    const top = this.#top;
    if (top.length < Math.min(count, this.feasibleCount)) {
      top.fill(this.#bestRows(mostTop, -1), (row) => this.scoreOf(row));
    }
    return top;
  }

  /** The site whose best `ranks` nodes have the least sum; the lower site row when equal. */
  #bestGang(ranks: number): number[] | undefined {
    if (this.#siteFeasible.length === 1 && ranks <= mostTop) return this.top(ranks);
    let chosen: BestRows | undefined;
    for (let site = 0; site < this.#siteFeasible.length; site += 1) {
      if (this.#siteFeasible[site]! < ranks) continue;
      const best = this.#bestRows(ranks, site);
      if (chosen === undefined || best.sum < chosen.sum) chosen = best;
    }
    return chosen?.rows();
  }

  /** As `#bestGang`, in one part of a finer level. */
  #bestTogether(ranks: number, level: TopologyLevel): number[] | undefined {
    const { snapshot, classes } = this.#fleet;
    const parts = new Map<number, BestRows>();
    for (let row = 0; row < snapshot.nodes.length; row += 1) {
      const score = this.#verdicts.scoreOf(classes.of[row]!);
      const part = score < infeasible ? domainOf(snapshot, level, row) : -1;
      if (part < 0) continue;
      const best = parts.get(part) ?? new BestRows(ranks);
      parts.set(part, best);
      if (score < best.threshold) best.offer(score, row);
    }
    let chosen: readonly [part: number, best: BestRows] | undefined;
    for (const [part, best] of parts) {
      if (best.length < ranks) continue;
      if (chosen === undefined || best.sum < chosen[1].sum || (best.sum === chosen[1].sum && part < chosen[0])) {
        chosen = [part, best];
      }
    }
    return chosen?.[1].rows();
  }

  /** The best `count` feasible rows, on one site or (−1) on any. */
  #bestRows(count: number, site: number): BestRows {
    const best = new BestRows(count);
    const { of, site: siteOf } = this.#fleet.classes;
    const { length } = this.#fleet.snapshot.nodes;
    for (let block = 0; block < this.#blockMin.length; block += 1) {
      if (!(this.#blockMin[block]! < best.threshold)) continue;
      this.#settle(block);
      if (!(this.#blockMin[block]! < best.threshold)) continue;
      const end = Math.min(length, (block + 1) << blockBits);
      for (let row = block << blockBits; row < end; row += 1) {
        const number = of[row]!;
        const score = this.#verdicts.scoreOf(number);
        if (score < best.threshold && (site < 0 || siteOf[number] === site)) best.offer(score, row);
      }
    }
    return best;
  }

  /** The best feasible rows, at most `count`, best first. */
  top(count: number): number[] {
    const found = Math.min(count, this.feasibleCount);
    if (found > mostTop) return this.#bestRows(found, -1).rows();
    return Array.from(this.#topOf(found).rows.subarray(0, found));
  }

  /** As `top`, as explanations list them; what was made of a row is kept while its score stands. @param count at most `mostTop` */
  candidates(count: number, make: (row: number) => Candidate): Candidate[] {
    const found = Math.min(count, this.feasibleCount);
    const { rows, kept } = this.#topOf(found);
    const result: Candidate[] = [];
    for (let i = 0; i < found; i += 1) {
      kept[i] ??= make(rows[i]!);
      result.push(kept[i]!);
    }
    return result;
  }

  /** The best `count` feasible rows that are accepted. @param extra added to a score, ≥ 0 */
  bestAmong(count: number, accept: (row: number) => boolean, extra: ((row: number) => number) | undefined): BestRows {
    const best = new BestRows(count);
    const { of } = this.#fleet.classes;
    const { length } = this.#fleet.snapshot.nodes;
    for (let block = 0; block < this.#blockMin.length; block += 1) {
      if (!(this.#blockMin[block]! < best.threshold)) continue;
      const end = Math.min(length, (block + 1) << blockBits);
      for (let row = block << blockBits; row < end; row += 1) {
        const plain = this.#verdicts.scoreOf(of[row]!);
        if (!(plain < best.threshold) || !accept(row)) continue;
        const score = extra === undefined ? plain : plain + extra(row);
        if (score < best.threshold) best.offer(score, row);
      }
    }
    return best;
  }

  /** As `top`, on one site. */
  topAt(count: number, site: number): number[] {
    return this.#bestRows(count, site).rows();
  }

  /** Whether the ranks would fit one site if nothing were kept for jobs before this one. */
  fitsWithoutReservations(): boolean {
    const { ranks, within } = this.request;
    if (within !== 'site') return this.#mostIn(within, true) >= ranks;
    return this.#siteFeasible.some((count, site) => count + this.#siteReserved[site]! >= ranks);
  }

  /** What could hold the request if the fleet were idle; the same all through the round. */
  capacity(): Capacity {
    const { groupRevision } = this.#fleet.classes;
    if (this.#capacity === undefined || this.#capacityAt !== groupRevision) {
      this.#capacity = capacityFor(this.#fleet, this.request);
      this.#capacityAt = groupRevision;
    }
    return this.#capacity;
  }

  /** Whether an idle fleet, as it is usable and priced now, could hold all ranks together. */
  fitsIdle(): boolean {
    const { groupRevision } = this.#fleet.classes;
    if (this.#fitsIdleAt !== groupRevision) {
      this.#fitsIdle = fitsIdleFleet(this.#fleet, this.request);
      this.#fitsIdleAt = groupRevision;
    }
    return this.#fitsIdle;
  }

  /** Most feasible nodes in one part, and those that are kept for others too. */
  #mostIn(level: TopologyLevel, reservedToo: boolean): number {
    const { snapshot, classes } = this.#fleet;
    const counts = new Map<number, number>();
    for (let row = 0; row < snapshot.nodes.length; row += 1) {
      const code = this.#verdicts.codes[classes.of[row]!]!;
      if (code !== fits && !(reservedToo && code === reserved)) continue;
      const part = domainOf(snapshot, level, row);
      if (part >= 0) counts.set(part, (counts.get(part) ?? 0) + 1);
    }
    return Math.max(0, ...counts.values());
  }

  /** Most feasible nodes in one part of the fleet in which all ranks must stand, usually a site. */
  mostTogether(): number {
    if (this.request.within !== 'site') return this.#mostIn(this.request.within, false);
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
