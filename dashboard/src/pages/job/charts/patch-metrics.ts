/**
 * Puts live changes of training metrics into the answer that is held (contract: live-metrics.ts).
 *
 * Whole series come first, then points. A point replaces the one that covers the same steps; one of another width belongs
 * to a picture that is not held any more and is left out, as the next series brings it.
 */
import type { MetricsDelta } from '../../../../../src/common/contract/live-metrics.ts';
import type { Output } from '../../../api/contract.ts';

type JobMetrics = Output<'GET /v1/jobs/:id/metrics'>;
type Series = JobMetrics['series'][number];

const keyOf = ({ name, rank }: { readonly name: string; readonly rank: number }): string => `${rank} ${name}`;

/** @returns a new answer; series that did not change are the same objects */
export function patchMetrics(held: JobMetrics, delta: MetricsDelta): JobMetrics {
  const series = new Map(held.series.map((one) => [keyOf(one), one]));
  for (const one of delta.series ?? []) series.set(keyOf(one), one as Series);
  for (const head of delta.heads ?? []) {
    const one = series.get(keyOf(head));
    if (one !== undefined) series.set(keyOf(head), { ...one, ...head });
  }
  for (const [key, points] of Map.groupBy(delta.points ?? [], keyOf)) {
    const one = series.get(key);
    if (one !== undefined) series.set(key, { ...one, points: putPoints(one, points) });
  }
  return { ...held, ...delta.fields, series: [...series.values()] };
}

function putPoints(series: Series, points: NonNullable<MetricsDelta['points']>): Series['points'] {
  const { stepsPerPoint } = series;
  const slotOf = (step: number) => Math.floor(step / stepsPerPoint);
  const columns = {
    step: [...series.points.step],
    offsetSeconds: [...series.points.offsetSeconds],
    mean: [...series.points.mean],
    min: [...series.points.min],
    max: [...series.points.max],
  };
  for (const point of points) {
    if (point.stepsPerPoint !== stepsPerPoint) continue;
    const slot = slotOf(point.step);
    // New points come at the end; the place is looked for from there.
    let at = columns.step.length;
    while (at > 0 && slotOf(columns.step[at - 1]!) >= slot) at -= 1;
    const replaces = at < columns.step.length && slotOf(columns.step[at]!) === slot ? 1 : 0;
    columns.step.splice(at, replaces, point.step);
    columns.offsetSeconds.splice(at, replaces, point.offsetSeconds);
    columns.mean.splice(at, replaces, point.mean);
    columns.min.splice(at, replaces, point.min);
    columns.max.splice(at, replaces, point.max);
  }
  return columns;
}
