/** What the cluster draws while it fills: its mean power between 10 % and 80 % of demand, the range that the published figures are about. */
import { gpuMilliOf, type TraceNode, type TracePod } from '../packing/trace.ts';
import { type DrawingNode, nodeWatts } from './model.ts';

const fromPercent = 10;
const toPercent = 80;

export class Meter {
  readonly #rows: number[];
  readonly #pods: readonly TracePod[];
  readonly #capacity: number;
  /** By arrival: the row that changed and its new power. */
  readonly #changes = new Map<number, readonly [row: number, watts: number]>();

  constructor(nodes: readonly TraceNode[], pods: readonly TracePod[]) {
    this.#pods = pods;
    this.#capacity = nodes.reduce((sum, node) => sum + node.gpus * 1000, 0);
    this.#rows = nodes.map(({ cpuMilli, gpus, model }) =>
      nodeWatts({ model, cpuCapacity: cpuMilli, cpuMilli, gpuMilli: Array.from({ length: gpus }, () => 1000) }),
    );
  }

  /** Notes the node that holds the pod from its arrival on. */
  onPlaced(arrival: number, row: number, node: DrawingNode): void {
    this.#changes.set(arrival, [row, nodeWatts(node)]);
  }

  /** Mean over whole per cents of demand, watts. To be asked once, when all is placed. */
  meanWatts(): number {
    let watts = this.#rows.reduce((sum, value) => sum + value, 0);
    let arrived = 0;
    let percent = fromPercent;
    let sum = 0;
    for (const [arrival, pod] of this.#pods.entries()) {
      for (; percent <= toPercent && arrived * 100 >= percent * this.#capacity; percent += 1) sum += watts;
      arrived += gpuMilliOf(pod);
      const change = this.#changes.get(arrival);
      if (change === undefined) continue;
      watts += change[1] - this.#rows[change[0]]!;
      this.#rows[change[0]] = change[1];
    }
    return sum / (toPercent - fromPercent + 1);
  }
}
