/**
 * Which nodes a request may and should stand on, by their labels and those of their sites (`site/…`). Looked at once for each set of labels
 * and each site; sets are few and never change.
 */
import { type PlacementSpec, siteLabelPrefix } from '../../../common/contract/placement.ts';
import type { Snapshot } from './snapshot.ts';

type Labels = Readonly<Record<string, string>>;
type Wanted = Readonly<Record<string, readonly string[]>>;
type Asked = Readonly<Record<'require' | 'avoid' | 'prefer', Wanted>>;

const has = (labels: Labels, name: string, values: readonly string[]) =>
  Object.hasOwn(labels, name) && values.includes(labels[name]!);

/** 1 refused, 2 allowed, plus 4 times the number of preferences that are missed. */
function judge({ require, avoid, prefer }: Asked, labels: Labels): number {
  const missed = Object.entries(prefer).filter(([name, values]) => !has(labels, name, values)).length;
  const allowed =
    Object.entries(require).every(([name, values]) => has(labels, name, values)) &&
    !Object.entries(avoid).some(([name, values]) => has(labels, name, values));
  return 4 * missed + (allowed ? 2 : 1);
}

export class LabelRule {
  /** What is asked of nodes, and of sites, without the prefix; undefined: nothing. */
  readonly #ofNode: Asked;
  readonly #ofSite: Asked | undefined;
  /** By set of labels, and by row of the site, as `judge` says. */
  readonly #nodes: number[] = [];
  readonly #sites: number[] = [];

  constructor(asked: Asked) {
    const part = (isSite: boolean): Asked => ({
      require: namesOf(asked.require, isSite),
      avoid: namesOf(asked.avoid, isSite),
      prefer: namesOf(asked.prefer, isSite),
    });
    this.#ofNode = part(false);
    const ofSite = part(true);
    this.#ofSite = isEmpty(ofSite) ? undefined : ofSite;
  }

  allows(snapshot: Snapshot, row: number): boolean {
    return (this.#node(snapshot, row) & 2) !== 0 && (this.#site(snapshot, row) & 2) !== 0;
  }

  /** How many of the labels that it prefers a node and its site lack, ≥ 0. */
  missed(snapshot: Snapshot, row: number): number {
    return (this.#node(snapshot, row) >> 2) + (this.#site(snapshot, row) >> 2);
  }

  #node({ nodes, labelSets }: Snapshot, row: number): number {
    const set = nodes.labelSet[row]!;
    this.#nodes[set] ??= judge(this.#ofNode, labelSets[set] ?? {});
    return this.#nodes[set]!;
  }

  #site({ nodes, sites }: Snapshot, row: number): number {
    if (this.#ofSite === undefined) return 2;
    const site = nodes.site[row]!;
    this.#sites[site] ??= judge(this.#ofSite, sites.labels?.[site] ?? {});
    return this.#sites[site]!;
  }
}

/** Those of the labels that are a site's, without the prefix that says so, or the others. */
function namesOf(wanted: Wanted, isSite: boolean): Wanted {
  return Object.fromEntries(
    Object.entries(wanted).flatMap(([name, values]) => {
      if (name.startsWith(siteLabelPrefix) !== isSite) return [];
      return [[isSite ? name.slice(siteLabelPrefix.length) : name, values]];
    }),
  );
}

const isEmpty = ({ require, avoid, prefer }: Asked): boolean =>
  [require, avoid, prefer].every((wanted) => Object.keys(wanted).length === 0);

/** The rule of a placement; undefined when it says nothing of labels. */
export function labelRuleOf(placement: PlacementSpec | undefined): LabelRule | undefined {
  return placement === undefined || isEmpty(placement) ? undefined : new LabelRule(placement);
}
