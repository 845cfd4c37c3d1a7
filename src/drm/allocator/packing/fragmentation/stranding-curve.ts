/**
 * What of a node's free devices cannot be used because cpu or memory runs out first.
 *
 * For each class: the node's cpu feeds so many thousandths of devices at the class's own ratio; what is free beyond is stranded. The mean over
 * the classes, weighted by the devices they ask for, depends only on cpu per free thousandth, so it is one piecewise linear curve: prefix sums and
 * a binary search instead of a loop over classes. (With the mean ratio instead, all nodes look well until one is not.)
 */
import { askedMilli, type JobClass } from './job-class.ts';

export class StrandingCurve {
  /** Demand per thousandth of a device, ascending; sums over the demands from there on. */
  readonly #demand: Float64Array;
  readonly #weightFrom: Float64Array;
  readonly #slopeFrom: Float64Array;

  /** @param demandOf what a job asks for of the other thing, ≥ 0, in any unit */
  constructor(classes: readonly JobClass[], demandOf: (job: JobClass) => number) {
    const asking = classes
      .filter((job) => askedMilli(job) > 0 && demandOf(job) > 0)
      .map((job) => ({ demand: demandOf(job) / askedMilli(job), weight: job.weight * askedMilli(job) }))
      .sort((a, b) => a.demand - b.demand);
    const total = classes.reduce((sum, job) => sum + job.weight * askedMilli(job), 0);
    this.#demand = Float64Array.from(asking, ({ demand }) => demand);
    this.#weightFrom = new Float64Array(asking.length + 1);
    this.#slopeFrom = new Float64Array(asking.length + 1);
    for (let i = asking.length - 1; i >= 0; i -= 1) {
      const weight = asking[i]!.weight / total;
      this.#weightFrom[i] = this.#weightFrom[i + 1]! + weight;
      this.#slopeFrom[i] = this.#slopeFrom[i + 1]! + weight / asking[i]!.demand;
    }
  }

  /**
   * Stranded thousandths, 0..freeMilli.
   * @param freeMilli thousandths of devices that are free on the node, ≥ 0
   * @param supply what is free of the other thing, ≥ 0, in the unit of `demandOf`
   */
  at(freeMilli: number, supply: number): number {
    const demand = this.#demand;
    if (freeMilli <= 0 || demand.length === 0) return 0;
    const perMilli = supply / freeMilli;
    let from = 0;
    let to = demand.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (demand[middle]! > perMilli) to = middle;
      else from = middle + 1;
    }
    return freeMilli * this.#weightFrom[from]! - supply * this.#slopeFrom[from]!;
  }
}
