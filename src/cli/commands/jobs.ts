/** `solyx jobs`: the newest jobs, filtered. */
import type { Command } from 'commander';
import { type JobState, jobStates } from '../../common/contract/states/job.ts';
import { formatDuration } from '../../common/units.ts';
import { oneOf, whole } from '../arguments.ts';
import { collect, connect } from '../connect.ts';
import { paintState, printJson, printTable, relative } from '../output.ts';

interface JobsOptions {
  state?: JobState[];
  project?: string;
  name?: string;
  label?: string[];
  array?: string;
  key?: string;
  limit: number;
  json?: boolean;
}

export function jobsCommand(program: Command): void {
  program
    .command('jobs')
    .description('list jobs, newest first')
    .addOption(oneOf('--state <state...>', 'only these states', jobStates))
    .option('--project <name>', 'only this project')
    .option('--name <prefix>', 'only names that start so')
    .option('--label <key:value...>', 'only jobs with these labels')
    .option('--array <id>', 'only the tasks of this array')
    .option('--key <id>', 'only those that this API key submitted')
    .option('--limit <n>', 'most jobs, 1–10000', whole(1, 10_000), 50)
    .option('--json', 'print JSON')
    .action(jobs);
}

async function jobs(options: JobsOptions): Promise<void> {
  const client = await connect();
  const items = await collect(
    (cursor) =>
      client.listJobs({
        query: {
          state: options.state,
          project: options.project,
          namePrefix: options.name,
          label: options.label,
          arrayId: options.array,
          submittedBy: options.key,
          limit: Math.min(options.limit, 500),
          cursor,
        },
      }),
    options.limit,
  );
  if (options.json) return printJson({ items });
  const now = Date.now();
  printTable(
    items,
    [
      { title: 'ID', value: (job) => job.id },
      { title: 'NAME', value: (job) => (job.arrayIndex === null ? job.name : `${job.name}[${job.arrayIndex}]`) },
      { title: 'STATE', value: (job) => job.state, paint: paintState },
      {
        title: 'WHY',
        value: (job) => job.pending?.reason ?? (job.state === 'succeeded' ? '' : (job.reason ?? '')).slice(0, 60),
      },
      { title: 'ATTEMPT', value: (job) => String(job.attemptCount), align: 'right' },
      { title: 'SUBMITTED', value: (job) => relative(job.submittedAt, now), align: 'right' },
      { title: 'RAN', value: (job) => ran(job, now), align: 'right' },
    ],
    'No jobs. Submit one: solyx submit examples/train.yaml --follow',
  );
}

function ran(job: { startedAt: string | null; endedAt: string | null }, now: number): string {
  if (job.startedAt === null) return '–';
  const end = job.endedAt === null ? now : Date.parse(job.endedAt);
  return formatDuration(Math.max(0, end - Date.parse(job.startedAt)) / 1000);
}
