/**
 * Which nodes a request may and should stand on, by their labels. Looked at once for each set of labels; sets are few and never change.
 */
import type { PlacementSpec } from '../../../common/contract/placement.ts';
import type { Snapshot } from './snapshot.ts';

type Labels = Readonly<Record<string, string>>;
type Wanted = Readonly<Record<string, readonly string[]>>;

const has = (labels: Labels, name: string, values: readonly string[]) =>
  Object.hasOwn(labels, name) && values.includes(labels[name]!);

export class LabelRule {
  readonly #require: Wanted;
  readonly #avoid: Wanted;
  readonly #prefer: Wanted;
  /** By set of labels: 1 refused, 2 allowed, plus 4 times the number of preferences that are missed. */
  readonly #known: number[] = [];

  constructor({ require, avoid, prefer }: Pick<PlacementSpec, 'require' | 'avoid' | 'prefer'>) {
    this.#require = require;
    this.#avoid = avoid;
    this.#prefer = prefer;
  }

  allows(snapshot: Snapshot, row: number): boolean {
    return (this.#look(snapshot, row) & 2) !== 0;
  }

  /** How many of the labels that it prefers a node lacks, ≥ 0. */
  missed(snapshot: Snapshot, row: number): number {
    return this.#look(snapshot, row) >> 2;
  }

  #look({ nodes, labelSets }: Snapshot, row: number): number {
    const set = nodes.labelSet[row]!;
    this.#known[set] ??= this.#judge(labelSets[set] ?? {});
    return this.#known[set]!;
  }

  #judge(labels: Labels): number {
    const missed = Object.entries(this.#prefer).filter(([name, values]) => !has(labels, name, values)).length;
    const allowed =
      Object.entries(this.#require).every(([name, values]) => has(labels, name, values)) &&
      !Object.entries(this.#avoid).some(([name, values]) => has(labels, name, values));
    return 4 * missed + (allowed ? 2 : 1);
  }
}

/** The rule of a placement; undefined when it says nothing of labels. */
export function labelRuleOf(placement: PlacementSpec | undefined): LabelRule | undefined {
  if (placement === undefined) return undefined;
  const { require, avoid, prefer } = placement;
  const names = [require, avoid, prefer].flatMap((wanted) => Object.keys(wanted));
  return names.length === 0 ? undefined : new LabelRule(placement);
}
