/** `solyx logs`: the output of a job. */
import type { Command } from 'commander';
import colors from 'picocolors';
import { connect } from '../connect.ts';
import { note, print, printable } from '../output.ts';
import { followLog, interruptible } from '../watch.ts';

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
    .option('--attempt <n>', 'this attempt instead of the newest', Number)
    .option('--rank <n>', 'this rank of a gang', Number)
    .option('--json', 'print each line as JSON')
    .action(logs);
}

async function logs(id: string, options: LogsOptions): Promise<void> {
  const client = connect();
  if (options.follow && !options.json) return followLog(client, id, interruptible(id));
  let { attempt } = options;
  for (let fromLine = 0; ; ) {
    const page = await client.getJobLogs({
      params: { id },
      query: { ...(attempt && { attempt }), ...(options.rank && { rank: options.rank }), fromLine, limit: 1000 },
    });
    attempt ??= page.attempt ?? undefined;
    for (const line of page.lines) {
      if (options.json) print(JSON.stringify(line));
      else if (line.stream === 'stdout') print(printable(line.text, true));
      else note(line.stream === 'solyx' ? colors.dim(`solyx: ${printable(line.text)}`) : printable(line.text, true));
    }
    if (page.lines.length === 0) return;
    fromLine = page.nextLine;
  }
}
