/** docs/user/cli.md: every command as its own help tells it, and the exit codes. */
import { exitCodes } from '../../../src/cli/exit-codes.ts';
import { makeProgram } from '../../../src/cli/program.ts';
import { renderCliHelp } from './cli-help.ts';
import type { GeneratedDoc } from './index.ts';

export const cliDoc: GeneratedDoc = {
  file: 'docs/user/cli.md',
  generate: async () =>
    `${[
      '# Command line',
      '',
      'Generated from `src/cli` by `npm run docs`; do not edit.',
      '',
      'In a clone, `npx solyx`. Data goes to standard output, words for people to standard error; with `--json`, which every',
      'command takes, nothing but JSON goes to standard output, errors included: `{"error": …}` as in [errors.md](../api/errors.md).',
      '',
      'Server and key are found in the data directory (`SOLYX_HOME`, default `~/.local/share/solyx`). For a server elsewhere',
      'set `SOLYX_URL` and `SOLYX_API_KEY`.',
      '',
      '## Exit codes',
      '',
      '| code | meaning |',
      '|---|---|',
      ...Object.values(exitCodes).map(({ code, meaning }) => `| ${code} | ${meaning} |`),
      '',
      renderCliHelp(await makeProgram()),
    ].join('\n')}\n`,
};
