/** Nodes by key, at most so many: the key unused for longest is forgotten first. Maps keep insertion order. */
import { HazardNode } from './hazard-node.ts';

export class NodeTable {
  readonly #nodes = new Map<string, HazardNode>();
  readonly #limit: number;

  /** @param limit most keys kept, ≥ 1 */
  constructor(limit: number) {
    if (!(Number.isInteger(limit) && limit >= 1)) throw new RangeError(`a table of ${limit} keys cannot be`);
    this.#limit = limit;
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** The node of a key, made when it is new; it is now the most recently used one. */
  use(key: string): HazardNode {
    const known = this.#nodes.get(key);
    if (known !== undefined) this.#nodes.delete(key);
    else if (this.#nodes.size >= this.#limit) this.#nodes.delete(this.#nodes.keys().next().value!);
    const node = known ?? new HazardNode();
    this.#nodes.set(key, node);
    return node;
  }
}
