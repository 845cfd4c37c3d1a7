/**
 * The `solyx` command line: one file a command, each loaded only for itself, since a person waits for every import.
 *
 * Data goes to stdout (with `--json` nothing else does), words for people to stderr, and the exit code says what happened.
 */
import { CommanderError } from 'commander';
import { SolyxError } from '../common/errors/index.ts';
import { reportError } from './errors.ts';
import { exitCodes } from './exit-codes.ts';
import { makeProgram } from './program.ts';
import { closeUmask } from './umask.ts';

closeUmask();

// A reader that stops early (`solyx jobs | head`) is no error; a command that waits has set its own code by then.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    throw error;
  });
}

try {
  if (process.env.SOLYX_CA_FILE) (await import('../common/http/trust.ts')).trustCaFile(process.env.SOLYX_CA_FILE);
  const program = await makeProgram(process.argv[2]);
  await program.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage.code;
  else process.exitCode = reportError(error, process.argv.includes('--json'));
  if (!(error instanceof SolyxError) && !(error instanceof CommanderError) && process.env.SOLYX_LOG_LEVEL === 'debug')
    throw error;
}
