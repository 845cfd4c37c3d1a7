import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { renderCliHelp } from '../../../tools/scripts/docs/cli-help.ts';

describe('the document of the command line', () => {
  it('shows the help of every command and of those below it, as the terminal shows it', () => {
    const program = new Command('solyx').description('Runs jobs.');
    program.command('jobs').description('Lists jobs.').option('--json', 'print JSON');
    program
      .command('config')
      .description('Shows the configuration.')
      .command('check')
      .description('Says what is wrong.');
    const text = renderCliHelp(program);
    expect(text.match(/^## .*$/gm)).toEqual(['## solyx', '## solyx jobs', '## solyx config', '## solyx config check']);
    expect(text).toContain('Usage: solyx jobs [options]');
    expect(text).toMatch(/--json +print JSON/);
  });
});
