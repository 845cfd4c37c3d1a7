/**
 * What stood on each node over time, as SVG text.
 *
 * A bar a job is readable for some hundred jobs; beyond that the bars are narrower than a pixel, so rows are shaded by how much of the node
 * was held in each bin. Of a large fleet as many nodes are drawn as fit a page, evenly spread over it, and the caption says so.
 */
import { capacityMilli } from '../figures.ts';
import type { Cluster } from '../inputs/cluster-file.ts';
import { bins, spread } from '../series.ts';
import type { Run, SimulationResult } from '../simulate.ts';
import { duration } from '../words.ts';
import type { SimulatedJob } from '../workload.ts';
import { escapeText, type Frame, timeAxis, xAt } from './chart.ts';

const mostNodes = 48;
const mostBars = 600;
const levels = 6;
const rowHeight = 14;
const width = 1300;
const frame: Frame = { left: 130, width: width - 142 };
const longestName = 20;

export function drawGantt(
  cluster: Cluster,
  jobs: readonly SimulatedJob[],
  result: SimulationResult,
  seconds: number,
): string {
  const every = Math.max(1, cluster.nodes.length / mostNodes);
  const shown = Array.from({ length: Math.min(mostNodes, cluster.nodes.length) }, (_, i) => Math.floor(i * every));
  const rowOf = new Map(shown.map((node, row) => [node, row]));
  const runs = result.runs.filter(({ nodes }) => nodes.some((node) => rowOf.has(node)));
  const isDetailed = runs.length <= mostBars;
  const body = isDetailed ? bars(jobs, runs, rowOf, seconds) : shades(cluster, jobs, runs, rowOf, seconds);
  const labels = shown.map((node, row) => {
    const name = cluster.nodes[node]!.id;
    const short = name.length > longestName ? `…${name.slice(1 - longestName)}` : name;
    return `<text x="${frame.left - 6}" y="${row * rowHeight + 11}" text-anchor="end">${escapeText(short)}<title>${escapeText(name)}</title></text>`;
  });
  const height = shown.length * rowHeight;
  const which =
    shown.length < cluster.nodes.length ? `${shown.length} of ${cluster.nodes.length} nodes` : `${shown.length} nodes`;
  const what = isDetailed
    ? 'a bar a job, red where its work was lost'
    : 'the stronger the colour, the more of the node was held';
  const title = `Nodes over time (${which}; ${what})`;
  return `<figure class="wide"><figcaption>${title}</figcaption><svg viewBox="0 0 ${width} ${height + 26}" role="img" aria-label="${title}">${body}${labels.join('')}${timeAxis(seconds, height, frame)}</svg></figure>`;
}

function bars(
  jobs: readonly SimulatedJob[],
  runs: readonly Run[],
  rowOf: ReadonlyMap<number, number>,
  seconds: number,
): string {
  /** By row: the end of the last bar in each lane, so that jobs beside each other stand beside each other. */
  const lanes = new Map<number, number[]>();
  const placed = [...runs]
    .sort((a, b) => a.from - b.from || a.job - b.job)
    .flatMap((run) =>
      run.nodes.flatMap((node) => {
        const row = rowOf.get(node);
        if (row === undefined) return [];
        const ends = lanes.get(row) ?? [];
        lanes.set(row, ends);
        const free = ends.findIndex((end) => end <= run.from);
        const lane = free < 0 ? ends.length : free;
        ends[lane] = run.to;
        return [{ run, row, lane }];
      }),
    );
  return placed
    .map(({ run, row, lane }) => {
      const count = lanes.get(row)!.length;
      const height = (rowHeight - 2) / count;
      const x = xAt(run.from / seconds, frame);
      const wide = Math.max(1, xAt(run.to / seconds, frame) - x);
      const { trace } = jobs[run.job]!;
      const title = `job ${trace.id}${trace.user ? ` of ${trace.user}` : ''}: ${duration(run.to - run.from)} from ${duration(run.from)}${run.lost ? ', lost with a node' : ''}`;
      const y = row * rowHeight + 1 + lane * height;
      return `<rect class="${run.lost ? 'lost' : `bar bar${run.job % 4}`}" x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${wide.toFixed(1)}" height="${Math.max(0.8, height - 0.4).toFixed(1)}"><title>${escapeText(title)}</title></rect>`;
    })
    .join('');
}

function shades(
  cluster: Cluster,
  jobs: readonly SimulatedJob[],
  runs: readonly Run[],
  rowOf: ReadonlyMap<number, number>,
  seconds: number,
): string {
  const held = [...rowOf].map(() => new Float64Array(bins));
  const binSeconds = seconds / bins;
  for (const { nodes, from, to, milli } of runs) {
    for (const node of nodes) {
      const row = rowOf.get(node);
      if (row !== undefined) spread(held[row]!, binSeconds, from, to, milli / nodes.length);
    }
  }
  return [...rowOf]
    .map(([node, row]) => {
      const capacity = capacityMilli({ ...cluster, nodes: [cluster.nodes[node]!] }, jobs) * binSeconds;
      const level = [...held[row]!].map((amount) => Math.min(levels, Math.ceil((amount / capacity) * levels - 1e-6)));
      return runsOf(level)
        .filter(({ value }) => value > 0)
        .map(({ value, from, to }) => {
          const x = xAt(from / bins, frame);
          return `<rect class="shade${value}" x="${x.toFixed(1)}" y="${row * rowHeight + 1}" width="${(xAt(to / bins, frame) - x).toFixed(1)}" height="${rowHeight - 2}"/>`;
        })
        .join('');
    })
    .join('');
}

/** Runs of equal values. */
function runsOf(values: readonly number[]): { readonly value: number; readonly from: number; readonly to: number }[] {
  const runs: { value: number; from: number; to: number }[] = [];
  for (const [at, value] of values.entries()) {
    const last = runs.at(-1);
    if (last?.value === value) last.to = at + 1;
    else runs.push({ value, from: at, to: at + 1 });
  }
  return runs;
}
