/**
 * What every benchmark has in common: its options, where its data is, its cases, the table and the JSON.
 *
 * A benchmark is a folder `bench/<name>` whose index.ts exports `benchmark`. It compares with its peers in the same
 * run, because numbers from two runs on a shared machine do not compare; what is only quoted is marked so. A missing
 * data file skips the case that needs it, loudly, and never the whole run.
 */
import { existsSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';

/** A peer's number: measured in this run, or quoted from a publication. */
export type PeerValue = number | { quoted: number; source: string };

/** What a number must reach. */
export type Bound = { atLeast: number } | { atMost: number };

export interface BenchmarkCase {
  case: string;
  metric: string;
  unit: string;
  ours: number;
  peers: Record<string, PeerValue>;
  bound?: Bound;
}

export interface BenchmarkContext {
  /** How many seeds to run, at least 1. */
  readonly seeds: number;
  /** Path of a data file. @throws MissingData, which `measure` turns into a skipped case */
  data(file: string): string;
  /** Runs one step of the benchmark and keeps the cases that it returns. */
  measure(name: string, step: () => Promise<BenchmarkCase[]> | BenchmarkCase[]): Promise<void>;
}

export interface Benchmark {
  readonly name: string;
  /** The question that it answers, in one line. */
  readonly question: string;
  run(context: BenchmarkContext): Promise<void>;
}

export interface BenchmarkReport {
  name: string;
  machine: Machine;
  cases: BenchmarkCase[];
  /** Data files that were missing; their cases did not run. */
  skipped: string[];
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryGib: number;
  platform: string;
  node: string;
}

export class MissingData extends Error {
  readonly file: string;
  constructor(file: string) {
    super(`missing data: ${file}`);
    this.file = file;
  }
}

export function describeMachine(): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
  };
}

/** Runs a benchmark. @param print takes lines for a person: progress and skipped cases */
export async function runBenchmark(
  benchmark: Benchmark,
  options: { dataFolder: string; seeds: number },
  print: (line: string) => void,
): Promise<BenchmarkReport> {
  const cases: BenchmarkCase[] = [];
  const skipped = new Set<string>();
  await benchmark.run({
    seeds: options.seeds,
    data(file) {
      const path = join(options.dataFolder, file);
      if (!existsSync(path)) throw new MissingData(file);
      return path;
    },
    async measure(name, step) {
      print(`… ${name}`);
      try {
        const found = await step();
        cases.push(...found);
        // Shown at once: a long run that is ended has not been for nothing.
        if (found.length > 0) print(formatTable(found));
      } catch (error) {
        if (!(error instanceof MissingData)) throw error;
        skipped.add(error.file);
        print(`skipped: ${error.file}`);
      }
    },
  });
  return { name: benchmark.name, machine: describeMachine(), cases, skipped: [...skipped] };
}

/** True when the case reaches its bound, or has none. */
export function meetsBound({ ours, bound }: BenchmarkCase): boolean {
  if (bound === undefined) return true;
  return 'atLeast' in bound ? ours >= bound.atLeast : ours <= bound.atMost;
}

const digits = (value: number): string =>
  Number.isInteger(value) ? String(value) : value.toPrecision(Math.abs(value) >= 1000 ? 6 : 4);

function peerText([name, value]: [string, PeerValue]): string {
  return typeof value === 'number' ? `${name} ${digits(value)}` : `${name} ${digits(value.quoted)} (quoted)`;
}

function boundText(row: BenchmarkCase): string {
  if (row.bound === undefined) return '';
  const wanted = 'atLeast' in row.bound ? `≥ ${digits(row.bound.atLeast)}` : `≤ ${digits(row.bound.atMost)}`;
  return `${wanted} ${meetsBound(row) ? 'met' : 'MISSED'}`;
}

/** The cases as a table of aligned columns. */
export function formatTable(cases: readonly BenchmarkCase[]): string {
  const rows = [
    ['case', 'metric', 'ours', 'unit', 'bound', 'peers'],
    ...cases.map((row) => [
      row.case,
      row.metric,
      digits(row.ours),
      row.unit,
      boundText(row),
      Object.entries(row.peers).map(peerText).join(', '),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
