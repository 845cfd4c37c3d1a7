import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type BenchmarkCase, formatTable, meetsBound, runBenchmark } from '../../../bench/harness.ts';
import { listNames, loadByName } from '../../../bench/registry.ts';

const row: BenchmarkCase = { case: 'small', metric: 'rate', unit: 'jobs/s', ours: 12, peers: { other: 10 } };
const options = { dataFolder: '/nowhere', seeds: 2 };

describe('a benchmark', () => {
  it('keeps the cases that its steps return, with the machine that they ran on', async () => {
    const benchmark = {
      name: 'demo',
      question: 'does it work?',
      run: (context: { measure: (name: string, step: () => BenchmarkCase[]) => Promise<void> }) =>
        context.measure('small', () => [row]),
    };
    const report = await runBenchmark(benchmark, options, () => {});
    expect(report).toMatchObject({ name: 'demo', cases: [row], skipped: [] });
    expect(report.machine.cores).toBeGreaterThan(0);
  });

  it('skips the case whose data is missing, says so, and goes on', async () => {
    const lines: string[] = [];
    const report = await runBenchmark(
      {
        name: 'demo',
        question: '?',
        async run(context) {
          await context.measure('first', () => [{ ...row, case: context.data('packing/a.csv') }]);
          await context.measure('second', () => [row]);
        },
      },
      options,
      (line) => lines.push(line),
    );
    expect(lines).toContain('skipped: packing/a.csv');
    expect(report.skipped).toEqual(['packing/a.csv']);
    expect(report.cases).toEqual([row]);
  });

  it('falls over when a step does, instead of hiding it', async () => {
    const broken = {
      name: 'demo',
      question: '?',
      run: () => Promise.reject(new Error('a bug')),
    };
    await expect(runBenchmark(broken, options, () => {})).rejects.toThrow('a bug');
  });

  it('meets its bound from above or below', () => {
    expect(meetsBound(row)).toBe(true);
    expect(meetsBound({ ...row, bound: { atLeast: 12 } })).toBe(true);
    expect(meetsBound({ ...row, bound: { atLeast: 13 } })).toBe(false);
    expect(meetsBound({ ...row, bound: { atMost: 11 } })).toBe(false);
  });

  it('prints a table in which quoted numbers and missed bounds can be seen', () => {
    const quoted = { ...row, ours: 0.12345, peers: { paper: { quoted: 9, source: 'ATC 23' } }, bound: { atLeast: 1 } };
    expect(formatTable([row, quoted])).toBe(
      [
        'case   metric  ours    unit    bound       peers',
        'small  rate    12      jobs/s              other 10',
        'small  rate    0.1235  jobs/s  ≥ 1 MISSED  paper 9 (quoted)',
      ].join('\n'),
    );
  });
});

describe('names', () => {
  it('are the folders with an index.ts, and load what that exports', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'solyx-bench-'));
    try {
      mkdirSync(join(folder, 'demo'));
      mkdirSync(join(folder, 'empty'));
      writeFileSync(join(folder, 'demo', 'index.ts'), 'export const benchmark = { name: "demo" };');
      expect(listNames(folder)).toEqual(['demo']);
      expect(await loadByName(folder, 'demo', 'benchmark')).toEqual({ name: 'demo' });
      expect(await loadByName(folder, 'empty', 'benchmark')).toBeUndefined();
      await expect(loadByName(folder, 'demo', 'soak')).rejects.toThrow('does not export `soak`');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.each(['bench/main.ts', 'soak/main.ts'])(
    '%s lists them with --help and refuses one that does not exist',
    (main) => {
      expect(spawnSync(process.execPath, [main, '--help'], { encoding: 'utf8' })).toMatchObject({ status: 0 });
      const wrong = spawnSync(process.execPath, [main, 'no-such-name'], { encoding: 'utf8' });
      expect(wrong.status).toBe(2);
      expect(wrong.stderr).toMatch(/there is no (benchmark|soak) "no-such-name"/);
    },
  );
});
