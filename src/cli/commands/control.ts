/** `solyx cancel`, `suspend` and `resume`: ends jobs, takes them out of the race, puts them back. */
import type { Command } from 'commander';
import { connect } from '../connect.ts';
import { paintState, print, printJson } from '../output.ts';

export const cancelCommand = control('cancel', 'cancelJob', 'cancel jobs; one that runs gets its grace');
export const suspendCommand = control(
  'suspend',
  'suspendJob',
  'take jobs out of the queue, or off their nodes with their grace, until they are resumed',
);
export const resumeCommand = control(
  'resume',
  'resumeJob',
  'queue suspended jobs again; they begin with their newest checkpoint',
);

function control(name: string, endpoint: 'cancelJob' | 'suspendJob' | 'resumeJob', description: string) {
  return (program: Command): void => {
    program
      .command(name)
      .description(description)
      .argument('<id...>', 'ids of jobs')
      .option('--json', 'print JSON')
      .action(async (ids: string[], options: { json?: boolean }) => {
        const client = await connect();
        const items = [];
        for (const id of ids) {
          const job = await client[endpoint]({ params: { id } });
          items.push(job);
          if (!options.json) print(`${job.id}  ${paintState(job.state)}`);
        }
        if (options.json) printJson({ items });
      });
  };
}
