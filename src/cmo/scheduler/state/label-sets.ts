/**
 * Labels of nodes as small numbers: the set of labels, and the parts of the site that they name.
 *
 * Where a node stands is left out of its set: else the nodes of each rack would be of another class to every job (`core/node-classes.ts`).
 */
import { topologyLabels } from '../../../common/contract/placement.ts';
import type { NodeRow } from '../core/rows.ts';
import { Interner } from './interner.ts';

export interface NodeLabels {
  /** Index into `sets`. */
  readonly set: number;
  /** Number of each part, −1 when the node does not say. */
  readonly pod: number;
  readonly rack: number;
  readonly island: number;
}

const isTopology = (name: string) => (topologyLabels as readonly string[]).includes(name);

export class LabelSets {
  readonly sets: Record<string, string>[] = [];
  readonly #texts = new Interner();
  readonly #parts = new Interner();

  of({ siteId, labels = {} }: Pick<NodeRow, 'siteId' | 'labels'>): NodeLabels {
    const entries = Object.entries(labels)
      .filter(([name]) => !isTopology(name))
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const set = this.#texts.numberOf(JSON.stringify(entries));
    if (set === this.sets.length) this.sets.push(Object.fromEntries(entries));
    // A rack is one of its pod: two pods may number theirs alike.
    const { pod, rack, island } = labels;
    const part = (...path: (string | undefined)[]) =>
      path.at(-1) === undefined ? -1 : this.#parts.numberOf(JSON.stringify([siteId, ...path]));
    return { set, pod: part(pod), rack: part(pod, rack), island: part(pod, rack, island) };
  }
}
