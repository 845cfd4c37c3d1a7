/** `solyx cancel`: ends jobs, with their grace. */
import type { Command } from 'commander';
import { connect } from '../connect.ts';
import { paintState, print, printJson } from '../output.ts';

export function cancelCommand(program: Command): void {
  program
    .command('cancel')
    .description('cancel jobs; one that runs gets its grace')
    .argument('<id...>', 'ids of jobs')
    .option('--json', 'print JSON')
    .action(async (ids: string[], options: { json?: boolean }) => {
      const client = await connect();
      const items = [];
      for (const id of ids) {
        const job = await client.cancelJob({ params: { id } });
        items.push(job);
        if (!options.json) print(`${job.id}  ${paintState(job.state)}`);
      }
      if (options.json) printJson({ items });
    });
}
