/**
 * What the live topic `job/{id}/metrics` takes and sends: training metrics while they come.
 *
 * A delta says of each series that changed its figures (`heads`), and either its points from the first that changed, or
 * the whole of it where its points cover more steps than before (`series`). Put series first, then points: a point belongs
 * to a series only while both have the same `stepsPerPoint`, and replaces the one that covers the same steps, which is the
 * one with the same `floor(step / stepsPerPoint)`.
 */
import type { JobMetrics, MetricSeries } from './routes/metrics.ts';

export interface MetricsParams {
  /** Number of the attempt. Default: the newest, and those that follow it. */
  readonly attempt?: number;
  /** Only this rank of a gang. Default: all. */
  readonly rank?: number;
  /** Only series of these names. Default: all. */
  readonly name?: readonly string[];
  /** Most points of a series, 16–4,096; default 500. Between half of them and all are sent. */
  readonly resolution?: number;
}

export interface MetricPoint {
  readonly name: string;
  readonly rank: number;
  readonly stepsPerPoint: number;
  /** Lowest step of the point. */
  readonly step: number;
  readonly offsetSeconds: number;
  readonly mean: number | null;
  readonly min: number | null;
  readonly max: number | null;
}

export interface MetricsDelta {
  readonly fields?: Partial<Omit<JobMetrics, 'series'>>;
  readonly series?: readonly MetricSeries[];
  readonly heads?: readonly Omit<MetricSeries, 'points'>[];
  readonly points?: readonly MetricPoint[];
}
