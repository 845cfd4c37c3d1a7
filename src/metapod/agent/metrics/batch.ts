/**
 * Values gathered for one batch, those of one step joined and no others: how wide the points of a series must be is
 * known only where all of it lies, and what was joined once never comes apart. What has no room waits in its file.
 */
import { metricLimits, type WireSeries } from '../../../common/contract/agent/metrics.ts';
import { type Bucket, bucketOf, joinBuckets } from '../../../common/metric-buckets.ts';

export class MetricBatch {
  /** Values and lines that were not taken. */
  ignored = 0;
  #points = 0;
  readonly #series = new Map<string, Map<number, Bucket>>();

  get isEmpty(): boolean {
    return this.#series.size === 0 && this.ignored === 0;
  }

  /** There may be no room for the values of one more step: what comes next belongs into the next batch. */
  get isFull(): boolean {
    return this.#points > metricLimits.pointsPerBatch - metricLimits.seriesPerRank;
  }

  /** @param value null: a gap */
  add(name: string, step: number, at: number, value: number | null): void {
    let series = this.#series.get(name);
    if (series === undefined) {
      if (this.#series.size >= metricLimits.seriesPerRank) {
        this.ignored += 1;
        return;
      }
      series = new Map();
      this.#series.set(name, series);
    }
    const bucket = bucketOf(step, at, value);
    const known = series.get(step);
    if (known === undefined) this.#points += 1;
    series.set(step, known === undefined ? bucket : joinBuckets(known, bucket));
  }

  /** The series as they travel. */
  build(): WireSeries[] {
    return [...this.#series].map(([name, byStep]) => ({
      name,
      width: 1,
      points: [...byStep.values()]
        .sort((a, b) => a.step - b.step)
        .map(({ step, at, count, gaps, low, high, mean }) => [step, at, count, gaps, low, high, mean]),
    }));
  }
}
