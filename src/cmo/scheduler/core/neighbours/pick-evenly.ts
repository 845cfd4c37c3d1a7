/**
 * The cheapest rows for the ranks of a gang, or the task of an array, that leave its parts evenly filled.
 *
 * Let n_d be what part d holds already and c_d what it gets. Wanted is the least sum of costs such that no part that gets something holds more
 * than `maxSkew` above the part that holds fewest. For a given least level m that means max(0, m − n_d) ≤ c_d ≤ m + maxSkew − n_d, and
 * then the cheapest are: in each part the cheapest rows up to its lower bound, and of the rest the cheapest up to the upper bounds (it is a
 * matroid, so greedy is exact). So every m is tried that can be met; there are about ranks / parts of them.
 */
export interface CostedRow {
  readonly row: number;
  readonly cost: number;
}

export interface Evenly {
  /** Cheapest first; lower rows first when equal. */
  readonly rows: readonly number[];
  readonly sum: number;
}

const byCost = (a: CostedRow, b: CostedRow): number => a.cost - b.cost || a.row - b.row;

/**
 * @param rows that could be taken, by part; every part is a key of `held`
 * @param held what each part holds already, ≥ 0: of all parts that count, also those in which nothing can be taken
 * @param ranks how many rows are wanted, ≥ 1
 * @returns undefined when there is no such choice
 */
export function pickEvenly(
  rows: ReadonlyMap<number, readonly CostedRow[]>,
  held: ReadonlyMap<number, number>,
  ranks: number,
  maxSkew: number,
): Evenly | undefined {
  const ordered = new Map([...rows].map(([part, some]) => [part, [...some].sort(byCost)]));
  let least = Number.POSITIVE_INFINITY;
  for (const count of held.values()) least = Math.min(least, count);
  let best: Evenly | undefined;
  for (let level = least; ; level += 1) {
    const choice = atLevel(ordered, held, ranks, level, maxSkew);
    if (choice === 'too-high') return best;
    if (choice !== undefined && (best === undefined || choice.sum < best.sum)) best = choice;
  }
}

function atLevel(
  rows: ReadonlyMap<number, readonly CostedRow[]>,
  held: ReadonlyMap<number, number>,
  ranks: number,
  level: number,
  maxSkew: number,
): Evenly | 'too-high' | undefined {
  const taken: CostedRow[] = [];
  const rest: CostedRow[] = [];
  for (const [part, count] of held) {
    const needed = Math.max(0, level - count);
    const some = rows.get(part) ?? [];
    if (needed > some.length || taken.length + needed > ranks) return 'too-high';
    taken.push(...some.slice(0, needed));
    rest.push(...some.slice(needed, Math.max(needed, level + maxSkew - count)));
  }
  if (taken.length + rest.length < ranks) return undefined;
  rest.sort(byCost);
  taken.push(...rest.slice(0, ranks - taken.length));
  taken.sort(byCost);
  return { rows: taken.map(({ row }) => row), sum: taken.reduce((sum, { cost }) => sum + cost, 0) };
}
