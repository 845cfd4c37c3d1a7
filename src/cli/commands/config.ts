/** `solyx config print|check`: what is in force, and whether a file is valid. */
import type { Command } from 'commander';
import { note, printJson } from '../output.ts';

interface ConfigOptions {
  config?: string;
  example?: boolean;
  json?: boolean;
}

export function configCommand(program: Command): void {
  const config = program.command('config').description('print or check the configuration');
  config
    .command('print')
    .description('print the configuration in force, or an example with every key')
    .option('--example', 'print every key with its default, commented out')
    .option('--config <file>', 'read this file instead of solyx.yaml in the data directory')
    .option('--json', 'print JSON: the values in force, or with --example the list of keys')
    .action(print);
  config
    .command('check')
    .description('check the configuration and name every mistake')
    .option('--config <file>', 'check this file instead of solyx.yaml in the data directory')
    .option('--json', 'print JSON')
    .action(check);
}

async function print({ example, config, json }: ConfigOptions): Promise<void> {
  const { configKeys, configValues, loadConfig, printConfig } = await import('../../common/config/index.ts');
  if (example && json) printJson({ items: configKeys() });
  else if (example) process.stdout.write(printConfig());
  else if (json) printJson(configValues(loadConfig({ file: config })));
  else process.stdout.write(printConfig(loadConfig({ file: config })));
}

async function check({ config, json }: ConfigOptions): Promise<void> {
  const { loadConfig } = await import('../../common/config/index.ts');
  const { tlsCertificate: certificate, tlsKey: key } = loadConfig({ file: config }).server;
  if (certificate !== undefined && key !== undefined) {
    const { loadTls } = await import('../../common/http/tls.ts');
    loadTls({ certificate, key });
  }
  if (json) printJson({ valid: true });
  else note('The configuration is valid.');
}
