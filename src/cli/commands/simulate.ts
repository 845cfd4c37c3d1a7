/**
 * `solyx simulate`: what would have happened to these jobs on that fleet under this policy, by the code that decides in production.
 *
 * Needs no server. Files are read here; everything else is the scheduler's simulator, which reads no clock and no file, so the same
 * files and seed print the same bytes.
 */
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { SolyxError } from '../../common/errors/index.ts';
import { oneOf, whole } from '../arguments.ts';
import { note, print, printable, printJson, printTable } from '../output.ts';
import { readInput, type Simulator } from '../simulation-files.ts';

interface SimulateOptions {
  readonly trace: string;
  readonly cluster: string;
  readonly policy?: string;
  readonly compare?: string;
  readonly format?: 'swf' | 'philly' | 'itp' | 'openb';
  readonly unit?: 'core' | 'device';
  readonly limit?: number;
  readonly leaveOutBroken?: boolean;
  readonly sort?: boolean;
  readonly seed: number;
  readonly json?: boolean;
  readonly report?: string;
}

type Document = ReturnType<Simulator['documentOf']>;

export function simulateCommand(program: Command): void {
  program
    .command('simulate')
    .description('play a trace of jobs on a fleet under a policy, by the code that decides in production')
    .requiredOption('--trace <file>', 'jobs: SWF, or CSV of Philly, ITP or openb')
    .requiredOption('--cluster <file>', 'fleet: YAML or JSON with sites and nodes, or a node list of openb')
    .option('--policy <file>', 'policy: YAML or JSON with what differs from the defaults')
    .option('--compare <file>', 'a second policy, on the same jobs and failures')
    .addOption(
      oneOf('--format <name>', 'format of the trace; default: told by its content', ['swf', 'philly', 'itp', 'openb']),
    )
    .addOption(
      oneOf('--unit <what>', 'what sizes in the trace count; default: cores in SWF, else devices', ['core', 'device']),
    )
    .option('--limit <count>', 'only the first so many jobs', whole(1, 10_000_000))
    .option('--leave-out-broken', 'leave out lines of an SWF trace that make no sense, instead of refusing it')
    .option('--sort', 'sort a Philly trace by time, instead of refusing it')
    .option('--seed <number>', 'start of the random choices (failures of nodes)', whole(0, 2 ** 32 - 1), 1)
    .option('--report <file>', 'also write a report to this file, as one HTML page')
    .option('--json', 'print JSON')
    .action(run);
}

async function run(options: SimulateOptions): Promise<void> {
  const { loadSimulator } = await import('../../cmo/scheduler/index.ts');
  const simulator = await loadSimulator();
  const cluster = await readInput(simulator, options.cluster, async (text, parse) =>
    simulator.isNodeList(text) ? simulator.readNodeList(text) : simulator.readCluster(await parse()),
  );
  const files = [options.policy, ...(options.compare === undefined ? [] : [options.compare])];
  const policies = await Promise.all(files.map((file) => policyOf(simulator, file)));
  const trace = await readInput(simulator, options.trace, (text) => simulator.readTrace(text, options));
  for (const { message } of trace.leftOut.slice(0, 10)) note(`${options.trace}: left out: ${message}`);
  const jobs = simulator.jobsOf(trace.jobs.slice(0, options.limit), options.unit ?? trace.unit, cluster);
  if (jobs.length === 0) throw new SolyxError('simulation_invalid', `${options.trace} has no job that ran.`);
  const played = [];
  for (const { policy, name } of policies) {
    const started = performance.now();
    const result = await simulator.simulate({ cluster, jobs, policy, seed: options.seed });
    note(
      `${name}: ${result.rounds} ${result.rounds === 1 ? 'round' : 'rounds'} in ${((performance.now() - started) / 1000).toFixed(1)} s`,
    );
    played.push({ name, policy, result, figures: simulator.figuresOf(cluster, jobs, result) });
  }
  const simulated = { trace, cluster, jobs, seed: options.seed, played };
  if (options.report !== undefined) writeReport(options.report, simulator.reportOf(simulated));
  const document = simulator.documentOf(simulated);
  if (options.json) printJson(document);
  else tell(document, simulator);
}

async function policyOf(simulator: Simulator, file: string | undefined) {
  if (file === undefined) return { name: 'default', policy: simulator.readPolicy(null) };
  const policy = await readInput(simulator, file, async (_, parse) => simulator.readPolicy(await parse()));
  return { name: file, policy };
}

function writeReport(file: string, page: string): void {
  try {
    writeFileSync(file, page);
  } catch (error) {
    const detail = `the report cannot be written: ${(error as Error).message}.`;
    throw new SolyxError('simulation_invalid', { detail, cause: error });
  }
  note(`The report is in ${file}.`);
}

function tell({ rows, simulations, differences }: Document, { accountColumns }: Simulator): void {
  const columns = simulations.map(({ name }, index) => ({
    title: name,
    value: ({ values }: Document['rows'][number]) => values[index]!,
    align: 'right' as const,
  }));
  printTable(rows, [{ title: '', value: ({ label }) => label }, ...columns], 'nothing was simulated');
  for (const { name, accounts } of simulations) {
    if (accounts.length === 0) continue;
    print();
    print(`${printable(name)}, by account:`);
    const [first, ...others] = accountColumns.map(([title, value]) => ({ title, value }));
    printTable(accounts, [first!, ...others.map((column) => ({ ...column, align: 'right' as const }))], '');
  }
  for (const { name, unplaced } of simulations) {
    for (const { message, jobs } of unplaced) {
      print(`${printable(name)}: ${jobs} ${jobs === 1 ? 'job was' : 'jobs were'} never placed: ${printable(message)}`);
    }
  }
  if (differences.length === 0) return;
  print();
  print('The second less the first, job by job:');
  const text = (value: number | null, unit: string) =>
    value === null ? '–' : `${value.toFixed(unit === 's' ? 0 : 3)} ${unit}`;
  printTable(
    differences,
    [
      { title: '', value: ({ metric }) => metric },
      { title: 'mean', value: ({ mean, unit }) => text(mean, unit), align: 'right' },
      {
        title: '95 % interval',
        value: ({ low, high, unit }) => `${text(low, unit)} to ${text(high, unit)}`,
        align: 'right',
      },
      { title: 'jobs smaller', value: ({ smaller }) => String(smaller), align: 'right' },
      { title: 'jobs larger', value: ({ larger }) => String(larger), align: 'right' },
    ],
    '',
  );
}
