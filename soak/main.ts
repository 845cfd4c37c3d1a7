/** `npm run soak -- NAME`: runs one soak; the last line is one JSON object, the exit code 1 when an invariant broke. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { listNames, loadByName } from '../bench/registry.ts';
import { runSoak, type Soak } from './harness.ts';

const folder = import.meta.dirname;

async function usage(): Promise<string> {
  const lines = await Promise.all(
    listNames(folder).map(async (name) => {
      const soak = await loadByName<Soak>(folder, name, 'soak');
      return `  ${name.padEnd(12)}${soak?.question ?? ''} (${soak?.defaultMinutes} min)`;
    }),
  );
  return [
    'usage: npm run soak -- NAME [--seed N] [--minutes M] [--kills K] [--jobs N] [--faults N] [--json FILE]',
    '',
    '  --seed N     start of every random choice (default: 1)',
    '  --minutes M  how long to go on (default: as listed)',
    '  --kills K    end after so many kills (crash: 200)',
    '  --jobs N     how many jobs, --faults N: how many faults (sim: 50,000 and 10,000)',
    '  --json FILE  also write the last line to FILE',
    '',
    'The last line is one JSON object with counts. Exits 1 when an invariant broke, 2 on wrong usage.',
    '',
    lines.length > 0 ? 'soaks:' : 'There is no soak yet.',
    ...lines,
  ].join('\n');
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string' },
      kills: { type: 'string' },
      jobs: { type: 'string' },
      faults: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(await usage());
    return 0;
  }
  const [name, ...rest] = positionals;
  const seed = Number(values.seed);
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
  const [kills, jobs, faults] = [values.kills, values.jobs, values.faults].map((value) =>
    value === undefined ? undefined : Number(value),
  );
  const isUsageRight =
    name !== undefined &&
    rest.length === 0 &&
    Number.isSafeInteger(seed) &&
    (minutes === undefined || minutes > 0) &&
    [kills, jobs, faults].every((value) => value === undefined || (Number.isSafeInteger(value) && value > 0));
  const soak = isUsageRight ? await loadByName<Soak>(folder, name, 'soak') : undefined;
  if (soak === undefined) {
    if (isUsageRight) console.error(`there is no soak "${name}"\n`);
    console.error(await usage());
    return 2;
  }
  const progress = (line: string) => console.error(line);
  const report = await runSoak(soak, { seed, minutes: minutes ?? soak.defaultMinutes, kills, jobs, faults, progress });
  for (const broken of report.broken) console.error(`BROKEN  ${broken}`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report)}\n`);
  console.log(JSON.stringify(report));
  return report.ok ? 0 : 1;
}

// What a soak started must not keep it alive, nor speak after its last line.
process.exit(
  await main().catch((error: Error) => {
    console.error(error.message);
    return 2;
  }),
);
