/**
 * Where a job may stand by its rules about other jobs, at this moment of a round; and of the nodes where it fits, the best that they allow.
 *
 * Looks at nodes only as far as it must: a single rank is found by the board's blocks, a gang looks at every node that fits. A node that does
 * not say in which part it stands satisfies no rule about such parts: what cannot be checked is not promised.
 */
import type { NeighbourTerm, ScoreTerm } from '../../../../common/contract/plan.ts';
import { BestRows } from '../best-rows.ts';
import type { Capacity } from '../capacity.ts';
import { domainOf } from '../domains.ts';
import { missedCost } from '../fit.ts';
import type { Fleet } from '../fleet.ts';
import type { Scoreboard } from '../scoreboard.ts';
import { isMet, type Judged, type RuleCode } from './judged.ts';
import type { Counts, Neighbours } from './neighbours.ts';
import { type CostedRow, pickEvenly } from './pick-evenly.ts';
import type { KeptApart, NeighbourRule, NeighbourRules, SpreadRule } from './rules.ts';

type Rejected = Partial<Record<RuleCode, number>>;

/** Nodes beyond which refusals are counted once for so many placements. */
const largeFleet = 20_000;
const placementsPerCount = 32;

export class Vicinity {
  readonly rules: NeighbourRules;
  readonly required: readonly Judged[];
  readonly #preferred: readonly Judged[];
  readonly #fleet: Fleet;
  readonly #array: string | undefined;
  /** What each part holds of the tasks of the same array. */
  readonly #tasks: Counts;
  #rejected: { readonly board: Scoreboard; readonly rejected: Rejected; left: number } | undefined;
  #parts: { readonly board: Scoreboard; readonly revision: number; readonly parts: ReadonlySet<number> } | undefined;

  /**
   * @param array that the job is a task of, if any
   * @param kept rules of others of its tenant that mean the job
   */
  constructor(
    fleet: Fleet,
    neighbours: Neighbours,
    rules: NeighbourRules,
    tenant: string,
    array: string | undefined,
    kept: readonly KeptApart[] = [],
  ) {
    this.#fleet = fleet;
    this.#array = array;
    this.rules = rules;
    const judge = (code: Judged['code'], some: readonly NeighbourRule[]): Judged[] =>
      some.map((rule) => ({
        tenant,
        code,
        rule,
        counts: neighbours.counts(tenant, { labels: rule.jobs }, rule.level),
        isTheirs: false,
      }));
    const theirs = kept.map(
      (rule): Judged => ({
        tenant,
        code: 'anti_affinity',
        rule: { ...rule, required: true, self: false },
        counts: neighbours.counts(tenant, { keeping: rule }, rule.level),
        isTheirs: true,
      }),
    );
    const judged = [...judge('affinity', rules.near), ...judge('anti_affinity', rules.apart)];
    this.required = [...judged.filter(({ rule }) => rule.required), ...theirs];
    this.#preferred = judged.filter(({ rule }) => !rule.required);
    const { spread } = rules;
    this.#tasks =
      spread === undefined || array === undefined ? new Map() : neighbours.counts(tenant, { array }, spread.level);
  }

  /** Whether it has anything to say: a job without rules of its own is free while nobody stands anywhere whose rules mean it. */
  get isInForce(): boolean {
    const { near, apart, spread } = this.rules;
    return (
      near.length + apart.length > 0 || spread !== undefined || this.required.some(({ counts }) => counts.size > 0)
    );
  }

