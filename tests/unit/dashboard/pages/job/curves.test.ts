import { describe, expect, it } from 'vitest';
import { patchMetrics } from '../../../../../dashboard/src/pages/job/charts/patch-metrics.ts';
import {
  chartOf,
  joinCurves,
  metricCurve,
  powerCurve,
  telemetryCurve,
} from '../../../../../dashboard/src/ui/curves.ts';

describe('curves on one axis', () => {
  it('are joined on all their x; a gap stays a gap, and where nothing was measured is none', () => {
    const { x, series } = joinCurves(
      [
        { label: 'a', x: [1, 3], values: [10, null] },
        { label: 'b', x: [2, 3, 4], values: [20, 30, 40] },
      ],
      'W',
    );
    expect(x).toEqual([1, 2, 3, 4]);
    expect(series.map(({ values }) => values)).toEqual([
      [10, undefined, null, undefined],
      [undefined, 20, 30, 40],
    ]);
  });

  it('of metrics run along time, run time or step, and never backwards', () => {
    const points = { step: [1, 2, 3], offsetSeconds: [5, 4, 9], mean: [3, 2, null] };
    const from = '1970-01-01T00:01:40.000Z';
    expect(metricCurve('loss', points, from, 'step')).toEqual({ label: 'loss', x: [1, 2, 3], values: [3, 2, null] });
    expect(metricCurve('loss', points, from, 'elapsed')).toEqual({ label: 'loss', x: [4, 5, 9], values: [2, 3, null] });
    expect(metricCurve('loss', points, from, 'time').x).toEqual([104, 105, 109]);
  });

  it('of devices break where samples are missing', () => {
    const place = { from: '1970-01-01T00:00:00.000Z', intervalSeconds: 10, scale: 100 };
    const curve = telemetryCurve('gpu', { offsetSeconds: [0, 10, 60], mean: [0.5, 0.25, 1] }, place);
    expect(curve).toEqual({ label: 'gpu', x: [0, 10, 20, 60], values: [50, 25, null, 100] });
  });

  it('of a counter of joules are power, with a gap where it began anew', () => {
    const power = powerCurve({ label: 'cpu', x: [0, 10, 20, 30], values: [100, 300, 50, 150] });
    expect(power).toEqual({ label: 'cpu', x: [10, 20, 30], values: [20, null, 10] });
  });

  it('of later releases are named by what they are called', () => {
    expect(chartOf('powerWatts')).toEqual({ title: 'Power', unit: 'W', scale: 1 });
    expect(chartOf('tensorActiveRatio')).toEqual({ title: 'Tensor active', unit: '%', scale: 100 });
    expect(chartOf('networkBytesPerSecond')).toEqual({ title: 'Network', unit: 'MiB/s', scale: 2 ** -20 });
    expect(chartOf('oddity')).toEqual({ title: 'Oddity', unit: '', scale: 1 });
  });
});

describe('live changes of metrics', () => {
  const series = (name: string, step: number[], mean: (number | null)[], stepsPerPoint = 10) => ({
    name,
    rank: 0,
    values: step.length,
    gaps: 0,
    min: null,
    max: null,
    last: null,
    stepsPerPoint,
    points: { step, offsetSeconds: step.map((one) => one / 10), mean, min: mean, max: mean },
  });
  const held = {
    attempt: 1,
    from: '2026-11-22T00:00:00.000Z',
    revision: 1,
    complete: false,
    ignored: 0,
    series: [series('loss', [0, 10, 20], [3, 2, 1]), series('rate', [0], [9])],
  };
  const point = (step: number, mean: number, stepsPerPoint = 10) => ({
    name: 'loss',
    rank: 0,
    stepsPerPoint,
    step,
    offsetSeconds: step / 10,
    mean,
    min: mean,
    max: mean,
  });

  it('put new points at the end and others in place of those that cover the same steps', () => {
    const next = patchMetrics(held, { fields: { revision: 2 }, points: [point(25, 0.9), point(30, 0.8)] });
    expect(next.revision).toBe(2);
    expect(next.series[0]!.points.step).toEqual([0, 10, 25, 30]);
    expect(next.series[0]!.points.mean).toEqual([3, 2, 0.9, 0.8]);
    expect(next.series[1]).toBe(held.series[1]);
  });

  it('applied twice change nothing more', () => {
    const delta = { points: [point(20, 0.5), point(30, 0.4)] };
    const once = patchMetrics(held, delta);
    expect(patchMetrics(once, delta)).toEqual(once);
  });

  it('take a whole series that became wider, and leave out points of the old width', () => {
    const wide = series('loss', [0, 20], [2.5, 1], 20);
    const next = patchMetrics(held, { series: [wide], points: [point(30, 0.8), point(40, 0.7, 20)] });
    expect(next.series[0]!.points.step).toEqual([0, 20, 40]);
  });

  it('put a late point where its steps are', () => {
    const gapped = { ...held, series: [series('loss', [0, 20], [3, 1])] };
    expect(patchMetrics(gapped, { points: [point(10, 2)] }).series[0]!.points.step).toEqual([0, 10, 20]);
  });

  it('bring new series and new figures', () => {
    const { points: _, ...head } = { ...series('rate', [], []), values: 7 };
    const next = patchMetrics(held, { series: [series('accuracy', [0], [0.1])], heads: [head] });
    expect(next.series.map(({ name }) => name)).toEqual(['loss', 'rate', 'accuracy']);
    expect(next.series[1]).toMatchObject({ values: 7, points: { step: [0] } });
  });
});
