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
  const lines: string[] = [];
  let section = '';
  for (const key of configKeys()) {
    const [head, name] = key.path.split('.');
    if (head !== section) {
      if (section !== '') lines.push('');
      lines.push(`${head}:`);
      section = head!;
    }
    lines.push(`  # ${key.description} (${key.env})`);
    const value = redact(key.path, config ? lookUp(config, key.path) : key.default);
    const text =
      typeof value === 'bigint'
        ? `"${formatUsd(value)}"`
        : value === undefined
          ? ''
          : stringify(value, { collectionStyle: 'flow' }).trim();
    const off = config === undefined || value === undefined;
    lines.push(off ? `  # ${name}: ${text}` : `  ${name}: ${text}`);
  }
  return `${lines.join('\n')}\n`.replace(/^(\w+:)$/gm, config ? '$1' : '# $1');
}
