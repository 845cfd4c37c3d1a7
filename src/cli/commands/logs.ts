/** `solyx logs`: the output of a job. */
import type { Command } from 'commander';
import { whole } from '../arguments.ts';
import { connect } from '../connect.ts';
import { exitCodes } from '../exit-codes.ts';
import { note } from '../output.ts';
import { followLog, leaveJobOnInterrupt, printLogLine } from '../watch.ts';

interface LogsOptions {
  follow?: boolean;
  attempt?: number;
  rank?: number;
  json?: boolean;
}

export function logsCommand(program: Command): void {
  program
    .command('logs')
    .description('print the output of a job')
    .argument('<id>', 'id of the job')
    .option('--follow', 'go on until the job has ended')
    .option('--attempt <n>', 'this attempt instead of the newest', whole(1, 1_000_000))
    .option('--rank <n>', 'this rank of a gang', whole(0, 4096))
    .option('--json', 'print each line as JSON')
    .action(logs);
}

async function logs(id: string, options: LogsOptions): Promise<void> {
  const client = await connect();
  if (options.follow) {
    leaveJobOnInterrupt(id);
    await followLog(client, id, options);
    process.exitCode = exitCodes.ok.code;
    return;
  }
  const { rank = 0, json } = options;
  let { attempt } = options;
  for (let fromLine = 0; ; ) {
    const page = await client.getJobLogs({
      params: { id },
      query: { ...(attempt && { attempt }), rank, fromLine, limit: 1000 },
    });
    // Pages after the first stay with their attempt, even if a later one begins meanwhile.
    attempt ??= page.attempt ?? undefined;
    if (page.removedAt !== null) note(`This log was deleted for its age on ${page.removedAt.slice(0, 10)}.`);
    for (const line of page.lines) printLogLine(line, json);
    if (page.lines.length === 0) return;
    fromLine = page.nextLine;
  }
}
