/** Values gathered for one batch: joined by steps until they are as few as a batch may have. */
import { metricLimits, type WireSeries } from '../../../common/contract/agent/metrics.ts';
import { type Bucket, bucketOf, fitBuckets, joinBuckets } from '../../../common/metric-buckets.ts';

export class MetricBatch {
  /** Values and lines that were not taken. */
  ignored = 0;
  readonly #series = new Map<string, Map<number, Bucket>>();

  get isEmpty(): boolean {
    return this.#series.size === 0 && this.ignored === 0;
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
    series.set(step, known === undefined ? bucket : joinBuckets(known, bucket));
  }

  /** The series as they travel. */
  build(): WireSeries[] {
    const most = Math.floor(metricLimits.pointsPerBatch / Math.max(1, this.#series.size));
    return [...this.#series].map(([name, byStep]) => {
      const sorted = [...byStep.values()].sort((a, b) => a.step - b.step);
      const { width, buckets } = fitBuckets(sorted, 1, most);
      return {
        name,
        width,
        points: buckets.map(({ step, at, count, gaps, low, high, mean }) => [step, at, count, gaps, low, high, mean]),
      };
    });
  }
}
