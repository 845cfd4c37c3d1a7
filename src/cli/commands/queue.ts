/** `solyx queue`: how many jobs wait for what, who is first, and when each is expected to start. */
import type { Command } from 'commander';
import { whole } from '../arguments.ts';
import { connect } from '../connect.ts';
import { print, printable, printJson, printTable, relative } from '../output.ts';

export function queueCommand(program: Command): void {
  program
    .command('queue')
    .description('show what waits, why, and in which order')
    .option('--limit <n>', 'most jobs shown, 1–500; default 50', whole(1, 500))
    .option('--json', 'print JSON')
    .action(async ({ limit, json }: { limit?: number; json?: boolean }) => {
      const queue = await (await connect()).getQueue({ query: limit === undefined ? {} : { limit } });
      if (json) return printJson(queue);
      const reasons = queue.reasons.map(({ reason, jobs }) => `${reason} ${jobs}`).join(', ');
      if (queue.waiting > 0) print(`${queue.waiting} waiting: ${reasons}`);
      printTable(
        queue.items,
        [
          { title: '#', value: ({ position }) => String(position), align: 'right' },
          { title: 'AHEAD', value: ({ ahead }) => (ahead === null ? '–' : String(ahead)), align: 'right' },
          { title: 'ID', value: ({ id }) => id },
          { title: 'NAME', value: ({ name }) => printable(name) },
          { title: 'PROJECT', value: ({ project }) => printable(project.name) },
          { title: 'PRIORITY', value: ({ priority }) => String(priority), align: 'right' },
          { title: 'SINCE', value: ({ submittedAt }) => relative(submittedAt), align: 'right' },
          {
            title: 'EXPECTED',
            value: ({ expectedAt }) => (expectedAt === null ? '–' : relative(expectedAt)),
            align: 'right',
          },
          { title: 'WAITS FOR', value: ({ reason }) => reason },
        ],
        'Nothing waits.',
      );
    });
}
