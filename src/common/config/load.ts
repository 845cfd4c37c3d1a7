/**
 * Loads the configuration: defaults, then `solyx.yaml`, then environment variables, then the command line.
 *
 * A key that nobody knows is an error that names the nearest one: a typo in a port or a price that is silently ignored
 * costs more than a start that fails.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { type Issue, SolyxError } from '../errors/index.ts';
import { solyxHome } from './home.ts';
import { type ConfigKey, configKeys } from './keys.ts';
import { nearest } from './nearest.ts';
import { type Config, configSchema } from './schema.ts';

/** Variables that are not configuration keys but belong to Solyx: for clients, jobs and tests. */
const otherVariables = [
  'SOLYX_HOME',
  'SOLYX_CONFIG',
  'SOLYX_URL',
  'SOLYX_API_KEY',
  'SOLYX_CA_FILE',
  'SOLYX_FAILPOINTS',
  'SOLYX_JOB_ID',
  'SOLYX_ATTEMPT_ID',
  'SOLYX_RANK',
  'SOLYX_WORLD_SIZE',
  'SOLYX_NODES',
  'SOLYX_ARRAY_INDEX',
  'SOLYX_CHECKPOINT_DIR',
  'SOLYX_PREVIOUS_CHECKPOINT_DIR',
  'SOLYX_ARTIFACTS_DIR',
  'SOLYX_METRICS',
  'SOLYX_TENSORBOARD',
];

export interface LoadOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Path of the YAML file; default `SOLYX_CONFIG`, else `<home>/solyx.yaml` if it is there. */
  readonly file?: string | undefined;
  /** From the command line, by path; wins over everything. */
  readonly overrides?: Readonly<Record<string, unknown>>;
}

/**
 * Loads and checks the configuration.
 * @throws config_invalid with every issue at its key (or line of the file)
 */
export function loadConfig(options: LoadOptions = {}): Config {
  const env = options.env ?? process.env;
  const keys = configKeys();
  const issues: Issue[] = [];
  const named = options.file ?? env.SOLYX_CONFIG;
  const file = named ?? join(solyxHome(env), 'solyx.yaml');
  if (named !== undefined && !existsSync(named)) {
    throw new SolyxError('config_invalid', {
      detail: `There is no file ${named}.`,
      issues: [{ at: named, message: 'not found' }],
    });
  }
  const values = existsSync(file) ? readYaml(file) : {};
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('SOLYX_') || name.startsWith('SOLYX_TEST_') || otherVariables.includes(name)) continue;
    const key = keys.find((candidate) => candidate.env === name);
    if (key) set(values, key.path, fromEnvironment(key, text ?? ''));
    else issues.push({ at: name, message: unknown(name, [...keys.map((k) => k.env), ...otherVariables]) });
  }
  for (const [path, value] of Object.entries(options.overrides ?? {})) {
    if (value !== undefined) set(values, path, value);
  }
  const parsed = configSchema.safeParse(values);
  if (!parsed.success) issues.push(...parsed.error.issues.flatMap((issue) => describe(issue, keys)));
  if (issues.length > 0 || !parsed.success) {
    const detail = issues.map(({ at, message }) => `${at}: ${message}`).join('; ');
    throw new SolyxError('config_invalid', { detail, issues });
  }
  return parsed.data;
}

function readYaml(file: string): Record<string, unknown> {
  const lines = new LineCounter();
  const document = parseDocument(readFileSync(file, 'utf8'), { lineCounter: lines });
  const broken = document.errors[0];
  if (broken) {
    const { line, col } = lines.linePos(broken.pos[0]);
    throw new SolyxError('config_invalid', `${file}, line ${line}, column ${col}: ${broken.message.split('\n')[0]}`);
  }
  const value: unknown = document.toJS() ?? {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new SolyxError('config_invalid', `${file}: expected keys and values.`);
  return value as Record<string, unknown>;
}

function set(target: Record<string, unknown>, path: string, value: unknown): void {
  const [head, ...rest] = path.split('.');
  if (rest.length === 0) {
    target[head!] = value;
    return;
  }
  const child = typeof target[head!] === 'object' && target[head!] !== null ? { ...(target[head!] as object) } : {};
  target[head!] = child;
  set(child as Record<string, unknown>, rest.join('.'), value);
}

/** Texts become what the key takes: lists by comma, numbers and booleans by their look. */
function fromEnvironment(key: ConfigKey, text: string): unknown {
  if (key.type.startsWith('list')) return text === '' ? [] : text.split(',').map((part) => part.trim());
  if (key.type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  if (key.type === 'integer' || key.type === 'number')
    return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
  return text;
}

function unknown(name: string, known: readonly string[]): string {
  const guess = nearest(name, known);
  return guess ? `is not known; did you mean ${guess}?` : 'is not known';
}

function describe(issue: z.core.$ZodIssue, keys: readonly ConfigKey[]): Issue[] {
  const at = issue.path.join('.');
  if (issue.code !== 'unrecognized_keys') return [{ at: at || '(root)', message: issue.message }];
  const prefix = at === '' ? '' : `${at}.`;
  const depth = prefix.split('.').length;
  const siblings = [
    ...new Set(
      keys.filter(({ path }) => path.startsWith(prefix)).map(({ path }) => path.split('.').slice(0, depth).join('.')),
    ),
  ];
  return issue.keys.map((key) => ({ at: `${prefix}${key}`, message: unknown(`${prefix}${key}`, siblings) }));
}
