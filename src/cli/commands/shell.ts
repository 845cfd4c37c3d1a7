/** `solyx shell`: a shell in a running job. */
import type { Command } from 'commander';
import { whole } from '../arguments.ts';
import { runExec } from '../exec-session.ts';

export function shellCommand(program: Command): void {
  program
    .command('shell')
    .description(
      'open a shell in a running job: bash where it has one; without a terminal here, reads commands from standard input',
    )
    .argument('<id>', 'id of the job')
    .option('--rank <n>', 'this rank of a gang', whole(0, 4096))
    .action(async (jobId: string, { rank }: { rank?: number }) => {
      const terminal = Boolean(process.stdin.isTTY && process.stdout.isTTY);
      process.exitCode = await runExec({ jobId, command: [], rank, input: true, terminal });
    });
}
