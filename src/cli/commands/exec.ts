/** `solyx exec`: runs a command in a running job. */
import type { Command } from 'commander';
import { whole } from '../arguments.ts';
import { runExec } from '../exec-session.ts';

interface ExecFlags {
  interactive?: boolean;
  tty?: boolean;
  rank?: number;
}

export function execCommand(program: Command): void {
  program
    .command('exec')
    .description(
      'run a command in a running job: as its user, in its sandbox, within its limits; ends with its exit code',
    )
    .argument('<id>', 'id of the job')
    .argument('<command...>', 'program and arguments, after --')
    .option('-i, --interactive', 'send what comes on standard input')
    .option('-t, --tty', 'give the command a terminal')
    .option('--rank <n>', 'this rank of a gang', whole(0, 4096))
    .action(async (jobId: string, words: string[], flags: ExecFlags, command: Command) => {
      const { interactive = false, tty = false, rank } = flags;
      // A terminal in the job is of use only to a terminal here.
      if (tty && !(process.stdin.isTTY && process.stdout.isTTY)) {
        command.error('error: -t needs a terminal on standard input and output; leave it away in scripts and pipes');
      }
      process.exitCode = await runExec({ jobId, command: words, rank, input: interactive || tty, terminal: tty });
    });
}
