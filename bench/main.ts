/** `npm run bench -- NAME`: runs one benchmark, prints its table and writes its JSON. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Benchmark, formatTable, meetsBound, runBenchmark } from './harness.ts';
import { listNames, loadByName } from './registry.ts';

const folder = import.meta.dirname;

async function usage(): Promise<string> {
  const lines = await Promise.all(
    listNames(folder).map(async (name) => {
      const benchmark = await loadByName<Benchmark>(folder, name, 'benchmark');
      return `  ${name.padEnd(12)}${benchmark?.question ?? ''}`;
    }),
  );
  return [
    'usage: npm run bench -- NAME [--data DIR] [--seeds N] [--json FILE]',
    '',
    '  --data DIR   where traces and models lie (default: ../shared/data); a missing file skips its case',
    '  --seeds N    how many seeds to run (default: 5)',
    '  --json FILE  also write {name, machine, cases, skipped} to FILE',
    '',
    'Exits 1 when a case misses its bound, 2 on wrong usage.',
    '',
    lines.length > 0 ? 'benchmarks:' : 'There is no benchmark yet.',
    ...lines,
  ].join('\n');
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      data: { type: 'string', default: join(folder, '..', '..', 'shared', 'data') },
      seeds: { type: 'string', default: '5' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(await usage());
    return 0;
  }
  const [name, ...rest] = positionals;
  const seeds = Number(values.seeds);
  const isUsageRight = name !== undefined && rest.length === 0 && Number.isInteger(seeds) && seeds >= 1;
  const benchmark = isUsageRight ? await loadByName<Benchmark>(folder, name, 'benchmark') : undefined;
  if (benchmark === undefined) {
    if (name !== undefined && isUsageRight) console.error(`there is no benchmark "${name}"\n`);
    console.error(await usage());
    return 2;
  }
  const report = await runBenchmark(benchmark, { dataFolder: values.data, seeds }, (line) => console.error(line));
  console.log(formatTable(report.cases));
  for (const file of report.skipped) console.log(`skipped: ${file}`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  return report.cases.every(meetsBound) ? 0 : 1;
}

process.exitCode = await main().catch((error: Error) => {
  console.error(error.stack);
  return 2;
});
