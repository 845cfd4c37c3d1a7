/** Prints the configuration as commented YAML: what is in force, or an example with every key. */
import { stringify } from 'yaml';
import { formatUsd } from '../money.ts';
import { configKeys } from './keys.ts';
import type { Config } from './schema.ts';

function lookUp(config: object, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], config);
}

/** Hides secrets, and the password of a URL. */
function redact(path: string, value: unknown): unknown {
  if (path === 'oidc.clientSecret' && value !== undefined) return '***';
  return path === 'database.url' && typeof value === 'string'
    ? value.replace(/:\/\/([^:@/]*):[^@]*@/, '://$1:***@')
    : value;
}

/** The configuration as plain values for JSON: money as dollars, without passwords. */
export function configValues(config: Config): Record<string, unknown> {
  const values: Record<string, Record<string, unknown>> = {};
  for (const { path } of configKeys()) {
    const [section, name] = path.split('.') as [string, string];
    const value = redact(path, lookUp(config, path));
    values[section] ??= {};
    values[section][name] = typeof value === 'bigint' ? formatUsd(value) : value;
  }
  return values;
}

/**
 * The configuration as YAML with a comment over each key.
 * @param config values to print; without it the defaults, all commented out
 */
export function printConfig(config?: Config): string {
  const sections = Map.groupBy(configKeys(), ({ path }) => path.split('.')[0]!);
  const parts = [...sections].map(([section, keys]) => {
    const lines = keys.map((key) => {
      const value = redact(key.path, config ? lookUp(config, key.path) : key.default);
      const line = `  ${key.path.split('.')[1]}: ${textOf(value)}`;
      const isOff = config === undefined || value === undefined;
      return { isOff, text: `  # ${key.description} (${key.env})\n${isOff ? line.replace('  ', '  # ') : line}` };
    });
    // A section without any value would be read as null.
    const head = lines.every(({ isOff }) => isOff) ? `# ${section}:` : `${section}:`;
    return [head, ...lines.map(({ text }) => text)].join('\n');
  });
  return `${parts.join('\n\n')}\n`;
}

function textOf(value: unknown): string {
  if (typeof value === 'bigint') return `"${formatUsd(value)}"`;
  return value === undefined ? '' : stringify(value, { collectionStyle: 'flow' }).trim();
}
