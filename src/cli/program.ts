/** All commands with their options; docs/user/cli.md is generated from it. */
import { Command } from 'commander';
import { agentCommand } from './commands/agent.ts';
import { cancelCommand } from './commands/cancel.ts';
import { configCommand } from './commands/config.ts';
import { downCommand } from './commands/down.ts';
import { jobCommand } from './commands/job.ts';
import { jobsCommand } from './commands/jobs.ts';
import { keysCommand } from './commands/keys.ts';
import { logsCommand } from './commands/logs.ts';
import { nodesCommand } from './commands/nodes.ts';
import { serveCommand } from './commands/serve.ts';
import { sitesCommand } from './commands/sites.ts';
import { submitCommand } from './commands/submit.ts';
import { upCommand } from './commands/up.ts';
import { version } from './version.ts';

/** Builds the command tree. Errors of the command line are thrown, not exited on. */
export function makeProgram(): Command {
  const program = new Command('solyx')
    .description('GPUs, wherever they stand, as one computer: submit jobs, watch them, run the fleet.')
    .version(version)
    .exitOverride()
    .showHelpAfterError('(solyx --help lists the commands)');
  for (const add of [
    upCommand,
    downCommand,
    submitCommand,
    jobsCommand,
    jobCommand,
    logsCommand,
    cancelCommand,
    nodesCommand,
    sitesCommand,
    keysCommand,
    configCommand,
    agentCommand,
    serveCommand,
  ]) {
    add(program);
  }
  return program;
}
