/**
 * Is there one order of these operations on a device, each taking effect at one instant between its call and its answer, in which
 * the device is never given beyond its thousandths? (Herlihy & Wing 1990.)
 *
 * Schedulers and orchestrators see only calls and answers, and some calls never get an answer: a scheduler that dies after its commit knows
 * nothing, so such an operation may have taken effect at any time after its call, or not at all. Trying all orders is exponential; instead
 * operations are put into the order as late as possible (just-in-time linearisation, Lowe 2017): only when an answer comes must its
 * operation have happened, and only then are the ones that are still open tried before it. Devices are independent, so each is checked alone.
 * Costs the number of configurations that open operations make: few, as long as few are open on one device at a time.
 */
export interface Operation {
  readonly kind: 'acquire' | 'release';
  /** Who holds, or held: the same in both operations. */
  readonly owner: string;
  /** Thousandths, 1–1000; of both operations. */
  readonly milli: number;
  readonly calledAt: number;
  /** Infinity when no answer came. */
  readonly answeredAt: number;
  /** `refused` has no effect, whenever; without an answer it is `unknown`. */
  readonly outcome: 'ok' | 'refused' | 'unknown';
}

/** Most configurations that are followed at a time; more would be a history that nobody can judge. */
const mostConfigurations = 20_000;

interface Configuration {
  /** Thousandths by owner. */
  readonly held: ReadonlyMap<string, number>;
  /** Open operations that have happened in it. */
  readonly done: ReadonlySet<number>;
}

/**
 * Judges the history of one device.
 * @param capacity thousandths that may be held, at any time
 * @returns undefined when such an order exists, else the operation at whose answer none was left
 */
export function contradictionIn(operations: readonly Operation[], capacity = 1000): Operation | undefined {
  const steps = operations
    .flatMap((operation, index) => {
      if (operation.outcome === 'refused') return [];
      const call = { at: operation.calledAt, index, isAnswer: false };
      const hasAnswer = operation.outcome === 'ok';
      return hasAnswer ? [call, { at: operation.answeredAt, index, isAnswer: true }] : [call];
    })
    // What is called at the instant of an answer may have happened before it.
    .sort((a, b) => a.at - b.at || Number(a.isAnswer) - Number(b.isAnswer) || a.index - b.index);
  const open = new Set<number>();
  let configurations: Configuration[] = [{ held: new Map(), done: new Set() }];
  for (const { index, isAnswer } of steps) {
    if (!isAnswer) {
      open.add(index);
      continue;
    }
    const reached = withDone(configurations, index, open, operations, capacity);
    if (reached.length === 0) return operations[index];
    open.delete(index);
    configurations = distinct(
      reached.map(({ held, done }) => ({ held, done: new Set([...done].filter((other) => other !== index)) })),
    );
  }
  return undefined;
}

/** The configurations in which an operation has happened, reached through open ones wherever it has not yet. */
function withDone(
  from: readonly Configuration[],
  index: number,
  open: ReadonlySet<number>,
  operations: readonly Operation[],
  capacity: number,
): Configuration[] {
  const found: Configuration[] = [];
  const seen = new Set<string>();
  const waiting = [...from];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next.done.has(index)) {
      found.push(next);
      continue;
    }
    for (const other of open) {
      const after = next.done.has(other) ? undefined : apply(next, other, operations[other]!, capacity);
      if (after === undefined) continue;
      const key = keyOf(after);
      if (seen.has(key)) continue;
      seen.add(key);
      if (seen.size > mostConfigurations) throw new RangeError('too many operations are open at once to judge them');
      waiting.push(after);
    }
  }
  return distinct(found);
}

function apply(
  { held, done }: Configuration,
  index: number,
  operation: Operation,
  capacity: number,
): Configuration | undefined {
  const { kind, owner, milli } = operation;
  const after = new Map(held);
  if (kind === 'release') {
    if (held.get(owner) !== milli) return undefined;
    after.delete(owner);
  } else {
    const used = [...held.values()].reduce((sum, one) => sum + one, 0);
    if (held.has(owner) || used + milli > capacity) return undefined;
    after.set(owner, milli);
  }
  return { held: after, done: new Set(done).add(index) };
}

const keyOf = ({ held, done }: Configuration): string =>
  `${[...held.keys()].sort().join()}|${[...done].sort((a, b) => a - b).join()}`;

function distinct(configurations: readonly Configuration[]): Configuration[] {
  return [...new Map(configurations.map((one) => [keyOf(one), one])).values()];
}
