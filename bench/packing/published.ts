/** The published results of FGD's authors, per seed: what a port must land on. */
import { readFileSync } from 'node:fs';
import { mean } from '../statistics.ts';

/**
 * Allocation of a policy on a trace by published seed, per cent of the GPUs at a demand of 130 %.
 * @param file path of analysis_allo_discrete.csv
 * @returns empty when the table has no such row
 */
export function publishedAllocation(file: string, trace: string, policy: string): number[] {
  const [head, ...lines] = readFileSync(file, 'utf8').trim().split('\n');
  const column = head!.split(',').indexOf('130');
  if (column < 0) throw new Error(`${file}, line 1: there is no column 130`);
  return lines
    .map((line) => line.split(','))
    .filter((cells) => cells[0] === `openb_pod_list_${trace}` && cells[1] === policy)
    .map((cells) => Number(cells[column]));
}

/**
 * By how much the means of two samples differ beyond what chance explains (95 %), ≥ 0: the seeds of the port are not those of the
 * publication, and single policies vary by half a point from seed to seed.
 */
export function distanceBeyondChance(port: readonly number[], published: readonly number[]): number {
  const noise = 1.96 * Math.sqrt(varianceOfMean(port) + varianceOfMean(published));
  return Math.max(0, Math.abs(mean(port) - mean(published)) - noise);
}

/** 0 for a single value, of which nothing is known. */
function varianceOfMean(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const centre = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return squares / (values.length - 1) / values.length;
}