  /** What the commit must find unchanged, as far as others could have placed jobs meanwhile; ends do no harm. */
  conditions(board: Scoreboard): NeighbourTerm[] {
    const { spread } = this.rules;
    const terms = this.required.flatMap(({ code, rule, counts, isTheirs }): NeighbourTerm[] => {
      const meant = isTheirs ? ({ keeping: true } as const) : { labels: rule.jobs };
      if (code === 'anti_affinity') return [{ meant, level: rule.level, most: 0 }];
      // Where one stands already it does no harm if there are more; the first must be the first.
      return counts.size === 0 ? [{ meant, level: null, most: 0 }] : [];
    });
    if (spread?.required !== true || board.request.ranks > 1 || this.#array === undefined) return terms;
    const most = this.#least(board, spread) + spread.maxSkew - 1;
    return [...terms, { meant: { array: this.#array }, level: spread.level, most }];
  }

  /** Whether the rules about other jobs let a rank stand on a node. */
  allows(row: number): boolean {
    return this.required.every((judged) => isMet(this.#fleet.snapshot, judged, row));
  }

  /** Whether a node meets one rule. */
  meets(judged: Judged, row: number): boolean {
    return isMet(this.#fleet.snapshot, judged, row);
  }

  /** How many of the rules that are only preferred a node does not meet. */
  missed(row: number): number {
    let missed = 0;
    for (const judged of this.#preferred) if (!isMet(this.#fleet.snapshot, judged, row)) missed += 1;
    return missed;
  }

  /** How many more than the part with fewest the part of a node would hold with one task more; undefined without a spread of tasks. */
  #skewAt(board: Scoreboard, row: number): number | undefined {
    const { spread } = this.rules;
    if (spread === undefined || board.request.ranks > 1) return undefined;
    return (this.#tasks.get(domainOf(this.#fleet.snapshot, spread.level, row)) ?? 0) + 1 - this.#least(board, spread);
  }

  /** What the rules say of a node, for explanations. */
  terms(board: Scoreboard, row: number): ScoreTerm[] {
    const skew = this.#skewAt(board, row);
    return [
      ...(this.#preferred.length === 0
        ? []
        : [{ name: 'neighbours_missed', value: this.missed(row), unit: 'preferred rules' }]),
      ...(skew === undefined ? [] : [{ name: 'skew', value: skew, unit: 'tasks above the least' }]),
    ];
  }

  /** Rows for all ranks, best first; undefined when the rules leave no room now. */
  choose(board: Scoreboard): number[] | undefined {
    const { spread } = this.rules;
    const { request } = board;
    if (board.feasibleCount < request.ranks) return undefined;
    if (request.ranks === 1) {
      const even = this.#spreads(board);
      const found = this.#best(board, even);
      if (found !== undefined || even === undefined || spread!.required) return found;
      return this.#best(board, undefined);
    }
    const fitting = this.#fitting(board);
    for (const level of request.levels) {
      for (const even of spread === undefined ? [undefined] : spread.required ? [spread] : [spread, undefined]) {
        const parts = groupBy(fitting, ({ row }) => domainOf(this.#fleet.snapshot, level, row));
        const rows = this.#bestTogether(board, parts, even);
        if (rows !== undefined) return [...rows];
      }
    }
    return undefined;
  }

  /** At most `count` of the best rows that the rules allow, best first. */
  top(board: Scoreboard, count: number): number[] {
    const even = this.#mustSpread(board);
    return this.#bestAmong(board, Math.min(count, board.feasibleCount), even).rows();
  }

  /**
   * Nodes where it fits that the rules refuse, by code. On a large fleet the count is good for some placements: it looks at every node, and
   * each placement changes few.
   */
  rejections(board: Scoreboard): Rejected {
    const known = this.#rejected;
    const isLarge = this.#fleet.snapshot.nodes.length > largeFleet;
    if (isLarge && known?.board === board && known.left > 0) {
      known.left -= 1;
      return known.rejected;
    }
    const rejected = this.#count(board);
    this.#rejected = { board, rejected, left: placementsPerCount };
    return rejected;
  }

  #count(board: Scoreboard): Rejected {
    const result: Rejected = {};
    const { snapshot } = this.#fleet;
    // Sentences are made when the round is over: other jobs were placed since.
    board.sync();
    const even = this.#mustSpread(board);
    for (let row = 0; row < snapshot.nodes.length; row += 1) {
      if (!(board.scoreOf(row) < Number.POSITIVE_INFINITY)) continue;
      const first = this.required.find((judged) => !isMet(snapshot, judged, row));
      const code = first?.code ?? (even?.(row) === false ? 'spread' : undefined);
      if (code !== undefined) result[code] = (result[code] ?? 0) + 1;
    }
    return result;
  }

  /** What could hold the job if the fleet were idle, and other jobs stood as they do now. */
  narrow(board: Scoreboard): Capacity {
    const capacity = board.capacity();
    const { ranks, within } = board.request;
    const even = this.#mustSpread(board);
    const usable = new Map<number, readonly number[]>();
    for (const [part, rows] of capacity.usable) {
      const left = rows.filter((row) => this.allows(row) && even?.(row) !== false);
      if (left.length > 0) usable.set(part, left);
    }
    const mostUsable = Math.max(0, ...[...usable.values()].map((rows) => rows.length));
    const { spread } = this.rules;
    if (spread?.required !== true || ranks === 1) return { ...capacity, usable, mostUsable };
    const pick = (rows: readonly number[], costOf: (row: number) => number) => {
      const part = domainOf(this.#fleet.snapshot, within, rows[0]!);
      const costed = rows.map((row) => ({ row, cost: costOf(row) }));
      return this.#evenly(costed, usable.get(part) ?? [], spread, ranks)?.rows;
    };
    return { ...capacity, usable, mostUsable, pick };
  }

  /** Says of a node whether one task more leaves the parts even; undefined without such a rule for a task. */
  #spreads(board: Scoreboard): ((row: number) => boolean) | undefined {
    const { spread } = this.rules;
    if (spread === undefined || board.request.ranks > 1) return undefined;
    const most = this.#least(board, spread) + spread.maxSkew;
    return (row) => {
      const part = domainOf(this.#fleet.snapshot, spread.level, row);
      return part >= 0 && (this.#tasks.get(part) ?? 0) < most;
    };
  }

  #mustSpread(board: Scoreboard): ((row: number) => boolean) | undefined {
    return this.rules.spread?.required === true ? this.#spreads(board) : undefined;
  }

  /** How many tasks the part holds that holds fewest, of those that could hold one. */
  #least(board: Scoreboard, spread: SpreadRule): number {
    const parts = this.#partsOf(board, spread);
    let least = Number.POSITIVE_INFINITY;
    let holding = 0;
    for (const [part, count] of this.#tasks) {
      if (!parts.has(part)) continue;
      holding += 1;
      least = Math.min(least, count);
    }
    return holding < parts.size || holding === 0 ? 0 : least;
  }

  /** Parts with a node that could hold a task if it were idle. */
  #partsOf(board: Scoreboard, spread: SpreadRule): ReadonlySet<number> {
    const revision = this.#fleet.classes.groupRevision;
    // Where others stand changes with every placement; else the parts change with the nodes only.
    if (this.required.length === 0 && this.#parts?.board === board && this.#parts.revision === revision) {
      return this.#parts.parts;
    }
    const parts = new Set<number>();
    for (const rows of board.capacity().usable.values()) {
      for (const row of rows) {
        const part = domainOf(this.#fleet.snapshot, spread.level, row);
        if (part >= 0 && !parts.has(part) && this.allows(row)) parts.add(part);
      }
    }
    this.#parts = { board, revision, parts };
    return parts;
  }

  #best(board: Scoreboard, even: ((row: number) => boolean) | undefined): number[] | undefined {
    const rows = this.#bestAmong(board, 1, even).rows();
    return rows.length === 0 ? undefined : rows;
  }

  #bestAmong(board: Scoreboard, count: number, even: ((row: number) => boolean) | undefined): BestRows {
    const each = missedCost(this.#fleet);
    return board.bestAmong(
      count,
      (row) => this.allows(row) && even?.(row) !== false,
      this.#preferred.length === 0 ? undefined : (row) => each * this.missed(row),
    );
  }

  /** All rows where a rank fits and may stand, by the rules about other jobs. */
  #fitting(board: Scoreboard): CostedRow[] {
    const each = missedCost(this.#fleet);
    const result: CostedRow[] = [];
    for (let row = 0; row < this.#fleet.snapshot.nodes.length; row += 1) {
      const score = board.scoreOf(row);
      if (score < Number.POSITIVE_INFINITY && this.allows(row))
        result.push({ row, cost: score + each * this.missed(row) });
    }
    return result;
  }

  /** The part whose best rows have the least sum, the lower part when equal. */
  #bestTogether(
    board: Scoreboard,
    parts: ReadonlyMap<number, readonly CostedRow[]>,
    even: SpreadRule | undefined,
  ): readonly number[] | undefined {
    const { ranks } = board.request;
    let chosen: { readonly rows: readonly number[]; readonly sum: number } | undefined;
    for (const [, rows] of [...parts].sort((a, b) => a[0] - b[0])) {
      if (rows.length < ranks) continue;
      const best =
        even === undefined
          ? cheapest(rows, ranks)
          : this.#evenly(rows, this.#usableBeside(board, rows[0]!.row), even, ranks);
      if (best !== undefined && (chosen === undefined || best.sum < chosen.sum)) chosen = best;
    }
    return chosen?.rows;
  }

  /** Rows that could hold a rank if they were idle, and may, in the same part in which all ranks must stand. */
  #usableBeside(board: Scoreboard, row: number): readonly number[] {
    const part = domainOf(this.#fleet.snapshot, board.request.within, row);
    return (board.capacity().usable.get(part) ?? []).filter((one) => this.allows(one));
  }

  #evenly(rows: readonly CostedRow[], usable: readonly number[], { level, maxSkew }: SpreadRule, ranks: number) {
    const { snapshot } = this.#fleet;
    const held = new Map<number, number>();
    for (const row of usable) {
      const part = domainOf(snapshot, level, row);
      if (part >= 0) held.set(part, 0);
    }
    return held.size === 0
      ? undefined
      : pickEvenly(
          groupBy(rows, ({ row }) => domainOf(snapshot, level, row)),
          held,
          ranks,
          maxSkew,
        );
  }
}

/** By part; what stands in none is left out. */
function groupBy(rows: readonly CostedRow[], partOf: (row: CostedRow) => number): Map<number, CostedRow[]> {
  const parts = new Map<number, CostedRow[]>();
  for (const row of rows) {
    const part = partOf(row);
    if (part < 0) continue;
    const list = parts.get(part);
    if (list === undefined) parts.set(part, [row]);
    else list.push(row);
  }
  return parts;
}

function cheapest(rows: readonly CostedRow[], ranks: number): BestRowsOf {
  const best = new BestRows(ranks);
  for (const { row, cost } of rows) if (cost < best.threshold) best.offer(cost, row);
  return { rows: best.rows(), sum: best.sum };
}

interface BestRowsOf {
  readonly rows: readonly number[];
  readonly sum: number;
}
