/** `solyx config print|check`: what is in force, and whether a file is valid. */
import type { Command } from 'commander';
import { note } from '../output.ts';

export function configCommand(program: Command): void {
  const config = program.command('config').description('print or check the configuration');
  config
    .command('print')
    .description('print the configuration in force, or an example with every key')
    .option('--example', 'print every key with its default, commented out')
    .option('--config <file>', 'read this file instead of solyx.yaml in the data directory')
    .action(async (options: { example?: boolean; config?: string }) => {
      const { loadConfig, printConfig } = await import('../../common/config/index.ts');
      process.stdout.write(printConfig(options.example ? undefined : loadConfig({ file: options.config })));
    });
  config
    .command('check')
    .description('check the configuration and name every mistake')
    .option('--config <file>', 'check this file instead of solyx.yaml in the data directory')
    .action(async (options: { config?: string }) => {
      const { loadConfig } = await import('../../common/config/index.ts');
      loadConfig({ file: options.config });
      note('The configuration is valid.');
    });
}
