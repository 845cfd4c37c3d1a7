/** How uPlot draws our charts: axes, grid, gaps, dashes and hatching. */
import uPlot from 'uplot';
import type { ChartSeries } from './chart-data.ts';
import { formatInstant, formatNumber, type Zone } from './format.ts';

interface ChartLook {
  readonly series: readonly ChartSeries[];
  readonly unit: string;
  readonly xUnit: string | undefined;
  readonly zone: Zone;
  readonly fromZero: boolean;
  readonly cursor: string;
  readonly width: number;
  readonly height: number;
  /** Index under the cursor; null when it left. */
  readonly onCursor: (index: number | null) => void;
}

const token = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function chartOptions(look: ChartLook): uPlot.Options {
  const { series, xUnit, zone, fromZero, width, height, onCursor } = look;
  const font = '12px Inter Variable, system-ui, sans-serif';
  const axis: uPlot.Axis = {
    font,
    stroke: () => token('--text-dim'),
    grid: { stroke: () => token('--chart-grid'), width: 1 },
    ticks: { stroke: () => token('--chart-grid'), width: 1, size: 4 },
  };
  return {
    width,
    height,
    ...(zone === 'utc' && { tzDate: (at: number) => uPlot.tzDate(new Date(at * 1000), 'Etc/UTC') }),
    legend: { show: false },
    // Drag selects nothing: a drag is no way for a keyboard, and the page scrolls under a finger.
    cursor: { sync: { key: look.cursor }, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { time: xUnit === undefined },
      y: { range: (_plot, low, high) => yRange(low, high, fromZero) },
    },
    axes: [
      {
        ...axis,
        space: timeLabelPx,
        values: (_plot, splits, _axis, _space, step) =>
          splits.map((at) => (xUnit === undefined ? clockLabel(at, step, zone) : formatNumber(at))),
      },
      { ...axis, size: 56, values: (_plot, splits) => splits.map(formatNumber) },
    ],
    series: [{}, ...series.map(toSeries)],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)] },
  };
}

/** What a label of the time axis takes with seconds and some air, px; uPlot's own 50 let them run into each other on a telephone. */
const timeLabelPx = 68;

/** An instant as an axis has room for it: the day, hours and minutes, or with seconds, by what lies between two labels. */
export function clockLabel(seconds: number, stepSeconds: number, zone: Zone): string {
  const full = formatInstant(seconds * 1000, zone);
  if (stepSeconds >= 86_400) return full.slice(5, 10);
  return stepSeconds >= 60 ? full.slice(11, 16) : full.slice(11, 19);
}

function toSeries(one: ChartSeries, index: number): uPlot.Series {
  const color = () => token(`--chart-${one.color ?? (index % 6) + 1}`);
  return {
    label: one.label,
    stroke: color,
    width: 1.5,
    spanGaps: false,
    ...(one.kind === 'forecast' && { dash: [6, 4] }),
    ...((one.kind === 'estimated' || one.kind === 'replayed') && { fill: () => hatch(color()) }),
  };
}

/** Lines at 45°, so that what was not measured is told without its colour. */
function hatch(color: string): CanvasPattern | string {
  const tile = document.createElement('canvas');
  tile.width = 8;
  tile.height = 8;
  const context = tile.getContext('2d');
  if (!context) return 'transparent';
  context.strokeStyle = color;
  context.globalAlpha = 0.35;
  for (const shift of [-8, 0, 8]) {
    context.moveTo(shift, 8);
    context.lineTo(shift + 8, 0);
  }
  context.stroke();
  return context.createPattern(tile, 'repeat') ?? 'transparent';
}

/** Range of y with some air; a flat line lies in the middle of something. */
export function yRange(low: number | null, high: number | null, fromZero: boolean): [number, number] {
  if (low === null || high === null) return [0, 1];
  const bottom = fromZero ? Math.min(0, low) : low;
  const top = fromZero ? Math.max(0, high) : high;
  if (bottom === top) return top === 0 ? [0, 1] : [Math.min(0, 2 * bottom), Math.max(0, 2 * top)];
  const air = (top - bottom) * 0.08;
  return [fromZero && bottom === 0 ? 0 : bottom - air, top + air];
}
